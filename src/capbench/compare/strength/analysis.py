"""Strength of a captcha: images that each recogniser needs, hardest symbols, effect of each style ingredient."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from statistics import fmean
from typing import Any, NamedTuple

from capbench import metrics
from capbench.compare import ranking, readings
from capbench.compare.folders import Run, shown
from capbench.compare.learning import TARGETS, Learned, Reached, labelled, tests
from capbench.compare.statistics import Factor, common_slope, factor, log_odds
from capbench.errors import Mistake
from capbench.metrics import wilson
from capbench.runs import MOST_BYTES_OF_TABLES

WITHOUT = "style.without"
LOOK = ("data", "style", "alphabet")
NO_LOOK = (*ranking.AMOUNT, *ranking.SEEDS, WITHOUT, "data.fresh", "data.split")
MOST = 1000  # factor of images; a larger one is shown as "over"
NEXT_TO_NOTHING = 1.5  # factor of images; an ingredient whose factor is surely below it is of no use
TELLING = (0.02, 0.98)  # accuracies; a pair of runs that are both below or both above says nothing about an ingredient
CONFUSED = 3  # wrong symbols shown for each symbol, most frequent first

PEOPLE = {
    "rotation": "strong rotation turns 6 into 9 and N into Z",
    "warp": "strong warp makes similar letters look the same",
    "overlap": "characters that run into each other are hard to count",
    "placement": "hardly noticed",
    "lines": "a line can hide or imitate a stroke: 1 and 7, C and O",
    "dots": "dots hide thin strokes and tire the eye",
    "contrast": "people with poor eyesight cannot read low contrast",
    "fonts": "hardly noticed while every font is plain",
}
"""Cost to people by ingredient: rules of thumb, to be checked against the pictures."""


class Epoch(NamedTuple):
    """Epoch of a training: CPU seconds up to its end, and the accuracy on validation then, with its 95 % interval."""

    seconds: float
    exact: float
    low: float
    high: float


@dataclass(frozen=True)
class Variant(Learned):
    """Runs of one recogniser on the captcha, or on the captcha without one ingredient."""

    def seconds(self, target: float) -> Reached | None:
        """Return the CPU seconds until the first epoch with this accuracy on validation; None without validation."""
        trainings = [training for run in self.runs if (training := _training(run))]
        if not trainings:
            return None
        epochs = [epoch for training in trainings for epoch in training]
        at, early, late = (
            min((epoch.seconds for epoch in epochs if share(epoch) >= target), default=None)
            for share in (lambda epoch: epoch.exact, lambda epoch: epoch.high, lambda epoch: epoch.low)
        )
        if at is None:
            return Reached("not within", max(epoch.seconds for epoch in epochs))
        return Reached("measured", at, early, late)


def _training(run: Run) -> list[Epoch]:
    """Return the run's epochs; empty if there was no validation or its metrics.csv cannot be read."""
    count = run.number("data/val")
    try:
        content = run.folder.content(run.folder.metrics, MOST_BYTES_OF_TABLES)
        table = csv.DictReader(io.StringIO(content, newline=""))
        rows = [(float(row["cpu_seconds"]), float(row["val/exact"])) for row in table]
    except (OSError, KeyError, TypeError, ValueError, csv.Error, Mistake):
        return []
    if count is None or count < 1 or not all(0 <= share <= 1 for _, share in rows):
        return []
    return [Epoch(seconds, share, *wilson(share * count, count)) for seconds, share in rows]


@dataclass(frozen=True)
class Recogniser:
    """Recogniser on one captcha: its runs on the whole captcha, and on the captcha without each ingredient."""

    name: str
    whole: Variant
    without: dict[str, Variant]
    """Runs by the ingredient that was left out."""

    @property
    def strength(self) -> tuple[float, ...]:
        """Sort key, lowest for the strongest: images needed, for the hardest target first, then the best accuracy."""
        needs = [self.whole.images(target) for target in reversed(TARGETS)]
        return (*(need.amount if need.there else math.inf for need in needs), -self.whole.best)

    def bought(self, ingredient: str) -> Bought | None:
        """Return the effect of an ingredient, from pairs of runs that differ in nothing else; None without pairs."""
        if ingredient not in self.without:
            return None
        theirs = {_paired_by(run): run for run in self.without[ingredient].runs}
        pairs = [(run, theirs[key]) for run in self.whole.runs if (key := _paired_by(run)) in theirs]
        if not pairs:
            return None
        if all(_hash(run) is not None and _hash(run) == _hash(other) for run, other in pairs):
            return Bought(None, 0.0, 0, absent=True)
        points = fmean(run.result["test/exact"] - other.result["test/exact"] for run, other in pairs)
        telling = [pair for pair in pairs if _telling(*(run.result["test/exact"] for run in pair))]
        sides = [list(side) for side in zip(*telling, strict=True)]
        odds = [log_odds(*tests(side)).tolist() for side in sides]
        images = [[labelled(run) for run in side] for side in sides]
        slope = common_slope(list(zip(images, odds, strict=True)))
        gains = [without - whole for whole, without in zip(*odds, strict=True)] if odds else []
        return Bought(None if slope is None else factor(gains, slope), points, len(telling), absent=False)


