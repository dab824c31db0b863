"""Labels that are probably wrong, found by reading each image with a recogniser that was not taught it."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from capbench.data.loading import Views
from capbench.data.material import HALVES, Material, Part, Request
from capbench.data.sources.folder import Folder
from capbench.decoding import over_positions, over_time, untold
from capbench.errors import Mistake
from capbench.label import disputes
from capbench.runs import RunFolder
from capbench.text import Codec, Reading
from capbench.train.build import Experiment
from capbench.train.console import say
from capbench.train.fit import learn
from capbench.train.optim import Optim
from capbench.train.recognizer import Recognizer
from capbench.utils.atomic import replacing

SHARE = 0.3  # of the minutes of a training: what the trainings on halves take
DOUBTFUL = 1e-2  # probability of a label, divided by that of what was read, below which the label is doubtful
ENOUGH = 0.8  # share of labels that are read as they are; below, the reader is too poor to doubt a label
AT_ONCE = 256  # images


class HeldOut(NamedTuple):
    """Reading of one image by a recogniser that was not taught it."""

    filename: str
    label: str
    reading: str
    confidence: float
    """Probability of the reading"""
    ratio: float
    """Probability of the label divided by that of the reading"""

    @property
    def doubtful(self) -> bool:
        """True if the label is probably wrong."""
        return self.label != self.reading and self.ratio < DOUBTFUL


class Doubts(NamedTuple):
    """Labels of a training's folder that are probably wrong."""

    found: list[HeldOut]
    """The most doubtful first; none where too few labels were read as they are"""
    read: float
    """Share of all labels that were read as they are"""


def check(material: Material, processes: int) -> None:
    """Raise Mistake where no labels can be doubted: images that are drawn, or several processes."""
    if not isinstance(material.source, Folder):
        raise Mistake("doubts: only labels of a folder or a zip file can be wrong; set doubts=false")
    if processes > 1:
        raise Mistake("doubts: are found by one process; choose trainer=cpu or trainer=gpu, or set doubts=false")


def without_halves(optim: Optim) -> Optim:
    """Return the settings of the training itself, whose minutes leave time for those on halves."""
    return optim if optim.minutes is None else replace(optim, minutes=(1 - SHARE) * optim.minutes)


def find(experiment: Experiment, whole: Optim, folder: RunFolder) -> Doubts:
    """Return the doubtful labels; write held_out.csv, doubtful.csv and doubtful.html.

    The trained recogniser of `experiment` reads validation and test. Each half of the training images is read by a
    training on all others but those of validation. Readings made before an interruption are kept.
    `whole` are the settings with all minutes.
    """
    _tell_taught(experiment)
    kept = _Kept(folder.path / "held_out.csv")
    # With folds, the last recogniser was taught the test images, too.
    for name in ("val",) if experiment.material.folds else ("val", "test"):
        part = experiment.material.parts[name]
        if not kept.has(part):
            kept.add(_read(experiment.recognizer, part))
    optim = whole if whole.minutes is None else replace(whole, minutes=SHARE / HALVES * whole.minutes)
    for number in range(HALVES):
        half = experiment.half(number, optim)
        if kept.has(half.material.parts["test"]):
            continue
        within = "" if optim.minutes is None else f" ({optim.minutes:.2g} minutes)"
        say("", f"doubts: half {number + 1} of {HALVES} is read by a training on all other images{within}")
        place = RunFolder(folder.path / "halves" / str(number))
        place.path.mkdir(parents=True, exist_ok=True)
        learn(half, half.trainer(place, []), place)
        kept.add(_read(half.recognizer, half.material.parts["test"]))
    shutil.rmtree(folder.path / "halves", ignore_errors=True)
    source = experiment.material.source
    assert isinstance(source, Folder)
    unsaid = [row for row in kept.rows.values() if row.filename not in source.corrected]
    read = float(np.mean([row.label == row.reading for row in kept.rows.values()]))
    doubtful = sorted((row for row in unsaid if row.doubtful), key=lambda row: row.ratio) if read >= ENOUGH else []
    _show(doubtful, source, folder)
    return Doubts(doubtful, read)


