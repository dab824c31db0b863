"""Fixtures of the labelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.captchas import save_readable_captchas


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled folder of 24 captchas that OCR engines read well: fewer than elsewhere, since many tests read all of them."""
    return save_readable_captchas(tmp_path_factory.mktemp("raw"), 24)