def _paired_by(run: Run) -> tuple[Any, ...]:
    return (labelled(run), *(run.settings.get(key) for key in ranking.SEEDS))


def _hash(run: Run) -> Any:
    return run.result.get("data/hash")


def _telling(first: float, second: float) -> bool:
    return max(first, second) > TELLING[0] and min(first, second) < TELLING[1]


@dataclass(frozen=True)
class Bought:
    """Effect of an ingredient on a recogniser: the factor of labelled images needed, and the change of accuracy."""

    images: Factor | None
    points: float
    """Mean change of accuracy (a fraction) over all pairs of runs; negative if the ingredient makes reading harder."""
    pairs: int
    absent: bool
    """True if the captcha does not use the ingredient, so that the images without it are the same."""

    @property
    def is_useless(self) -> bool:
        """True if the ingredient surely hardly raises the number of images that are needed, or lowers it."""
        return (
            self.images is not None
            and not self.absent
            and self.images.at_least <= 1
            and self.images.at_most < NEXT_TO_NOTHING
        )

    @property
    def verdict(self) -> str:
        """Conclusion about the ingredient, as text."""
        if self.absent:
            return "the style does not use it"
        if self.images is None:
            return "unknown: too few runs with and without it"
        if self.images.at_most < 1:
            return "makes reading easier for machines: leave it out"
        if self.images.at_least > 1:
            return "makes reading harder for machines"
        if self.is_useless:
            return "does not stop machines: leave it out, for people's sake"
        return "no significant effect; more runs may show one"

    def __str__(self) -> str:
        if self.images is None:
            return "–"
        if self.images.at_least > MOST:
            return f"over ×{MOST:,}"
        value, low, high = (f"over {MOST:,}" if n > MOST else f"{float(f'{n:.2g}'):g}" for n in self.images)
        return f"×{value} ({low} to {high})"


class Symbol(NamedTuple):
    """Accuracy of the readings of one symbol."""

    symbol: str
    shares: list[float]
    """Shares read right: by the strongest recogniser for each number of labelled images, then by the other ones.

    Each of the others is measured with its largest number of labelled images.
    """
    interval: tuple[float, float]
    """95 % interval of the share that the strongest recogniser reads with the most images."""
    read_as: list[tuple[str, int]]
    is_hard: bool
    """True if the symbol is read significantly worse than the average symbol."""


