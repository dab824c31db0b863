"""Repository that the tests belong to: its folder, and the scripts of its experiments."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def python_path(*first: Path) -> str:
    """Return a PYTHONPATH of these folders before those that it holds."""
    return os.pathsep.join([*map(str, first), *filter(None, [os.environ.get("PYTHONPATH")])])


def script(path: str) -> ModuleType:
    """Import a script by its path within experiments/, and return it as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / "experiments" / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
