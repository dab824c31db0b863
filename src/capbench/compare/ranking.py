"""Ranking of runs: grouped over seeds, best first, named by the settings that differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any

from capbench.compare.folders import LeftOut, Run, shown
from capbench.compare.statistics import spread
from capbench.errors import Mistake, nearest
from capbench.metrics import wilson

SEEDS = ("seed", "data.seed")
AMOUNT = ("data.train_size", "data.split.train", "data.images")  # settings for the number of training images
BOOKKEEPING = ("name", "group", "tags", "trial", "cache", "logger", "trainer.progress")  # change no number
HASH = 8  # digits shown of a data hash
LESS_IS_BETTER = ("loss", "cer", "ece", "seconds", "cpu_seconds", "params", "bad")
SHARES_OF = {"test/exact": "test/images", "test/exact_nocase": "test/images", "val/exact": "data/val"}


@dataclass(frozen=True)
class Row:
    """Runs with the same values of the grouping settings, by default all settings but seeds."""

    values: tuple[str, ...]
    """Values of the settings that distinguish the rows, in the order of the keys."""
    runs: list[Run]
    mean: float | None
    spread: float | None
    interval: tuple[float, float] | None
    """95 % interval of the mean, if it is a share: for one run's number of test images, without spread over seeds."""
    given_up: bool = False
    """True if a search pruned these runs; they rank behind all complete ones."""

    @property
    def marks(self) -> list[str]:
        """Remarks on any of the runs."""
        return list(dict.fromkeys(mark for run in self.runs for mark in run.marks))

    def average(self, key: str) -> float | None:
        """Return the mean of a number over the row's runs, or None."""
        return average(self.runs, key)


def average(runs: Iterable[Run], key: str) -> float | None:
    """Return the mean of a number over the runs that have it, or None if none has it."""
    known = [value for run in runs if (value := run.number(key)) is not None]
    return fmean(known) if known else None


def chosen(runs: Sequence[Run], where: Mapping[str, Any] | None) -> list[Run]:
    """Return the runs whose settings match: equal to the wanted value, or to one in a list."""
    if not where:
        return list(runs)
    _check_keys(runs, where, "where")
    wanted = {
        key: {shown(value).lower() for value in (values if isinstance(values, list) else [values])}
        for key, values in where.items()
    }
    found = [run for run in runs if all(shown(run.value(key)).lower() in wanted[key] for key in wanted)]
    if not found:
        key = next(iter(where))
        there = sorted({shown(run.value(key)) for run in runs})[:12]
        raise Mistake(f"where: matches none of the {len(runs)} runs; their {key} is {', '.join(there)}")
    return found


def keys(runs: Sequence[Run], group: str | list[str] | None) -> list[str]:
    """Return the settings that distinguish rows: those asked for, or all that differ and are no seeds."""
    if group is None:
        return [key for key in differing(runs) if key not in SEEDS and not _is_bookkeeping(key)]
    wanted = [group] if isinstance(group, str) else group
    _check_keys(runs, wanted, "group")
    return wanted


@cache
def _is_bookkeeping(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in BOOKKEEPING)


def with_content(runs: Sequence[Run]) -> list[Run]:
    """Return the runs, with a setting that identifies the data where equal settings had different data.

    A labelled folder that has grown is an example. The added setting is `data.images`, the number of training images,
    or where this number is equal too, `data.hash`. Runs that differ in `data.seed` are not compared, since their
    rendered images are meant to differ.
    """
    groups: dict[frozenset[tuple[str, Any]], list[Run]] = defaultdict(list)
    for run in runs:
        groups[_trained_by(run, but="seed")].append(run)
    found: dict[int, dict[str, Any]] = {}
    for same in groups.values():
        hashes: dict[float | None, set[str]] = defaultdict(set)
        for run in same:
            hashes[run.number("data/train")].add(shown(run.result.get("data/hash")))
        for run in same:
            images = run.number("data/train")
            found[id(run)] = {
                **({"data.images": images} if len(hashes) > 1 else {}),
                **({"data.hash": shown(run.result.get("data/hash"))[:HASH]} if len(hashes[images]) > 1 else {}),
            }
    return [replace(run, settings={**run.settings, **found[id(run)]}) if found[id(run)] else run for run in runs]


def _trained_by(run: Run, but: str = "") -> frozenset[tuple[str, Any]]:
    """Return every setting that can change a number, except `but`."""
    return frozenset(item for item in run.settings.items() if item[0] != but and not _is_bookkeeping(item[0]))


def once(runs: Sequence[Run]) -> tuple[list[Run], list[LeftOut]]:
    """Return the runs without repeats, and the repeats as left out.

    Of runs with the same settings, seeds and data the latest is kept, as the others add no evidence. The runs must have
    passed through `with_content`.
    """
    gathered: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        gathered[_trained_by(run), run.given_up].append(run)
    latest = {id(max(same, key=_finished)): same for same in gathered.values()}
    kept = [run for run in runs if id(run) in latest]
    repeats = [
        LeftOut(run.name, f"has the same settings, seed and data as {one.name}, which is newer")
        for one in kept
        for run in latest[id(one)]
        if run is not one
    ]
    return kept, repeats


def _finished(run: Run) -> tuple[float, str]:
    return run.folder.result.stat().st_mtime, run.name


def differing(runs: Sequence[Run]) -> list[str]:
    """Return the settings with several values.

    A setting of a component (model.k) is compared among runs with the same component (model).
    """
    known = list(dict.fromkeys(key for run in runs for key in run.settings))
    parts = {key: _part_of(key, set(known)) for key in known}
    seen: dict[tuple[str, Any], set[Any]] = defaultdict(set)
    for run in runs:
        for key, value in run.settings.items():
            seen[key, run.settings.get(parts[key])].add(value)
    several = {key for (key, _), values in seen.items() if len(values) > 1}
    return [key for key in known if key in several]


def _part_of(key: str, known: set[str]) -> str:
    while "." in key:
        key = key.rpartition(".")[0]
        if key in known:
            return key
    return ""


def rows(runs: Sequence[Run], keys: Sequence[str], by: str) -> list[Row]:
    """Return the rows, best first; rows without the number to rank by come last, pruned runs after all others."""
    numbers = {key for run in runs for key in run.result if run.number(key) is not None}
    if by not in numbers:
        raise Mistake(f"by: {by} is not a number that these runs have; {nearest(by, numbers)}")
    gathered: dict[tuple[tuple[str, ...], bool], list[Run]] = defaultdict(list)
    for run in runs:
        gathered[tuple(shown(run.value(key)) for key in keys), run.given_up].append(run)
    made = [_row(values, members, by, given_up) for (values, given_up), members in gathered.items()]
    sign = 1 if less_is_better(by) else -1
    return sorted(made, key=lambda row: (row.given_up, row.mean is None, sign * (row.mean or 0), row.runs[0].name))


def less_is_better(by: str) -> bool:
    """Return True if a lower value of this number ranks higher."""
    return by.rpartition("/")[2] in LESS_IS_BETTER


def _row(values: tuple[str, ...], runs: list[Run], by: str, given_up: bool) -> Row:
    measured = [value for run in runs if (value := run.number(by)) is not None]
    if not measured:
        return Row(values, runs, None, None, None, given_up)
    mean = fmean(measured)
    counts = [count for run in runs if (count := run.number(SHARES_OF.get(by, ""))) is not None]
    is_share = bool(counts) and min(counts) >= 1 and 0 <= mean <= 1
    interval = wilson(mean * min(counts), min(counts)) if is_share else None
    return Row(values, runs, mean, spread(measured), interval, given_up)


def _check_keys(runs: Sequence[Run], wanted: Iterable[str], at: str) -> None:
    known = {key for run in runs for key in (*run.settings, *run.result)}
    for key in wanted:
        if key not in known:
            raise Mistake(f"{at}: {key} is not a setting that these runs have; {nearest(key, known)}")
