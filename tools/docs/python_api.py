"""Reference of the Python interface, written from signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import capbench
from capbench import (
    AugmentStep,
    Cutter,
    Engine,
    Ingredient,
    Logging,
    Metric,
    Model,
    Pieces,
    Sample,
    Source,
    Step,
    View,
)
from capbench.errors import BadImage, Mistake
from capbench.export.graph import Character, Graph, Read
from capbench.inference.reader import Reader
from capbench.text import Reading
from tools.docs.markdown import code, page, plain, prose, table

METHODS = {
    Reader: ("read", "read_views"),
    Graph: ("open", "prepare", "read", "probabilities", "answer"),
    Model: ("loss",),
    Source: ("image", "lengths"),
    View: ("__call__",),
    AugmentStep: ("__call__",),
    Ingredient: ("__call__",),
    Step: ("__call__",),
    Cutter: ("__call__",),
    Engine: ("open",),
    Logging: ("open",),
    Metric: ("__call__",),
}
BASES = (Model, Source, Sample, View, AugmentStep, Ingredient, Step, Cutter, Pieces, Engine, Logging, Metric)


def pages() -> dict[str, str]:
    """Return the page by its path below docs/reference/."""
    before = "What is not here may change in any version. How it is used: [Read images](../how-to/read-images.md), [Export](../how-to/export.md), [Own classes](../how-to/own-classes.md)."
    parts = [
        before,
        *_function("capbench.load", capbench.load),
        *(text for kind in (Reader, Reading, Graph, Read, Character, Mistake, BadImage) for text in _class(kind)),
        *(text for kind in BASES for text in _class(kind)),
    ]
    return {"python-api.md": page("Python API", *parts)}


def _class(kind: type) -> Iterator[str]:
    where = "capbench" if kind.__name__ in capbench.__all__ else kind.__module__
    yield f"## {where}.{kind.__name__}"
    yield _words(kind)
    fields = [(code(name), plain(annotation), prose(meaning)) for name, annotation, meaning in _fields(kind)]
    yield "" if kind in METHODS else table(("field", "type", "meaning"), fields)
    for name in METHODS.get(kind, ()):
        yield from _function(f"{kind.__name__}.{name}", getattr(kind, name), "###")


def _function(name: str, function: Any, level: str = "##") -> Iterator[str]:
    yield f"{level} {name}"
    yield f"```text\n{name}{_signature(function)}\n```"
    yield _words(function)


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    taken = [one for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=taken)).replace("'", "")


def _words(documented: Any) -> str:
    """Return a docstring as paragraphs."""
    return prose(inspect.getdoc(documented) or "")


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the public fields of a class: name, type, and the docstring below."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    for line, below in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            told = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            yield line.target.id, ast.unparse(line.annotation), str(told)
