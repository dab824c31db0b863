"""The verb render: a labelled folder in each format, and its resumption after an interruption."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capbench.utils.locks import alone
from tests.helpers.killed import kill_at_call
from tests.helpers.painter import painter
from tests.helpers.protocols import Cli, Train
from tests.helpers.tables import read_csv

SMALL = ("render", "count=40", "out=made")


def labels(folder: Path) -> list[tuple[str, str]]:
    return [(row["filename"], row["label"]) for row in read_csv(folder / "labels.csv")]


def test_render_writes_png_files_and_labels(cli: Cli) -> None:
    code, out, err = cli(*SMALL)
    assert (code, out) == (0, "40 captchas: made\n"), err
    rows = labels(Path("made"))
    assert [text for _, text in rows] == painter().texts(np.arange(40))
    expected = painter().pictures(np.arange(40))
    for (name, _), picture in zip(rows, expected, strict=True):
        assert (np.asarray(Image.open(Path("made") / name)) == picture).all()


def test_render_writes_an_array_that_is_no_source(cli: Cli) -> None:
    code, _, err = cli(*SMALL, "format=npy")
    assert code == 0, err
    assert (np.load("made/images.npy") == painter().pictures(np.arange(40))).all()
    assert labels(Path("made"))[3] == ("images.npy#3", painter().texts(np.arange(4))[3])
    code, _, err = cli("data=csv", "data.root=made", "debug=fast")
    assert code == 2
    assert (
        "'images.npy#0' is in a NumPy array, which CapBench does not read; render with format=png or format=zip" in err
    )


def test_render_writes_a_zip_file_that_can_be_trained_on(cli: Cli, train: Train) -> None:
    code, out, err = cli(*SMALL, "format=zip")
    assert (code, out) == (0, "40 captchas: made.zip\n"), err
    assert [path.name for path in Path().iterdir()] == ["made.zip"]
    split = "data.split={train:20,val:10,test:10}"
    folder = train("data=csv", "data.root=made.zip", split, "debug=fast", split, "trainer.progress=false")
    assert folder.read_result()["data/train"] == 20


def test_render_writes_a_sheet(cli: Cli) -> None:
    code, out, err = cli("render", "sheet=true", "style=gradient", "alphabet=mixed_62")
    assert (code, out) == (0, "sheet: captchas/sheet.png\n"), err
    assert Image.open("captchas/sheet.png").size[0] > 500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "call", "function"),
    [
        ("png", 500, "cv2:imencode"),
        ("npy", 2, "capbench.render.painter:Painter.pictures"),
        ("zip", 500, "cv2:imencode"),
        ("zip", 700, "zipfile:ZipFile.write"),
    ],
)
def test_render_after_sigkill_writes_the_same_files(
    kind: str, call: int, function: str, tmp_path: Path, cli: Cli
) -> None:
    """Kill the command midway and repeat it: the files equal those of an uninterrupted one."""
    command = ["render", "count=1500", f"format={kind}"]
    code, _, err = cli(*command, "out=whole")
    assert code == 0, err
    kill_at_call(call, function, *command, "out=broken")
    assert not Path("broken/labels.csv").exists()
    assert not Path("broken.zip").exists()
    code, _, err = cli(*command, "out=broken")
    assert code == 0, err
    if kind == "zip":
        subprocess.run([sys.executable, "-m", "zipfile", "-e", "whole.zip", "whole"], check=True)
        subprocess.run([sys.executable, "-m", "zipfile", "-e", "broken.zip", "broken"], check=True)
    whole, broken = (
        {
            path.relative_to(root): path.read_bytes()
            for path in Path(root).rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        for root in ("whole", "broken")
    )
    assert whole == broken


def test_render_draws_files_again_that_are_not_whole(cli: Cli) -> None:
    assert cli(*SMALL)[0] == 0
    files = sorted(Path("made/images").iterdir())
    before = [file.read_bytes() for file in files]
    Path("made/labels.csv").unlink()
    files[3].write_bytes(b"")
    files[5].write_bytes(before[5][:-1])
    files[7].unlink()
    assert cli(*SMALL)[0] == 0
    assert [file.read_bytes() for file in files] == before


def test_render_refuses_a_folder_of_other_content(cli: Cli) -> None:
    assert cli(*SMALL)[0] == 0
    code, _, err = cli(*SMALL, "seed=2")
    assert code == 2
    assert err == "capbench: out: made was drawn with other settings (made/render.json); give another folder\n"
    Path("full").mkdir()
    Path("full/letter.txt").write_text("dear")
    code, _, err = cli("render", "out=full")
    assert (code, err) == (2, "capbench: out: full holds something else; give a new or an empty folder\n")


@pytest.mark.parametrize(("kind", "out"), [("png", "made"), ("npy", "made"), ("zip", "made.zip")])
def test_a_second_render_into_the_same_place_is_refused(kind: str, out: str, cli: Cli) -> None:
    if kind != "zip":
        Path(out).mkdir()
    with alone(Path(out), "render"):
        code, _, err = cli(*SMALL, f"format={kind}")
    assert (code, err) == (2, f"capbench: {out}: another render is writing there; wait until it ends\n")
    assert cli(*SMALL, f"format={kind}")[0] == 0
    assert not list(Path().rglob("*.lock"))


def test_render_refuses_a_file_in_place_of_the_folder(cli: Cli) -> None:
    Path("made").touch()
    code, _, err = cli(*SMALL)
    assert (code, err) == (2, "capbench: out: made is a file; give a new or an empty folder\n")


def test_render_adds_captchas_to_a_finished_folder(cli: Cli) -> None:
    assert cli(*SMALL)[0] == 0
    assert cli("render", "count=60", "out=made")[0] == 0
    assert len(labels(Path("made"))) == len(list(Path("made/images").iterdir())) == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cuont=3"], "cuont: is not a setting (value '3'); did you mean count"),
        (["count=0"], "count: 0 is not accepted"),
        (["format=gif"], "format: 'gif' is not accepted; input should be 'png', 'npy' or 'zip'"),
        (["style=nice"], "style=nice: is not an option"),
        (["alphabet=auto"], "alphabet.symbols: auto reads the alphabet from labels, and there are none"),
        (["length=[4,2]"], "length: [4, 2] is reversed; write [shortest, longest]"),
        (["style.width=24"], "style.width: 24 has no room for 4 characters"),
    ],
)
def test_a_mistake_in_render_is_one_line(arguments: list[str], message: str, cli: Cli) -> None:
    code, _, err = cli("render", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []
