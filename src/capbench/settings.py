"""Settings: their location, and the check that finds mistakes before anything runs.

The keyword-only parameters of the class that a setting builds are its schema: their names are the keys, their types the
accepted values. Positional parameters are supplied by CapBench itself; those of Lightning's classes are settings too.

A value is data unless its type names a class of CapBench, or of a package that the user trusts (capbench.trust): only
then may settings from an untrusted file build an object, and only one of that class or a subclass.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException
from pydantic import ConfigDict, InstanceOf, TypeAdapter, ValidationError

from capbench.errors import Mistake, first_line, nearest, printable
from capbench.moved import MOVED
from capbench.trust import can_be_trusted, is_trusted, package_of

TARGET = "_target_"
PARTIAL = "_partial_"
ANY_CLASS = ConfigDict(arbitrary_types_allowed=True)
LIGHTNING = "pytorch_lightning"


@dataclass(frozen=True)
class OrOf:
    """Annotation of a type: the public classes of a module of Lightning may be built for it too."""

    module: str


def conf_dir() -> Path:
    """Return conf/ of the checkout, or the copy in an installed package."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "conf"


def plain(config: DictConfig) -> dict[str, Any]:
    """Return the settings as plain data, with interpolations resolved; raise Mistake if a value is missing."""
    try:
        settings: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise Mistake(f"{error.full_key}: must be given; add {error.full_key}=… to the command") from error
    except InterpolationKeyError as error:
        raise Mistake(f"{error.full_key}: {first_line(error)}") from error
    except OmegaConfBaseException as error:
        raise Mistake(first_line(error)) from error
    return settings


def check(settings: Mapping[str, Any], target: Callable[..., Any], at: str = "") -> None:
    """Check `settings` against the keyword-only parameters of `target`; `at` is their key, used in messages."""
    if not isinstance(settings, Mapping):
        raise Mistake(f"{at}: {printable(repr(settings))} is not accepted; give keys and values")
    parameters = inspect.signature(target).parameters
    accepted = {name: parameter for name, parameter in parameters.items() if is_setting(parameter, target)}
    hints = types_of(target)
    for key, value in settings.items():
        if key in (TARGET, PARTIAL):
            continue
        if key not in accepted:
            raise Mistake(
                f"{_join(at, key)}: is not a setting (value {printable(repr(value))}); {nearest(_join(at, key), (_join(at, name) for name in accepted))}"
            )
        _check_value(value, hints.get(key, Any), _join(at, key))
    for name, parameter in accepted.items():
        if name not in settings and parameter.default is parameter.empty:
            raise Mistake(f"{_join(at, name)}: must be given; {getattr(target, '__name__', target)} needs it")


def is_setting(parameter: inspect.Parameter, target: Callable[..., Any]) -> bool:
    """Return True if a parameter of `target` is one of its settings."""
    if package_of(target.__module__) == LIGHTNING and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
        return True
    return parameter.kind is parameter.KEYWORD_ONLY


