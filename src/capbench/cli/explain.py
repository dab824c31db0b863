"""Hydra's errors, each as one line that names the setting, what is wrong and what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException, OverrideParseException, SearchPathException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from capbench.errors import nearest
from capbench.settings import conf_dir
from capbench.utils.overrides import for_shell


def explain(error: BaseException, config_name: str, overrides: list[str]) -> str:
    """Return one line about an error that Hydra raised for `conf/<config_name>.yaml` with these overrides."""
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, wrong = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={wrong}: is not an option; {nearest(wrong, error.options)}"
    if isinstance(error, MissingConfigException | SearchPathException):
        return _text(error)
    typed = OverridesParser.create().parse_overrides(overrides)
    refused = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(refused, ConfigKeyError | ConfigAttributeError) and refused.full_key:
        below = (key for key in map(_key, typed) if f"{key}.".startswith(f"{refused.full_key}."))
        return _unknown(next(below, refused.full_key), config_name, typed)
    if isinstance(refused, OmegaConfBaseException) and refused.full_key:
        return f"{refused.full_key}: {_text(refused)}"
    return _refused(_text(error), config_name, typed)


def _text(error: BaseException) -> str:
    """Return the error's message as one line, without the details that Hydra and OmegaConf put below it."""
    message = str(error).partition("\nConfig search path:")[0].partition("\n    full_key:")[0]
    return " ".join(message.split())


def _unreadable(error: OverrideParseException) -> str:
    """Return a message about an override that Hydra's grammar rejects."""
    key, equals, value = error.override.partition("=")
    right = f"if it is text, write {for_shell(key, value)}" if equals else "write key=value"
    # The message of the error itself repeats the override and adds a web address.
    return f"{error.override}: cannot be read ({_text(error.__cause__ or error.__context__ or error)}); {right}"


def _refused(message: str, config_name: str, typed: list[Override]) -> str:
    """Return a message about the typed override that Hydra's message quotes; Hydra's message if it quotes none.

    The error that Hydra raises where it refuses to add, delete or choose has no attribute that names the key.
    """
    for override in typed:
        key = _key(override)
        if not any(quoted in message for quoted in (f"'{key}'", f"'{key}=", f" for {key}.")):
            continue
        if override.is_add():
            return f"{key}: is a setting already; drop the + before it"
        if override.is_sweep_override():
            right = f"add -m to run each, or write {for_shell(key, _value(override))} if it is one text"
            return f"{override.input_line}: has several values; {right}"
        if key not in _known(config_name):
            return _unknown(key, config_name, typed)
    return message


def _unknown(key: str, config_name: str, typed: list[Override]) -> str:
    """Return a message about a key that is not a setting."""
    value = next((f" (value {_value(override)!r})" for override in typed if _key(override) == key), "")
    alike = [name for name in _known(config_name) if name.startswith("hydra") == key.startswith("hydra")]
    return f"{key}: is not a setting{value}; {nearest(key, alike)}"


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _value(override: Override) -> str:
    return str(override.input_line).partition("=")[2]


def _known(config_name: str) -> list[str]:
    """Return the groups and the keys of the configuration without overrides."""
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = hydra.compose(config_name, return_hydra_config=True)
    settings: Any = OmegaConf.to_container(config)
    return [*config.hydra.runtime.choices, *_keys(settings), "trust"]


def _keys(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
