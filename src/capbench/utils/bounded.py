"""Reading of untrusted files of a run or an export within limits on size and depth, as plain data.

Only regular files are read, since a pipe or a device may never end, and at most as many bytes as CapBench itself
writes. YAML and JSON are refused where they hold aliases, too many values, or too deep a nesting.
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
TOO_DEEP = f"lists and mappings are nested more than {DEEPEST} deep"
TOO_MANY = f"it holds over {MOST_VALUES:,} values, more than any that CapBench writes"
NOT_REGULAR = "is not a regular file"
KINDS = ("null", "bool", "int", "float", "str", "seq", "map", "merge")


class TooLarge(ValueError):
    """Reason why a file is not read."""


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read; raise OSError for any other, without waiting for the writer of a pipe."""
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    return file


def read(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the bytes of a regular file; raise OSError if it cannot be read, TooLarge if it has over `most` bytes."""
    with opened(path) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise TooLarge(f"it has over {most:,} bytes, the most that are accepted")
    return found


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file; raise Mistake where it cannot be read or has more than `most` bytes."""
    try:
        return read(path, most)
    except TooLarge as error:
        raise Mistake(f"{path} has over {most:,} bytes, more than any that CapBench writes") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise Mistake(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from error


def text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a regular file of at most `most` bytes; raise Mistake where it is unreadable or not UTF-8."""
    try:
        return content(path, most).decode()
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not UTF-8 text ({error})") from error


def check_heading(path: Path) -> None:
    """Refuse a file of safetensors that tells of more tensors than any that CapBench writes: each takes memory."""
    with open(path, "rb", opener=_at_once) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADING:
        raise Mistake(
            f"{path}: is not a safetensors file that CapBench writes: its heading has {length:,} bytes, "
            f"at most {MOST_HEADING:,} are taken"
        )


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def from_yaml(text: str) -> Any:
    """Return the data of a YAML text; raise ValueError where it is invalid or exceeds the limits."""
    check_values(text)
    try:
        _check_events(yaml.parse(text, _Loader))
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, KeyError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def check_values(text: str) -> None:
    """Raise ValueError where a YAML text has over MOST_VALUES separators, before the slow parsing of it."""
    if text.count("\n") + text.count(",") > MOST_VALUES:
        raise ValueError(TOO_MANY)


def _check_events(events: Iterable[Any]) -> None:
    """Raise ValueError on aliases, which can expand to any size, and on nesting that would overflow libyaml's stack."""
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
    """Return the data of a JSON text; raise ValueError where it is invalid or exceeds the limits."""
    try:
        data = json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if isinstance(data, dict | list) and _size(data) > MOST_VALUES:
        raise ValueError(TOO_MANY)
    return data


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is ten times as fast
    """YAML loader of plain values only."""


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
    """Return the number of values in nested lists and mappings; raise ValueError where they are nested too deep."""
    if not left:
        raise ValueError(TOO_DEEP)
    items = data.values() if isinstance(data, dict) else data
    return len(data) + sum(_size(item, left - 1) for item in items if isinstance(item, dict | list))
