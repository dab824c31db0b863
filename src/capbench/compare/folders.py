"""Fast reading of thousands of run folders, with a reason for each folder that is left out."""

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
from capbench.runs import MOST_BYTES_OF_TABLES, RunFolder
from capbench.settings import LIGHTNING, TARGET, check_trusted
from capbench.utils import bounded

INSIDE = {"checkpoints", "pictures", "wandb", "csv", "folds", "labels", "evaluations"}  # of a run; hold no runs
SECTION = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)

MOST = 1 << 63  # bound on numbers; numpy holds no greater integers
Settings = dict[str, Any]
Pictures = Literal["rendered", "all"]
"""Captchas that a page shows: rendered ones only, or all.

The default is "rendered": a third party's run may name any folder as its source, and pages are shared.
"""


@dataclass(frozen=True)
class Run:
    """Finished training: its settings by dotted keys, and its result."""

    folder: RunFolder
    name: str
    settings: Settings
    result: dict[str, Any]

    def number(self, key: str) -> float | None:
        """Return a number from the result, or None if there is none under this key."""
        value = self.result.get(key)
        return value if _is_number(value) else None

    def value(self, key: str) -> Any:
        """Return a setting, or if there is none, a value of the result."""
        return self.settings[key] if key in self.settings else self.result.get(key)

    @property
    def given_up(self) -> bool:
        """True if a search pruned the run, so that its numbers are those of an incomplete training."""
        return self.result.get("pruned") is not None

    @property
    def is_searched_on_test(self) -> bool:
        """True if a search without validation images, which compares trials by their test accuracy, began the run."""
        return self.number("trial") is not None and self.number("val/exact") is None

    @property
    def marks(self) -> list[str]:
        """Remarks on the run: given up by a search, or test images that it was trained on or that had a say in a choice.

        The choice is that of its best epoch, or of the settings by a search; a record holds no other.
        """
        found = {
            "given up": self.given_up,
            "trained on test": self.number("test/taught"),
            "chosen on test": self.is_searched_on_test or self.number("test/validated"),
        }
        return [mark for mark, there in found.items() if there]

    @cached_property
    def origin(self) -> tuple[Any, ...]:
        """Settings that decide the rendered test images; empty for images from files, known by name and text only."""
        if self.settings.get("data") != "Synthetic":
            return ()
        drawn_by = ("data.renderer", "data.length", "data.seed", "alphabet.symbols")
        return tuple(item for item in self.settings.items() if item[0] in drawn_by or item[0].startswith("style"))


class LeftOut(NamedTuple):
    """Folder that is left out of a comparison, with the reason."""

    name: str
    reason: str


def read(root: Path) -> tuple[list[Run], list[LeftOut]]:
    """Return every run below `root` sorted by path, and the folders that look like runs but cannot be read."""
    if not root.is_dir():
        raise Mistake(f"runs: {root} is not a folder; give one that contains run folders, such as runs")
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
    """Yield folders that contain config.yaml or result.json."""
    for path, folders, files in os.walk(root):
        is_one = "config.yaml" in files or "result.json" in files
        folders[:] = sorted(folder for folder in folders if folder[0] != "." and not (is_one and folder in INSIDE))
        if is_one:
            yield Path(path)


def _read_run(folder: RunFolder, name: str) -> Run:
    if not folder.result.exists():
        raise Mistake(f"is unfinished, as it has no result.json; continue it with resume={folder.path}")
    if not folder.config.exists():
        raise Mistake("has no config.yaml")
    try:
        result = bounded.from_json(folder.content(folder.result))
    except ValueError as error:
        raise Mistake(f"result.json is not valid JSON ({error})") from error
    if not isinstance(result, dict):
        raise Mistake("result.json has no results")
    settings = settings_of(folder.content(folder.config))
    for table in (folder.predictions, folder.metrics):
        folder.check_own(table, MOST_BYTES_OF_TABLES)
    if "run" in result and "model" not in settings:
        raise Mistake(f"is an evaluation of {result['run']}, not a training")
    exact, images = result.get("test/exact"), result.get("test/images")
    if not _is_number(exact) or not 0 <= exact <= 1:
        raise Mistake(f"result.json: test/exact is {exact!r}, which is not a number from 0 to 1")
    if not isinstance(images, int) or images < 1:
        raise Mistake(f"result.json: test/images is {images!r}, which is not a positive whole number")
    return Run(folder, name, settings, result)


def settings_of(text: str) -> Settings:
    """Return the settings of a config.yaml by dotted keys.

    Runs of one study share most settings, so the text is parsed in sections, and each distinct section once.
    """
    try:
        bounded.check_values(text)
    except ValueError as error:
        raise Mistake(f"config.yaml has no valid settings ({error})") from error
    sections = [section for section in SECTION.split(text) if section.strip()]
    settings = {key: value for section in sections for key, value in _section(section)}
    if not settings:
        raise Mistake("config.yaml has no settings")
    return settings


@cache
def _section(text: str) -> tuple[tuple[str, Any], ...]:
    try:
        parsed = bounded.from_yaml(text)
    except ValueError as error:
        raise Mistake(f"config.yaml is not valid YAML ({error})") from error
    if parsed is None:
        return ()
    if not isinstance(parsed, dict):
        raise Mistake("config.yaml has no settings")
    # A rendered source contains the style and the alphabet; a source of files needs no style.
    return tuple(
        (key.removeprefix("data.") if key.startswith("data.style") else key, value)
        for key, value in _flat(parsed, "")
        if not key.startswith(("style", "data.alphabet"))
    )


def forget() -> None:
    """Clear the cache of parsed sections, as in a new process."""
    _section.cache_clear()


def _flat(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and plain values as overrides name them; an object yields its class under its own key first."""
    if isinstance(node, dict):
        if TARGET in node:
            yield at, _class_name(node[TARGET], at)
        for key, value in node.items():
            if key != TARGET:
                yield from _flat(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for number, item in enumerate(node):
            yield from _flat(item, f"{at}.{number}")
    else:
        yield at, json.dumps(node, ensure_ascii=False, default=str) if isinstance(node, list) else node


def _class_name(path: Any, at: str) -> str:
    """Return the name of a class without its module; raise Mistake if a run may not name the class."""
    lightnings = at.startswith("callbacks.") and str(path).startswith(f"{LIGHTNING}.")
    return (str(path) if lightnings else check_trusted(path, at)).rpartition(".")[2]


def shown(value: Any) -> str:
    """Return a setting as written on the command line, with unprintable characters replaced."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value)
    return text if text.isprintable() else "".join(symbol if symbol.isprintable() else "�" for symbol in text)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST
