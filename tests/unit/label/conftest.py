from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import readable


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return readable(tmp_path_factory.mktemp("raw"), 24)


def composed_label(*overrides: str) -> dict[str, Any]:
    """Plain settings of the verb, as the command line composes them."""
    import hydra

    from capbench.settings import conf_dir, plain

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plain(hydra.compose("label", list(overrides)))
