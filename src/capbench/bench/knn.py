"""Pair: nearest neighbours beside those of scikit-learn, both by brute force."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from capbench.bench.pairs import Pair, speed
from capbench.models.knn import KNN

SAMPLES, HEIGHT, WIDTH, CLASSES, NEIGHBOURS = 5000, 21, 20, 33, 3


def pairs() -> list[Pair]:
    """Return the pair."""
    pixels, labels = samples()
    unit = f"samples/s of {HEIGHT * WIDTH} numbers, learned and read; peer: scikit-learn's brute force"
    return [
        Pair(
            "knn/sklearn",
            lambda: speed(lambda: ours(pixels, labels), SAMPLES),
            lambda: speed(lambda: peers(pixels, labels), SAMPLES),
            unit,
        )
    ]


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Return noisy copies of one prototype per class: pixels uint8 [2, sample, pixel], and classes int64 [sample].

    The first index of the pixels is 0 for the samples to learn and 1 for those to read; both have the same classes.
    """
    draws = np.random.default_rng(1)
    labels = draws.integers(0, CLASSES, SAMPLES)
    prototypes = draws.integers(64, 192, (CLASSES, HEIGHT * WIDTH))
    noise = draws.integers(-64, 64, (2, SAMPLES, HEIGHT * WIDTH))
    return (prototypes[labels] + noise).astype(np.uint8), labels


def ours(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the classes int64 [sample] of pixels[1] by CapBench after learning pixels[0], uint8 [2, sample, pixel]."""
    known, asked = torch.from_numpy(pixels).view(2, SAMPLES, 1, HEIGHT, WIDTH).float() / 255
    model = KNN((1, HEIGHT, WIDTH), 1, CLASSES, k=NEIGHBOURS)
    model.learn(known, torch.from_numpy(labels)[:, None])
    with torch.inference_mode():
        return model(asked)[:, 0].argmax(-1).numpy()


def peers(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the classes int64 [sample] of pixels[1] by scikit-learn after learning pixels[0]."""
    known, asked = pixels.astype(np.float32)
    return KNeighborsClassifier(NEIGHBOURS, algorithm="brute").fit(known, labels).predict(asked)
