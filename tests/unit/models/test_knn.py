"""Nearest neighbours, compared with the plain rule and with scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from capbench.models.knn import KNN


def plain_answer(samples: np.ndarray, labels: np.ndarray, row: np.ndarray, k: int) -> int:
    """Return the answer of the rule in plain Python: integer distances, ties by order, then the nearer class."""
    distances = [sum((int(a) - int(b)) ** 2 for a, b in zip(sample, row, strict=True)) for sample in samples]
    nearest = sorted(range(len(samples)), key=lambda i: (distances[i], i))[:k]
    votes = Counter(int(labels[i]) for i in nearest)
    most = max(votes.values())
    return next(int(labels[i]) for i in nearest if votes[int(labels[i])] == most)


def fitted(samples: np.ndarray, labels: np.ndarray, classes: int, k: int) -> KNN:
    model = KNN((1, 1, samples.shape[1]), 1, classes, k=k)
    half = len(samples) // 2
    for part in (slice(None, half), slice(half, None)):
        model.learn(torch.from_numpy(samples[part]).float() / 255, torch.from_numpy(labels[part])[:, None])
    return model


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([2, 256]))
def test_knn_answers_equal_the_plain_rule_ties_included(seed: int, k: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    samples = (rng.integers(levels, size=(24, 3)) * (255 // (levels - 1))).astype(np.uint8)  # few values: many ties
    labels = rng.integers(4, size=24)
    rows = samples[rng.integers(24, size=10)]
    answers = fitted(samples, labels, 4, k)(torch.from_numpy(rows).float() / 255).argmax(-1)[:, 0]
    assert answers.tolist() == [plain_answer(samples, labels, row, k) for row in rows]


def test_knn_distinguishes_distances_that_float32_rounds_alike() -> None:
    """Compare distances that differ by 2 of 65,000,000, which float32 cannot represent."""
    first, nearer = np.full((2, 1000), 255, dtype=np.uint8)
    first[0] = 253
    nearer[:2] = 254
    row = np.zeros(1000, dtype=np.uint8)
    samples, labels = np.array([first, nearer, first]), np.array([0, 1, 0])
    assert plain_answer(samples, labels, row, 1) == 1
    assert fitted(samples, labels, 2, 1)(torch.from_numpy(row[None]).float() / 255).argmax(-1).item() == 1


@pytest.mark.parametrize("pixels", [420, 1600])
def test_knn_agrees_with_scikit_learn_without_ties(pixels: int) -> None:
    rng = np.random.default_rng(1)
    samples = rng.integers(256, size=(700, pixels), dtype=np.uint8)
    labels = rng.integers(5, size=700)
    rows = rng.integers(256, size=(600, pixels), dtype=np.uint8)
    reference = KNeighborsClassifier(1, algorithm="brute").fit(samples.astype(float), labels)
    answers = fitted(samples, labels, 5, 1)(torch.from_numpy(rows).float() / 255).argmax(-1)[:, 0]
    assert (answers.numpy() == reference.predict(rows.astype(float))).all()


def test_knn_scores_are_shares_of_votes() -> None:
    samples = np.array([[0], [10], [20], [200]], dtype=np.uint8)
    model = fitted(samples, np.array([1, 0, 1, 2]), 3, k=3)
    shares = model(torch.tensor([[0.0]])).softmax(-1)[0, 0]
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3, 0], abs=2e-3)


def test_knn_samples_are_saved_and_loaded() -> None:
    model = fitted(np.arange(12, dtype=np.uint8).reshape(6, 2), np.arange(6) % 3, 3, k=1)
    other = KNN((1, 1, 2), 1, 3, k=1)
    other.load_state_dict(model.state_dict())
    assert (other.samples == model.samples).all()
    assert (other.labels == model.labels).all()


def test_a_traced_knn_breaks_ties_like_the_model() -> None:
    """Trace the model with a blank image, which has one nearest neighbour, and read one that has three."""
    view = torch.rand(1, 1, 2, 4)
    model = KNN((1, 2, 4), 1, 3, k=1).eval()
    model.learn(view.expand(3, -1, -1, -1), torch.arange(3).flip(0)[:, None])
    model.learn(torch.zeros(1, 1, 2, 4), torch.tensor([[0]]))
    with torch.inference_mode():
        recorded = torch.jit.trace(model, torch.zeros(1, 1, 2, 4), check_trace=False)
        assert recorded(view).argmax(-1).item() == model(view).argmax(-1).item() == 2
