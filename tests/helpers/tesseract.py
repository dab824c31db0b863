"""Tesseract, a package with data that the system installs."""

from __future__ import annotations

import pytest

from capbench.errors import Mistake
from capbench.label.engines.tesseract import Tesseract
from capbench.settings import build
from capbench.text import Alphabet
from tests.helpers.settings import composed


def tesseract(*overrides: str, option: str = "tesseract") -> Tesseract:
    """Return the engine; skip the test where its package or its data is missing."""
    pytest.importorskip("tesserocr", reason="needs the engines: make test installs them")
    settings = composed("images=x", f"+label/engine@label.engines.tess={option}", *overrides, verb="label")
    made = build(settings["label"]["engines"]["tess"])
    assert isinstance(made, Tesseract)
    try:
        made.open(Alphabet(symbols="0123456789", fold=None))
    except Mistake as mistake:
        pytest.skip(str(mistake))
    return made
