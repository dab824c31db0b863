from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numba import types

from capbench.render import kernel
from capbench.render.kernel.sources import SOURCES, digest
from tests.helpers.painter import painter

ROOM = Path(kernel.__file__).parent


def test_the_number_differs_with_any_file(tmp_path: Path) -> None:
    for file in ROOM.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert digest(tmp_path) == SOURCES
    for file in tmp_path.glob("*.py"):
        was = file.read_bytes()
        file.write_bytes(was + b"# edited")
        assert digest(tmp_path) != SOURCES, file.name
        file.write_bytes(was)


def test_machine_code_is_kept_apart_by_the_number() -> None:
    own = painter("style=strokes")
    own.pictures(np.arange(1))
    own.poses(np.arange(1))
    for entry in (kernel.texts, kernel.poses, kernel.buffers, kernel.paint_with, kernel.compress):
        assert {signature[-1] for signature in entry.signatures} == {types.Omitted(SOURCES)}


def test_only_entry_points_and_draws_are_cached() -> None:
    """Others would be loaded as they were before another file changed; draws.py depends on no other file."""
    cached = {
        (file.stem, name)
        for file in ROOM.glob("*.py")
        for options, name in re.findall(r"^@njit\b(.*)\ndef (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        if "cache" in options
    }
    assert cached == {
        ("__init__", name) for name in ("texts", "draws_of", "poses", "buffers", "paint_with", "compress")
    } | {
        ("draws", "draw"),
        ("draws", "between"),
    }
