"""Fast reading of thousands of run folders, with the reason for each that is left out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

from capbench.errors import Mistake
from capbench.moved import MOVED
from capbench.runs import MOST_BYTES_OF_TABLES, RunFolder
from capbench.settings import TARGET
from capbench.utils import bounded

INSIDE = {"checkpoints", "pictures", "wandb", "csv", "folds", "labels", "evaluations"}  # of a run, and no runs
SECTION = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)

MOST = 1 << 63  # of a number; numpy takes no greater whole ones
Settings = dict[str, Any]
Pictures = Literal["rendered", "all"]
"""Which captchas a page shows: a stranger's run may name any folder as its source, and pages are shared."""


@dataclass(frozen=True)
class Run:
    """A finished training: its settings by dotted keys, and its result."""

    folder: RunFolder
    name: str
    settings: Settings
    result: dict[str, Any]

    def number(self, key: str) -> float | None:
        """A measured number, or None where there is none."""
        value = self.result.get(key)
        return value if _is_number(value) else None

    def value(self, key: str) -> Any:
        """A setting, or else a part of the result."""
        return self.settings[key] if key in self.settings else self.result.get(key)

    @property
    def given_up(self) -> bool:
        """Whether a search stopped it early, because the others did better: its numbers are those of half a training."""
        return self.result.get("pruned") is not None

    @cached_property
    def origin(self) -> tuple[Any, ...]:
        """What its test images are drawn by; images from files are known by their names and texts alone."""
        if self.settings.get("data") != "Synthetic":
            return ()
        drawn_by = ("data.renderer", "data.length", "data.seed", "alphabet.symbols")
        return tuple(item for item in self.settings.items() if item[0] in drawn_by or item[0].startswith("style"))


class LeftOut(NamedTuple):
    name: str
    reason: str


def read(root: Path) -> tuple[list[Run], list[LeftOut]]:
    """Every run below `root`, in the order of their names, and what else looks like one."""
    if not root.is_dir():
        raise Mistake(f"runs: {root} is no folder; give one that holds run folders, such as runs")
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    for path in _candidates(root):
        name = shown(path.relative_to(root).as_posix() if path != root else path.absolute().name)
        try:
            runs.append(_read_run(RunFolder(path), name))
        except (Mistake, OSError) as error:
            left_out.append(LeftOut(name, shown(error)))
    return runs, left_out


def _candidates(root: Path) -> Iterator[Path]:
    """Folders that have a config.yaml or a result.json."""
    for path, folders, files in os.walk(root):
        is_one = "config.yaml" in files or "result.json" in files
        folders[:] = sorted(folder for folder in folders if folder[0] != "." and not (is_one and folder in INSIDE))
        if is_one:
            yield Path(path)


def _read_run(folder: RunFolder, name: str) -> Run:
    if not folder.result.exists():
        raise Mistake(f"is unfinished, it has no result.json; go on with resume={folder.path}")
    if not folder.config.exists():
        raise Mistake("has no config.yaml")
    try:
        result = bounded.from_json(folder.content(folder.result))
    except ValueError as error:
        raise Mistake(f"result.json is no JSON ({error})") from error
    if not isinstance(result, dict):
        raise Mistake("result.json holds no results")
    settings = settings_of(folder.content(folder.config))
    for table in (folder.predictions, folder.metrics):
        folder.check_own(table, MOST_BYTES_OF_TABLES)
    if "run" in result and "model" not in settings:
        raise Mistake(f"is an evaluation of {result['run']}, no training")
    exact, images = result.get("test/exact"), result.get("test/images")
    if not _is_number(exact) or not 0 <= exact <= 1:
        raise Mistake(f"result.json: test/exact is {exact!r}, which is no share from 0 to 1")
    if not isinstance(images, int) or images < 1:
        raise Mistake(f"result.json: test/images is {images!r}, which is no count")
    return Run(folder, name, settings, result)


def settings_of(text: str) -> Settings:
    """The settings of a config.yaml by dotted keys.

    Runs of one study share most of their settings, so the text is parsed section by section, each of them once.
    """
    try:
        bounded.check_values(text)
    except ValueError as error:
        raise Mistake(f"config.yaml is no settings' ({error})") from error
    sections = [section for section in SECTION.split(text) if section.strip()]
    settings = {key: value for section in sections for key, value in _section(section)}
    if not settings:
        raise Mistake("config.yaml holds no settings")
    return settings


@cache
def _section(text: str) -> tuple[tuple[str, Any], ...]:
    try:
        parsed = bounded.from_yaml(text)
    except ValueError as error:
        raise Mistake(f"config.yaml is no YAML ({error})") from error
    if parsed is None:
        return ()
    if not isinstance(parsed, dict):
        raise Mistake("config.yaml holds no settings")
    # A rendered source repeats the style and the alphabet; a source of files has no use for a style.
    return tuple(
        (key.removeprefix("data.") if key.startswith("data.style") else key, value)
        for key, value in _flat(parsed, "")
        if not key.startswith(("style", "data.alphabet"))
    )


def forget() -> None:
    """Parse every section anew, as a new process does."""
    _section.cache_clear()


def _flat(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys and plain values, as overrides name them; what is built stands under its own key by its class."""
    if isinstance(node, dict):
        if TARGET in node:
            name = str(node[TARGET])
            yield at, MOVED.get(name, name).rpartition(".")[2]
        for key, value in node.items():
            if key != TARGET:
                yield from _flat(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for number, item in enumerate(node):
            yield from _flat(item, f"{at}.{number}")
    else:
        yield at, json.dumps(node, ensure_ascii=False, default=str) if isinstance(node, list) else node


def shown(value: Any) -> str:
    """A setting as it is written on the command line; what a screen or a file cannot show is replaced."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value)
    return text if text.isprintable() else "".join(symbol if symbol.isprintable() else "�" for symbol in text)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST
