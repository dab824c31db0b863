"""The constraints file: every version is pinned, with the hashes of its files."""

from __future__ import annotations

import re

from tests.helpers.repository import ROOT


def test_every_pin_has_the_hashes_of_its_files() -> None:
    content = (ROOT / "constraints.txt").read_text()
    assert "://" not in content
    pins = re.split(r"\n(?=\S)", content.partition("\n")[2].strip())
    hashed = [re.fullmatch(r"([\w.-]+)==\S+((?: \\\n    --hash=sha256:[0-9a-f]{64})+)", pin) for pin in pins]
    assert all(hashed), [pin.partition("\n")[0] for pin, match in zip(pins, hashed, strict=True) if not match]
    names = {match[1] for match in hashed if match}
    build_or_are_built = {"uv", "hatchling", "editables", "setuptools", "antlr4-python3-runtime"}
    assert build_or_are_built <= names