def _tell_taught(experiment: Experiment) -> None:
    """Print how many images the runs that `start` names were taught, since wrong labels that they learned are hidden."""
    if experiment.begun is None:
        say("doubts: it is not known which images start= was taught; wrong labels that it learned are not found")
        return
    taught = int(np.isin(experiment.material.kept.digests, experiment.begun.taught.digests).sum())
    if taught:
        say(f"doubts: start= was taught {taught:,} of the images; wrong labels that it learned are not found")


def tell(doubts: Doubts, folder: RunFolder) -> None:
    """Print how many labels are probably wrong, and where a person confirms or corrects them."""
    count = len(doubts.found)
    if doubts.read < ENOUGH:
        say(f"labels are not doubted: untaught recognisers read only {doubts.read:.2f} of them; {ENOUGH} are needed")
    elif not count:
        say("no label is probably wrong")
    else:
        many = "1 label is" if count == 1 else f"{count:,} labels are"
        say(f"{many} probably wrong: confirm or correct them on {folder.doubtful}, and train again")


class _Kept:
    """Readings in held_out.csv, which is written anew with each part."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[str, HeldOut] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    name, label, reading, *numbers = (row[column] for column in HeldOut._fields)
                    self.rows[name] = HeldOut(name, label, reading, *map(float, numbers))

    def has(self, part: Part) -> bool:
        """Return True if all images of the part were read."""
        return self.rows.keys() >= {sample.name for sample in part.samples}

    def add(self, rows: Iterator[HeldOut]) -> None:
        """Add the readings of a part."""
        self.rows |= {row.filename: row for row in rows}
        _write(self._path, list(self.rows.values()))


def _write(path: Path, rows: Sequence[HeldOut]) -> None:
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HeldOut._fields)
        writer.writerows((*row[:3], f"{row.confidence:.6f}", f"{row.ratio:.3e}") for row in rows)


def _show(doubtful: Sequence[HeldOut], source: Folder, folder: RunFolder) -> None:
    """Write the list and the page of the doubtful labels."""
    if not doubtful:
        return
    _write(folder.path / "doubtful.csv", doubtful)
    choices = {
        row.filename: {
            "label": Reading(row.label, row.ratio * row.confidence, ()),
            "reading": Reading(row.reading, row.confidence, ()),
        }
        for row in doubtful
    }
    disputes.doubtful(folder.doubtful, source.files, choices)


def _read(recognizer: Recognizer, part: Part) -> Iterator[HeldOut]:
    """Yield the readings of a part, in its order."""
    recognizer.eval()
    codec = recognizer.codec
    views = Views(part, codec, None, 0)
    for start in range(0, len(part), AT_ONCE):
        batch = views[Request(0, np.arange(start, min(start + AT_ONCE, len(part))))]
        with torch.inference_mode():
            probability = recognizer(batch.views.to(recognizer.device)).float().softmax(-1).cpu().numpy()
        samples = part.samples[start : start + AT_ONCE]
        labels = [codec.alphabet.folded(sample.text) for sample in samples]
        readings = untold.read(codec, probability)
        ratios = _logs(probability, labels, codec) - _logs(probability, [reading.text for reading in readings], codec)
        for sample, label, reading, ratio in zip(samples, labels, readings, ratios.tolist(), strict=True):
            yield HeldOut(sample.name, label, reading.text, reading.confidence, math.exp(min(ratio, 0.0)))


def _logs(probability: np.ndarray, texts: Sequence[str], codec: Codec) -> np.ndarray:
    """Return the logarithms of the probabilities of texts, float64 [image], from [image, position or time, class]."""
    longest = max(codec.longest, *map(len, texts))  # over time, more symbols may be read than any label has
    numbers = Codec(codec.alphabet, codec.shortest, longest, codec.over).encode(texts)
    if codec.over == "positions":
        return over_positions.logs_of(probability, numbers)
    return over_time.logs_of(probability, (numbers, (numbers != codec.blank).sum(1)))
