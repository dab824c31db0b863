"""Readings where a user tells nothing: the best class at each position or step, and the one length that was met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from capbench.decoding.over_time import fewest_steps
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.text import Codec, Reading


def read(
    codec: Codec, best: np.ndarray, probability: np.ndarray, of_all: Callable[[list[int]], np.ndarray]
) -> list[Reading]:
    """Return the readings of the best classes and their probabilities, each [image, position or time].

    Where all texts that the recogniser met have one length, a text of another length is wrong. Instead of it, the best
    text of that length is searched for. `of_all` returns the probabilities of all classes, [image, position or time,
    class], for numbers of images.
    """
    readings = codec.read(best, probability)
    strange = of_strange_length(codec, best)
    if strange:
        for number, reading in zip(strange, search(codec).read(of_all(strange)), strict=True):
            readings[number] = reading
    return readings


def of_strange_length(codec: Codec, best: np.ndarray) -> list[int]:
    """Return the numbers of the images whose best classes [image, position or time] have not the one length that was met.

    There are none where several lengths were met, nor for a recogniser with too few steps for that length.
    """
    if codec.shortest < codec.longest or fewest_steps(codec.longest, len(codec.alphabet.symbols)) > best.shape[1]:
        return []
    return np.flatnonzero(codec.kept(best).sum(1) != codec.longest).tolist()


def search(codec: Codec) -> Search:
    """Return the search among the texts of the lengths that the recogniser met."""
    return Search(codec, Told(lengths=(codec.shortest, codec.longest)))