@dataclass(frozen=True)
class Captcha:
    """Captcha with one look, and the recognisers trained on it, strongest first."""

    name: str
    recognisers: list[Recogniser]

    @property
    def strongest(self) -> Recogniser:
        """Recogniser that needs the fewest images."""
        return self.recognisers[0]

    @cached_property
    def ingredients(self) -> list[tuple[str, dict[str, Bought]]]:
        """Effects of each ingredient by recogniser; that with the largest effect on the strongest one comes first."""
        names = list(dict.fromkeys(name for recogniser in self.recognisers for name in recogniser.without))
        rows = [
            (name, {r.name: bought for r in self.recognisers if (bought := r.bought(name)) is not None})
            for name in names
        ]
        return sorted(((name, bought) for name, bought in rows if bought), key=self._order)

    def _order(self, row: tuple[str, dict[str, Bought]]) -> tuple[bool, float]:
        bought = row[1].get(self.strongest.name)
        return (bought is None or bought.absent, -(bought.images.value if bought and bought.images else 0))

    @cached_property
    def symbols(self) -> list[Symbol]:
        """Symbols, the hardest first; empty if no predictions are stored."""
        first, *others = self.recognisers
        columns = [_pairs(_with(first.whole, point.images)) for point in first.whole.points]
        most, runs = columns[-1], len(_with(first.whole, first.whole.most))
        columns += [_pairs(_with(other.whole, other.whole.most)) for other in others]
        on_the_whole = _share(most, "".join({true for true, _ in most}))
        found = []
        for symbol in sorted({true for true, _ in most if true}):
            right, count = most[symbol, symbol], sum(n for (true, _), n in most.items() if true == symbol)
            wrong = Counter({read: n for (true, read), n in most.items() if true == symbol and read != symbol})
            interval = wilson(right / runs, count / runs)  # several seeds read the same images
            read_as = wrong.most_common(CONFUSED)
            shares = [_share(pairs, symbol) for pairs in columns]
            found.append(Symbol(symbol, shares, interval, read_as, interval[1] < on_the_whole))
        return sorted(found, key=lambda one: fmean(one.shares[: len(first.whole.points)]))

    def _reached(self, half: Reached, most: Reached) -> str:
        name = self.strongest.name
        if half.how == "cannot be told":
            return (
                f"No recogniser reads half of its texts yet: {name} is the best, and how many images it needs {half}."
            )
        if not half.there:
            return f"No recogniser reads half of its texts: {name}, the best, {half} labelled images."
        joint = " from" if most.there else ":"
        return f"{name} reads it best: half of its texts from {half} labelled images on, nine in ten{joint} {most}."

    @property
    def verdict(self) -> str:
        """Summary in words for the captcha's designer."""
        half, most, _ = (self.strongest.whole.images(target) for target in TARGETS)
        sentences = [self._reached(half, most)]
        idle = [name for name, bought in self.ingredients if (b := bought.get(self.strongest.name)) and b.is_useless]
        if idle:
            sentences.append(f"Does not stop machines, but bothers people: {', '.join(idle)}.")
        hard = [one.symbol for one in self.symbols if one.is_hard]
        if hard:
            sentences.append(f"Hardest symbols: {', '.join(hard[:8])}.")
        return " ".join(sentences)


def _with(variant: Variant, images: float) -> list[Run]:
    return [run for run in variant.runs if labelled(run) == images]


def _pairs(runs: Iterable[Run]) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for run in runs:
        read = readings.of(run)
        if read is not None:
            pairs += metrics.confusions(read.texts, read.answers)
    return pairs


def _share(pairs: Mapping[tuple[str, str], int], symbols: str) -> float:
    """Return the share of these symbols that was read correctly; NaN if there are none."""
    count = sum(n for (true, _), n in pairs.items() if true and true in symbols)
    right = sum(n for (true, read), n in pairs.items() if true and true in symbols and read == true)
    return right / count if count else math.nan


def captchas(runs: Sequence[Run]) -> list[Captcha]:
    """Return the captchas by look, each with its recognisers.

    A recogniser needs runs with at least two numbers of labelled images.
    """
    looks: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if labelled(run) > 0 and not run.given_up:
            looks[tuple(item for item in run.settings.items() if _is_look(item[0]))].append(run)
    trained = [(members, made) for members in looks.values() if (made := _recognisers(members))]
    if not trained:
        raise Mistake(
            "strength: no recogniser here was trained on several numbers of labelled images; "
            "+experiment=strength trains such runs"
        )
    names = [_common_folder(members) for members, _ in trained]
    if len(names) == 1:
        names = ["the captcha"]
    elif "" in names or len(set(names)) < len(names):
        names = [f"captcha {number}" for number in range(1, len(names) + 1)]
    return [Captcha(name, made) for name, (_, made) in zip(names, trained, strict=True)]


def _recognisers(runs: Sequence[Run]) -> list[Recogniser]:
    keys = [
        key
        for key in ranking.keys(runs, None)
        if not _is_look(key) and key not in NO_LOOK and not key.startswith("data.split")
    ]
    gathered: dict[tuple[str, ...], dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        ingredient = run.settings.get(WITHOUT)
        values = tuple(shown(run.value(key)) for key in keys)
        gathered[values]["" if ingredient is None else shown(ingredient)].append(run)
    models = [next(iter(variants.values()))[0].value("model") for variants in gathered.values()]
    found = []
    for (values, variants), model in zip(gathered.items(), models, strict=True):
        whole = Variant(variants.pop("", []))
        if whole.runs and len(whole.points) > 1:
            name = shown(model) if models.count(model) == 1 else ", ".join(values)
            found.append(Recogniser(name, whole, {name: Variant(runs) for name, runs in variants.items()}))
    return sorted(found, key=lambda recogniser: recogniser.strength)


def _is_look(key: str) -> bool:
    return key.partition(".")[0] in LOOK and key not in NO_LOOK and not key.startswith("data.split")


def _common_folder(runs: Sequence[Run]) -> str:
    """Return the folder that contains all these runs; "" if this is the root of all runs."""
    folder = os.path.commonpath([PurePosixPath(run.name).parent for run in runs])
    return "" if folder == "." else folder
