"""Public interface: what it offers, and that importing it is quick."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import capbench

HEAVY = {"torch", "numpy", "pytorch_lightning", "cv2", "hydra", "omegaconf", "pydantic", "wandb", "PIL"}


def imported_by(statement: str) -> set[str]:
    """Return the top-level packages that a statement imports in a new process."""
    shown = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_capbench_imports_nothing_heavy() -> None:
    assert imported_by("import capbench, capbench.__main__; dir(capbench)") & HEAVY == set()


def test_a_name_imports_only_what_it_needs() -> None:
    assert "torch" not in imported_by("from capbench import Step, View, Engine, Reading, Mistake")


@pytest.mark.parametrize("name", capbench.__all__)
def test_every_public_name_is_there_with_a_docstring(name: str) -> None:
    found = getattr(capbench, name)
    assert getattr(capbench, name) is found
    assert name in dir(capbench)
    if inspect.isclass(found):
        assert found.__name__ == name
        assert found.__doc__


def test_the_public_names_are_sorted_and_each_is_imported_from_its_module() -> None:
    assert capbench.__all__ == ["SAMPLE", *sorted({*capbench.__all__} - {"SAMPLE"})]
    assert set(capbench._MODULES) == set(capbench.__all__) - {"SAMPLE", "BadImage", "Mistake", "load"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'capbench' has no attribute 'Modle'"):
        capbench.Modle  # type: ignore[attr-defined]  # noqa: B018
