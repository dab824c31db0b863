"""Files that CapBench wrote, and that a stranger may have changed since: read within bounds, as plain data.

Only regular files are read, since a pipe or a device may never end; no more of them than CapBench writes; and of YAML
and JSON only what nests as settings do and unfolds to no more than its text.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from capbench.errors import Mistake

MOST_BYTES = 1 << 20  # of a config.yaml or a result.json
MOST_VALUES = 5_000  # in settings or results; ten times those of the largest run of CapBench's own
MOST_HEADING = 4 << 20  # of what a file of safetensors says of its tensors; of our largest recogniser it is 22 KB
MOST_SIGNS = 64  # of a number
DEEPEST = 32  # lists and mappings within one another
TOO_DEEP = f"lists and mappings lie more than {DEEPEST} deep within one another"
TOO_MANY = f"it holds over {MOST_VALUES:,} values, more than any that CapBench writes"
NOT_REGULAR = "is no regular file"
KINDS = ("null", "bool", "int", "float", "str", "seq", "map", "merge")


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file to read, or OSError at once: nobody is waited for who may write into a pipe."""
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - whoever asked for it closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    return file


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """What a regular file of at most so many bytes holds."""
    try:
        with opened(path) as file:
            found = file.read(most + 1)
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        raise Mistake(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from error
    if len(found) > most:
        raise Mistake(f"{path} has over {most:,} bytes, more than any that CapBench writes")
    return found


def text(path: Path, most: int = MOST_BYTES) -> str:
    """The text of a regular file of at most so many bytes."""
    try:
        return content(path, most).decode()
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is no text in UTF-8 ({error})") from error


def check_heading(path: Path) -> None:
    """Refuse a file of safetensors that tells of more tensors than any that CapBench writes: each takes memory."""
    with open(path, "rb", opener=_at_once) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADING:
        raise Mistake(
            f"{path}: is no file of safetensors that CapBench writes: its heading has {length:,} bytes, "
            f"at most {MOST_HEADING:,} are taken"
        )


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for whoever writes into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def from_yaml(text: str) -> Any:
    """The data in a text of YAML, or ValueError."""
    check_values(text)
    try:
        _check_events(yaml.parse(text, _Loader))
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, KeyError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def check_values(text: str) -> None:
    """Refuse a text of YAML that separates more values than settings have, before it takes the time to parse it."""
    if text.count("\n") + text.count(",") > MOST_VALUES:
        raise ValueError(TOO_MANY)


def _check_events(events: Iterable[Any]) -> None:
    """Refuse what unfolds to more than any memory holds, and what libyaml would overflow its stack with."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it holds an alias, which CapBench never writes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(TOO_DEEP)


def from_json(text: str) -> Any:
    """The data in a text of JSON, or ValueError."""
    try:
        data = json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if isinstance(data, dict | list) and _size(data) > MOST_VALUES:
        raise ValueError(TOO_MANY)
    return data


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is ten times as fast
    """Plain kinds of values and no others."""


def _number(loader: Any, node: Any) -> Any:
    if len(node.value) > MOST_SIGNS:
        raise ValueError(f"a number of {len(node.value):,} signs")
    return SAFE[node.tag](loader, node)


def _whole(digits: str) -> int:
    if len(digits) > MOST_SIGNS:
        raise ValueError(f"a number of {len(digits):,} signs")
    return int(digits)


SAFE = yaml.SafeLoader.yaml_constructors
_Loader.yaml_constructors = {
    **{tag: build for tag, build in SAFE.items() if tag is None or tag.rpartition(":")[2] in KINDS},
    **{f"tag:yaml.org,2002:{kind}": _number for kind in ("int", "float")},
}


def _size(data: Any, left: int = DEEPEST) -> int:
    """How many values lie in lists and mappings within one another, not too deep."""
    if not left:
        raise ValueError(TOO_DEEP)
    items = data.values() if isinstance(data, dict) else data
    return len(data) + sum(_size(item, left - 1) for item in items if isinstance(item, dict | list))
