"""Probabilities of all texts over time, found by walking all paths: slow, and as the definition says."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby, product

import numpy as np

Text = tuple[int, ...]


def all_texts(probability: np.ndarray) -> dict[Text, float]:
    """Return the probability of each text, as numbers of symbols, for probabilities [step, class, the blank last]."""
    steps, classes = probability.shape
    texts: dict[Text, float] = defaultdict(float)
    for path in product(range(classes), repeat=steps):
        text = tuple(number for number, _ in groupby(path) if number < classes - 1)
        texts[text] += float(np.prod(probability[np.arange(steps), path]))
    return texts


def random_probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return probabilities of which those along the last axis add up to 1; some are sure, some are not."""
    sharpness = rng.choice([0.2, 1, 5], size=(*shape[:-1], 1))
    drawn = rng.gamma(np.broadcast_to(sharpness, shape)) + 1e-9
    return drawn / drawn.sum(-1, keepdims=True)
