"""Readings where a user tells nothing: the best classes, of the one length that the recogniser met if there is one."""

from __future__ import annotations

import numpy as np

from capbench.decoding.over_time import fewest_steps
from capbench.text import Codec, Reading, probabilities

SMALLEST = 1e-12  # probability that each class has at least, so that no path is impossible


def read(codec: Codec, probability: np.ndarray) -> list[Reading]:
    """Return the readings for class probabilities [image, position or time, class]."""
    return codec.read(*best(codec, probability))


def best(codec: Codec, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best classes and their probabilities, each [image, position or time], for those of all classes.

    Over time, where all texts that the recogniser met have one length, a text of another length is wrong. Instead of
    the best class at each step, the image then has the classes of the best path that gives a text of that length. An
    image in which no symbol is seen keeps its empty text.
    """
    classes, highest = probability.argmax(-1), probability.max(-1)
    if codec.over == "positions" or codec.shortest < codec.longest:
        return classes, highest
    strange = _of_strange_length(codec, classes)
    if len(strange):
        classes[strange] = path_of_length(probability[strange], codec.longest)
        highest[strange] = np.take_along_axis(probability[strange], classes[strange][..., None], -1)[..., 0]
    return classes, highest


def _of_strange_length(codec: Codec, best: np.ndarray) -> np.ndarray:
    """Return the numbers of the images whose best classes [image, time] have symbols, but not of the one length.

    There are none for a recogniser with too few steps for that length.
    """
    if fewest_steps(codec.longest, len(codec.alphabet.symbols)) > best.shape[1]:
        return np.array([], np.int64)
    counts = codec.kept(best).sum(1)
    return np.flatnonzero((counts > 0) & (counts != codec.longest))


def path_of_length(probability: np.ndarray, length: int) -> np.ndarray:
    """Return the most likely path of classes over time that gives a text of this length, int64 [image, step].

    `probability` is [image, step, class], the last class the blank. This is Viterbi's algorithm over the states
    (symbols so far, class of the last step).
    """
    logs = np.log(np.maximum(probabilities(probability), SMALLEST))
    images, steps, count = logs.shape
    classes, image = np.arange(count), np.arange(images)
    score = np.full((images, length + 1, count), -np.inf)
    score[:, 0, -1] = 0
    stays: list[np.ndarray] = []  # of each step, where the last class is repeated, [image, symbols so far, class]
    origins: list[np.ndarray] = []  # of each step, the class before any class that is not repeated, of the same shape
    for step in range(steps):
        first, best = score.argmax(-1)[..., None], score.max(-1)[..., None]
        others = score.copy()
        np.put_along_axis(others, first, -np.inf, -1)
        is_first = classes == first  # a symbol that follows itself is one symbol, not two
        origin = np.where(is_first, others.argmax(-1)[..., None], first)
        entered = np.full_like(score, -np.inf)
        entered[:, 1:, :-1] = np.where(is_first, others.max(-1)[..., None], best)[:, :-1, :-1]
        entered[..., -1:] = best
        origin[..., -1:] = first
        stay = score > entered
        stay[..., -1] = False  # a blank is entered from any class, blanks too
        score = np.where(stay, score, entered) + logs[:, step, None]
        stays.append(stay)
        origins.append(origin)
    path = np.empty((images, steps), np.int64)
    symbols, now = np.full(images, length), score[:, length].argmax(-1)
    for step in range(steps - 1, -1, -1):
        path[:, step] = now
        repeated = stays[step][image, symbols, now]
        entered_symbol = ~repeated & (now < count - 1)
        symbols = symbols - entered_symbol
        now = np.where(repeated, now, origins[step][image, symbols, now])
    return path
