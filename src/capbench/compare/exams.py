"""Test sets shared by several runs, and the runs' readings in a compact form for the page."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from capbench import metrics
from capbench.compare import readings
from capbench.compare.folders import Pictures, Run
from capbench.compare.ranking import Row
from capbench.compare.readings import Readings

LEADERS = 12  # first rows, for which images with differing answers are pictured
MOST_MISTAKES = 100  # pairs of true and wrong symbol, for each run


class Exam:
    """Set of test images, with the runs of the first rows that were tested on it."""

    def __init__(self, number: int, read: Readings) -> None:
        self.number = number
        self.images = len(read.names)
        self.symbols = Counter("".join(read.texts))
        self.leaders: list[tuple[Run, Readings]] = []
        self.pictures: dict[int, tuple[str, str]] = {}
        """Text and picture (data URI) by index of the image."""

    def draw(self, wanted: Pictures) -> None:
        """Draw pictures of images that some of the leaders read and others do not."""
        from capbench.compare import gallery  # imports a JIT compiler, and is needed for pictures only

        run, read = self.leaders[0]
        places = gallery.disputed([leader.right for _, leader in self.leaders])
        drawn = gallery.draw(run, {read.names[place]: read.texts[place] for place in places}, wanted)
        self.pictures = {
            place: (read.texts[place], drawn[read.names[place]]) for place in places if read.names[place] in drawn
        }

    def plain(self) -> dict[str, Any]:
        """Return the test set as plain data for the page."""
        return {"images": self.images, "symbols": self.symbols, "pictures": self.pictures}


def judge(rows: Sequence[Row], wanted: Pictures) -> tuple[list[dict[str, Any]], list[dict[str, Any] | None]]:
    """Return the test sets, and for each run by rank its results on its test set, or None without predictions."""
    exams: dict[bytes, Exam] = {}
    for row in rows[:LEADERS]:
        read = readings.of(row.runs[0])
        if read is not None:
            _exam_of(exams, row.runs[0], read).leaders.append((row.runs[0], read))
    for exam in exams.values():
        if len(exam.leaders) > 1:
            exam.draw(wanted)
    made = []
    for run in (run for row in rows for run in row.runs):
        read = readings.of(run)
        made.append(None if read is None else _made_of(_exam_of(exams, run, read), read))
    return [exam.plain() for exam in exams.values()], made


def _exam_of(exams: dict[bytes, Exam], run: Run, read: Readings) -> Exam:
    images = repr(run.origin) + "\0" + "\0".join(read.names) + "\0\0" + "\0".join(read.texts)
    key = hashlib.sha256(images.encode()).digest()
    if key not in exams:
        exams[key] = Exam(len(exams), read)
    return exams[key]


def _made_of(exam: Exam, read: Readings) -> dict[str, Any]:
    wrong = np.flatnonzero(~read.right).tolist()
    pairs = metrics.confusions([read.texts[place] for place in wrong], [read.answers[place] for place in wrong])
    return {
        "exam": exam.number,
        "right": base64.b64encode(np.packbits(read.right, bitorder="little").tobytes()).decode(),
        "answers": {place: read.answers[place] for place in exam.pictures if not read.right[place]},
        "mistakes": metrics.most_confused(pairs, MOST_MISTAKES),
        "calibration": [
            (count, round(confidence, 4), round(share, 4))
            for count, confidence, share in metrics.reliability(read.right.tolist(), read.confidences.tolist())
        ],
    }
