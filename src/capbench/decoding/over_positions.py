"""Search over positions: the best text of class probabilities, where a class stands for the symbol at one place."""

from __future__ import annotations

import numpy as np

from capbench.decoding.found import Found

SMALLEST = 1e-45  # probabilities below have no logarithm in 32 bits


def search(probability: np.ndarray, shortest: int, longest: int) -> list[Found]:
    """Return the best text of each image among those with `shortest` to `longest` symbols.

    `probability` is [image, position, symbol, the blank last]. The blank stands at all positions after a text. The text
    is exactly the best one: the best symbol of each place, and the best of all lengths.
    """
    logs = np.log(np.maximum(probability, SMALLEST, dtype=np.float64))
    symbols, blank = logs[..., :-1], logs[..., -1]
    lengths = np.arange(probability.shape[1] + 1)
    allowed = (shortest <= lengths) & (lengths <= longest)
    blanks = _sums(blank[:, ::-1])[:, ::-1]  # of all positions after a text, by its length
    scores = np.where(allowed, _sums(symbols.max(-1)) + blanks, -np.inf)
    every = _sums(np.logaddexp.reduce(symbols, axis=-1))
    ended = np.where(allowed, every + blanks, -np.inf)
    # For texts whose first symbols are given, the logarithm of the probability of all that can follow.
    rest = np.logaddexp.accumulate(ended[:, ::-1], axis=1)[:, ::-1] - every
    best, numbers = scores.argmax(1), symbols.argmax(-1)
    found = []
    for row, length in enumerate(best.tolist()):
        beliefs = np.exp(symbols[row, :length] + np.diff(rest[row, : length + 1])[:, None])
        found.append(Found.of(numbers[row, :length], np.exp(scores[row, length] - rest[row, 0]), beliefs))
    return found


def logs_of(probability: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the logarithm of the probability of one text of each image, float64 [image].

    `probability` is [image, position, class] and `numbers` [image, position], with the blank at all positions after a
    text; a number that is no class has the smallest probability.
    """
    known = (numbers >= 0) & (numbers < probability.shape[-1])
    at = np.take_along_axis(probability, np.where(known, numbers, 0)[..., None], axis=-1)[..., 0]
    return np.log(np.maximum(np.where(known, at, 0), SMALLEST, dtype=np.float64)).sum(-1)


def _sums(logs: np.ndarray) -> np.ndarray:
    """Return the sums of the first 0, 1, … numbers of each row, [image, number + 1]."""
    return np.concatenate([np.zeros((len(logs), 1)), logs.cumsum(1)], axis=1)
