"""Import of packages that only some verbs need."""

from __future__ import annotations

import importlib
from types import ModuleType

from capbench.errors import Mistake


def needed(module: str, extra: str) -> ModuleType:
    """Return a module that an extra installs; raise Mistake with the command that installs it where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Mistake(f"{module} is not installed; python -m pip install 'capbench[{extra}]'") from error
