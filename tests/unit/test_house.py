"""The package tree and the layers on the page of the architecture, held against the real ones."""

from __future__ import annotations

import re
import tomllib

from tests.helpers.repository import ROOT

SOURCE = ROOT / "src" / "capbench"
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def drawn_rooms() -> dict[str, set[str]]:
    """Return the modules that the page names, by their package; those outside packages are under ""."""
    tree = PAGE[PAGE.index("src/capbench/  ") : PAGE.index("src/hydra_plugins/  ")]
    rooms: dict[str, set[str]] = {"": set()}
    room = ""
    for line in tree.splitlines()[1:]:
        if head := re.match(r"  ([a-z_/]+)/ ", line):
            room = head[1]
            rooms[room] = set()
        else:
            rooms[room] |= set(line.replace("·", "").split())
    return rooms


def real_rooms() -> dict[str, set[str]]:
    packages = [path.parent for path in SOURCE.rglob("__init__.py")]
    return {
        "" if package == SOURCE else package.relative_to(SOURCE).as_posix(): {
            path.stem for path in package.glob("*.py") if path.stem not in ("__init__", "__main__")
        }
        for package in packages
    }


def test_the_drawn_tree_names_every_package_and_module() -> None:
    assert drawn_rooms() == real_rooms()


def test_the_written_layers_equal_those_of_the_linter() -> None:
    told = PAGE.partition("From top to bottom:\n\n```\n")[2].partition("\n```")[0]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    assert told.replace("·", "|").splitlines() == contract["layers"]


def test_at_most_ten_modules_lie_outside_packages() -> None:
    assert len(list(SOURCE.glob("*.py"))) <= 10
