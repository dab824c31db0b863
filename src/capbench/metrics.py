"""Metrics of readings, computed from plain texts: exact and character accuracy, error rates, confidence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

CALIBRATION_BINS = 15


class Metric(ABC):
    """Number of a user's own that tells how good answers are; a greater one is better.

    What must hold: the number is finite, and depends on the texts, the answers and the settings alone.
    """

    @abstractmethod
    def __call__(self, texts: Sequence[str], answers: Sequence[str]) -> float:
        """Return the number for true texts and the answers to the same images; there is at least one."""


def of_own(own: Mapping[str, Metric], texts: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    """Return the numbers of a user's own metrics by name."""
    return {name: float(metric(texts, answers)) for name, metric in own.items()}


def scores(texts: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    """Return the accuracies of `answers` against the true `texts`.

    `char` is the share of true characters that are right at their position, `cer` the number of edits for each true
    character, and `position_N` the accuracy at position N, counted from 1.
    """
    count, longest = len(texts), max(map(len, texts))
    wrong = [(text, answer) for text, answer in zip(texts, answers, strict=True) if text != answer]
    place, right = _characters(texts, answers)
    characters, right_at = len(place), np.bincount(place[right], minlength=longest).tolist()
    return {
        "exact": (count - len(wrong)) / count,
        "exact_nocase": (count - sum(text.lower() != answer.lower() for text, answer in wrong)) / count,
        "char": sum(right_at) / characters,
        "cer": sum(Levenshtein.distance(text, answer) for text, answer in wrong) / characters,
        **{
            f"position_{number}": among_right / among_all
            for number, (among_right, among_all) in enumerate(
                zip(right_at, np.bincount(place).tolist(), strict=True), 1
            )
        },
    }


def _characters(texts: Sequence[str], answers: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return each true character's place in its text, int64 [character], and whether it was read right, bool [character].

    The characters of all texts follow one another in one array, since a loop over them in Python takes longer than a
    small network takes to read them.
    """
    (true, lengths), (read, read_lengths) = _codes(texts), _codes(answers)
    place = np.arange(len(true)) - np.repeat(lengths.cumsum() - lengths, lengths)
    right = place < np.repeat(read_lengths, lengths)
    read_place = place + np.repeat(read_lengths.cumsum() - read_lengths, lengths)
    right[right] = true[right] == read[read_place[right]]
    return place, right


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of all texts in one array, uint32 [character], and their lengths, int64 [text]."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return codes, np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))


def calibration(right: Sequence[bool], confidences: Sequence[float]) -> dict[str, float]:
    """Return the mean confidence of whole texts, and the expected calibration error (`ece`)."""
    error = sum(count * abs(confidence - share) for count, confidence, share in reliability(right, confidences))
    return {"confidence": float(np.mean(confidences)), "ece": float(error / len(confidences))}


def reliability(right: Sequence[bool], confidences: Sequence[float]) -> list[tuple[int, float, float]]:
    """Return the number of texts, their mean confidence, and the share that is right, for each bin that has any."""
    confidence, truth = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins)
    sums = np.bincount(bins, confidence), np.bincount(bins, truth)
    return [
        (int(counts[b]), float(sums[0][b] / counts[b]), float(sums[1][b] / counts[b])) for b in np.flatnonzero(counts)
    ]


def of_readings(texts: Sequence[str], answers: Sequence[str], confidences: Sequence[float]) -> dict[str, float]:
    """Return the accuracies, and the calibration of the confidences."""
    right = [text == answer for text, answer in zip(texts, answers, strict=True)]
    return {**scores(texts, answers), **calibration(right, confidences)}


def confusions(texts: Sequence[str], answers: Sequence[str]) -> Counter[tuple[str, str]]:
    """Return the count of each pair of true and read symbol, right ones too; "" for an omitted or inserted symbol."""
    both = list(zip(texts, answers, strict=True))
    equal = [pair for pair in both if len(pair[0]) == len(pair[1])]
    # Counting all texts at once is ten times as fast as text by text.
    pairs = Counter(zip("".join(text for text, _ in equal), "".join(answer for _, answer in equal), strict=True))
    for text, answer in both:
        if len(text) == len(answer):
            continue
        for step in Levenshtein.opcodes(text, answer):
            true, read = text[step.src_start : step.src_end], answer[step.dest_start : step.dest_end]
            pairs.update((true[i : i + 1], read[i : i + 1]) for i in range(max(len(true), len(read))))
    return pairs


def most_confused(pairs: Counter[tuple[str, str]], most: int = 10) -> list[tuple[str, str, int]]:
    """Return rows of true symbol, wrong symbol and count; most frequent first, ties in alphabetical order."""
    wrong = [(true, read, count) for (true, read), count in pairs.items() if true != read]
    return sorted(wrong, key=lambda row: (-row[2], row[0], row[1]))[:most]


def wilson(right: float, count: float, z: float = 1.959964) -> tuple[float, float]:
    """Return the confidence interval of a share, by Wilson's score; the default `z` gives 95 %."""
    share = right / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
