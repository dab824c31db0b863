"""Types of settings in words."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from capbench.settings import is_setting, types_of

WORDS = {
    bool: "true, false",
    int: "integer",
    float: "number",
    str: "text",
    type(None): "null",
    Any: "any value",
    dict: "keys and values",
    list: "list",
}
SIGNS = ((Ge, "≥", "ge"), (Gt, ">", "gt"), (Le, "≤", "le"), (Lt, "<", "lt"))


def accepted(hint: Any) -> str:
    """Return what a hint accepts, such as "integer ≥ 1 or null"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(map(accepted, arguments)))
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is list:
        return f"list of {accepted(arguments[0])}"
    if origin is dict:
        return f"{accepted(arguments[1])}, by name"
    if origin is Callable:
        return f"{accepted(arguments[-1])}, built later"
    return WORDS.get(hint, str(getattr(hint, "__name__", hint)))


def parameters(target: Any) -> dict[str, str]:
    """Return what each keyword-only parameter of a class or function accepts, by name."""
    hints = types_of(target)
    named = inspect.signature(target).parameters.values()
    return {one.name: accepted(hints.get(one.name, Any)) for one in named if is_setting(one, target)}


def _bounded(hint: Any, bounds: tuple[Any, ...]) -> str:
    limits = [
        f"{sign} {getattr(bound, name)}" for bound in bounds for kind, sign, name in SIGNS if isinstance(bound, kind)
    ]
    limits += [_length(bound) for bound in bounds if isinstance(bound, Len)]
    return f"{accepted(hint)} {', '.join(limits)}".rstrip()


def _length(bound: Len) -> str:
    if bound.min_length == bound.max_length:
        return f"(length {bound.min_length})"
    return f"(length {bound.min_length} {'or more' if bound.max_length is None else f'to {bound.max_length}'})"
