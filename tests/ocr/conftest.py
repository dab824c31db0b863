from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import save_captchas


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 captchas of four digits in the style that engines read best, with their labels."""
    pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    folder = tmp_path_factory.mktemp("raw")
    save_captchas(folder, 24, look=("style=strokes",))
    return folder


def composed_label(*overrides: str) -> dict[str, Any]:
    """Plain settings of the verb, as the command line composes them."""
    import hydra

    from capbench.settings import conf_dir, plain

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plain(hydra.compose("label", list(overrides)))