def types_of(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of the parameters of `target`, by name.

    A dataclass also takes the fields of its bases, whose types are resolved in the modules of the bases.
    """
    whose = target.__init__ if inspect.isclass(target) and not is_dataclass(target) else target
    try:
        return typing.get_type_hints(whose, include_extras=True)
    except NameError as error:
        raise Mistake(
            f"{target.__module__}.{target.__name__}: the type of a setting cannot be found ({error}); "
            "import it where the program runs, not only under TYPE_CHECKING"
        ) from error


def build(settings: Mapping[str, Any], *supplied: Any, or_of: OrOf | None = None) -> Any:
    """Return the object that checked settings describe, with `supplied` as positional arguments.

    `or_of` is the annotation of the type that the settings were checked for, if it has one.

    Strings are passed unchanged: Hydra's instantiate would resolve interpolations that an untrusted file contains, and
    build the result unchecked.
    """
    target = _named(settings.get(TARGET), "", or_of)
    named = {str(key): _built(value) for key, value in settings.items() if key not in (TARGET, PARTIAL)}
    return partial(target, *supplied, **named) if settings.get(PARTIAL) else target(*supplied, **named)


def _built(value: Any) -> Any:
    if _builds(value):
        return build(value)
    if isinstance(value, Mapping):
        return {key: _built(item) for key, item in value.items()}
    return [_built(item) for item in value] if isinstance(value, list) else value


def target_class(settings: Mapping[str, Any], at: str = "") -> Any:
    """Return the class that the settings build; `at` is their key, used in messages."""
    return _named(settings.get(TARGET), at)


def _check_value(value: Any, hint: Any, at: str) -> None:
    if _builds(value):
        _check_class(value, hint, at)
    elif _builds_within(value):
        for key, item in _items(value):
            _check_value(item, _hint_within(hint, type(value)), _join(at, key))
    else:
        _check_plain(value, hint, at)


def _check_class(value: Mapping[str, Any], hint: Any, at: str) -> None:
    named = printable(value[TARGET])
    accepted = {partly: _classes(hint, partly=partly) for partly in (False, True)}
    if not any(accepted.values()):
        raise Mistake(f"{at}.{TARGET}: {named} is not accepted; {at} takes plain data and builds nothing")
    wanted = accepted[bool(value.get(PARTIAL))]
    if not wanted:
        raise Mistake(
            f"{at}.{PARTIAL}: {printable(value.get(PARTIAL))} is not accepted; an option of {at}= says what is"
        )
    target = _named(value[TARGET], at, _or_of(hint))
    if not issubclass(target, wanted):
        names = " or ".join(choice.__name__ for choice in wanted)
        article = "an" if names[0] in "AEIOU" else "a"
        raise Mistake(f"{at}.{TARGET}: {named} is not {article} {names}; choose an option of {at}=")
    if inspect.isabstract(target):
        raise Mistake(f"{at}.{TARGET}: {named} is abstract; choose an option of {at}=")
    check(value, target, at)


def _builds(value: Any) -> bool:
    return isinstance(value, Mapping) and TARGET in value


def _builds_within(value: Any) -> bool:
    """Return True if `build` would find a class anywhere in this value."""
    return any(_builds(item) or _builds_within(item) for _, item in _items(value))


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


@lru_cache(maxsize=1024)
def _adapter(hint: Any, built: bool) -> TypeAdapter:
    """Return what validates values of a type, or with `built` objects of it.

    To make one takes longer than to check many values.
    """
    # pydantic refuses a config for types that have their own, such as dataclasses.
    return TypeAdapter(InstanceOf[hint]) if built else TypeAdapter(hint, config=ANY_CLASS)


def _check_plain(value: Any, hint: Any, at: str) -> None:
    try:
        _adapter(hint, _may_be_built(hint)).validate_python(value, strict=True)
    except ValidationError as error:
        reasons = dict.fromkeys(problem["msg"][:1].lower() + problem["msg"][1:] for problem in error.errors())
        raise Mistake(f"{at}: {printable(repr(value))} is not accepted; {' or '.join(reasons)}") from error


def check_trusted(path: Any, at: str) -> str:
    """Return the present name of the class that `_target_` names; raise Mistake if its package is not trusted.

    Nothing is imported; `at` is the key of the settings.
    """
    name = MOVED.get(str(path), str(path))
    if not is_trusted(name):
        package = package_of(name)
        trust = f", or trust its package: trust={printable(package)}"
        raise Mistake(_not_built(path, at) + (trust if package != name and can_be_trusted(package) else ""))
    return name


def _named(path: Any, at: str, or_of: OrOf | None = None) -> type:
    """Return the class that `_target_` names; raise Mistake if neither CapBench nor a trusted package defines it.

    With `or_of`, the name may also be that of a public class of this module of Lightning.
    """
    if or_of is not None and str(path).startswith(f"{or_of.module}."):
        return _public(str(path), at, or_of.module)
    module, _, name = check_trusted(path, at).rpartition(".")
    own = package_of(module) in ("capbench", "")
    try:
        if own and "." not in module:
            raise ImportError
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, RecursionError) as error:
        # ValueError: an empty part of the name; RecursionError: a name with a million dots.
        reason = "" if own else f" ({first_line(error)})"
        raise Mistake(_not_built(path, at) + reason) from error
    if not inspect.isclass(found) or found.__module__ != module:
        there = (
            f"; it is defined in {found.__module__}" if inspect.isclass(found) and is_trusted(found.__module__) else ""
        )
        raise Mistake(_not_built(path, at) + there)
    return found


def _public(path: str, at: str, module: str) -> type:
    """Return the class that a module of Lightning offers under this name; raise Mistake if it offers none."""
    found = importlib.import_module(module)
    classes = {f"{module}.{name}": getattr(found, name) for name in found.__all__}
    if path not in classes:
        raise Mistake(f"{_join(at, TARGET)}: {printable(path)} is not a class of Lightning; {nearest(path, classes)}")
    named: type = classes[path]
    return named


def _not_built(path: Any, at: str) -> str:
    key = _join(at, TARGET)
    return f"{key}: {printable(path)} is not a class that CapBench builds; choose an option of {at or 'conf'}="


def _options(hint: Any) -> list[Any]:
    """Return the types that a hint accepts: the parts of a union, without annotations."""
    if typing.get_origin(hint) is Annotated:
        return _options(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return [option for part in typing.get_args(hint) for option in _options(part)]
    return [hint]


def _classes(hint: Any, *, partly: bool) -> tuple[type, ...]:
    """Return the classes that a hint names and settings may build, or if `partly` those that its accepted callables return."""
    lent = _or_of(hint) is not None
    options = _options(hint)
    if partly:
        made = [typing.get_args(option)[-1] for option in options if typing.get_origin(option) is Callable]
        options = [option for result in made for option in _options(result)]
    return tuple(option for option in options if _may_be_built(option) or (lent and inspect.isclass(option)))


def _or_of(hint: Any) -> OrOf | None:
    """Return the annotation OrOf of a type, or None."""
    annotations = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    return next((annotation for annotation in annotations if isinstance(annotation, OrOf)), None)


def _may_be_built(hint: Any) -> bool:
    return inspect.isclass(hint) and is_trusted(hint.__module__)


def _hint_within(hint: Any, kind: type) -> Any:
    """Return the hint for the items of a list or a mapping; Any if the hint accepts no such container."""
    inner = [typing.get_args(option)[-1] for option in _options(hint) if typing.get_origin(option) is kind]
    return inner[0] if inner else Any


def _join(at: str, key: Any) -> str:
    return f"{at}.{printable(key)}" if at else printable(key)
