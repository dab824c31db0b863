"""Installation of fonts, by an npm that hands out a package made here."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from capbench.errors import Mistake
from capbench.render import install_fonts
from capbench.render.faces import bundled_fonts, check_font
from capbench.render.install_fonts import install
from capbench.render.installed import Family, families, folder

FAMILY = Family("sans", "made-up", ("400", "700i"), "1.2.3", "OFL-1.1")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an npm first in the path, which fails until the returned file says what it prints and does."""
    package = tmp_path / "package"
    (package / "files").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"license": "OFL-1.1"}))
    font = TTFont(bundled_fonts()["DejaVuSans.ttf"])
    font.flavor = "woff"
    for face in ("400-normal", "700-italic"):
        font.save(package / "files" / f"made-up-latin-{face}.woff")
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as archive:
        archive.add(package, "package")
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\ntest "$3" = @fontsource/made-up@1.2.3 || {{ echo "no $3" >&2; exit 1; }}\n'
        f"cp {tmp_path}/made.tgz . && echo made.tgz\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path / "cache"))
    return script


def test_each_face_of_a_family_becomes_a_font_that_can_be_drawn(npm: Path) -> None:
    install(FAMILY)
    assert {path.name for path in folder().iterdir()} == {"made-up-400-1.2.3.ttf", "made-up-700i-1.2.3.ttf"}
    for face in FAMILY.faces:
        check_font(str(FAMILY.file(face)), "09azAZ+-×*÷/=?")


def test_another_licence_than_the_listed_one_is_refused(npm: Path) -> None:
    with pytest.raises(Mistake, match=r"@fontsource/made-up: its licence is OFL-1.1; Apache-2.0 was expected"):
        install(FAMILY._replace(licence="Apache-2.0"))
    assert list(folder().iterdir()) == []


def test_a_package_without_a_listed_face_is_refused(npm: Path) -> None:
    with pytest.raises(
        Mistake, match=r"@fontsource/made-up: holds no file files/made-up-latin-900-normal\.woff; give "
    ):
        install(FAMILY._replace(faces=("900",)))


def test_a_package_that_cannot_be_fetched_is_told_in_one_line(npm: Path) -> None:
    with pytest.raises(Mistake, match=r"@fontsource/other: cannot be fetched \(no @fontsource/other@1.2.3\)"):
        install(FAMILY._replace(name="other"))


def test_a_machine_without_npm_is_told_what_to_install(npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Mistake, match="npm: is not installed; install Node.js"):
        install(FAMILY)


def test_all_families_are_installed_and_told_and_the_first_fault_ends_it(
    npm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [FAMILY._replace(faces=(face,)) for face in FAMILY.faces] + [FAMILY._replace(name="other")]
    monkeypatch.setattr(install_fonts, "families", lambda: several[:2])
    assert install_fonts.main() == 0
    assert all(FAMILY.file(face).is_file() for face in FAMILY.faces)
    assert capsys.readouterr().out.count("made-up 1.2.3 (OFL-1.1)") == 2
    assert install_fonts.main() == 0  # nothing is missing
    assert "made-up" not in capsys.readouterr().out
    monkeypatch.setattr(install_fonts, "families", lambda: several)
    assert install_fonts.main() == 2
    assert capsys.readouterr().err == "@fontsource/other: cannot be fetched (no @fontsource/other@1.2.3)\n"


def test_the_list_names_open_licences_and_all_kinds() -> None:
    assert {family.licence for family in families()} == {"OFL-1.1", "Apache-2.0", "UFL-1.0"}
    assert {family.kind for family in families()} == {"sans", "serif", "monospaced", "handwritten", "display"}
    files = [family.file(face) for family in families() for face in family.faces]
    assert len(files) == len(set(files)) > 100
    assert any(face.endswith("i") for family in families() for face in family.faces)
