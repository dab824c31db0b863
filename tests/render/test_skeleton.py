"""Middle lines: thin, in the middle, and in as many parts with as many holes as what they are of."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from capbench.render.skeleton import skeleton


def test_of_a_bar_its_middle_is_left() -> None:
    ink = np.zeros((21, 61), dtype=bool)
    ink[6:15, 8:53] = True
    lines = skeleton(ink)
    assert lines[10, 14:47].all()
    rows, columns = np.nonzero(lines)
    assert set(rows) == {10}
    assert columns.min() >= 8 and columns.max() < 53


def test_of_a_ring_a_circle_is_left() -> None:
    ink = np.zeros((81, 81), dtype=np.uint8)
    cv2.circle(ink, (40, 40), 25, 1, 9)
    rows, columns = np.nonzero(skeleton(ink > 0))
    assert np.hypot(rows - 40, columns - 40) == pytest.approx(25, abs=1.5)
    assert len(rows) <= 8 * 25  # one point wide, in steps


@pytest.mark.parametrize("text", ["8", "%", "B i", "A4"])
def test_parts_and_holes_stay(text: str) -> None:
    ink = np.zeros((120, 300), dtype=np.uint8)
    cv2.putText(ink, text, (20, 90), cv2.FONT_HERSHEY_DUPLEX, 3, 1, 8)
    lines = skeleton(ink > 0).astype(np.uint8)
    assert 0 < lines.sum() < ink.sum() / 3
    assert not (lines & ~ink).any()
    for count in (lambda a: cv2.connectedComponents(a, connectivity=8)[0],
                  lambda a: cv2.connectedComponents(1 - a, connectivity=4)[0]):  # fmt: skip
        assert count(lines) == count(ink)
