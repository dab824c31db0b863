"""Random numbers of the renderer."""

from __future__ import annotations

import numpy as np

from capbench.render.kernel.draws import draw, philox


def test_philox_gives_its_published_numbers() -> None:
    """Compare with known answers of the Random123 library."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    assert [int(n) for n in philox(0, 0, 0)] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert [int(n) for n in philox(ones, ones, ones)] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_every_part_of_the_address_changes_the_draw() -> None:
    addresses = [(1, 2, 3, 4), (2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5), (1, 2 + 2**40, 3, 4)]
    drawn = [draw(*address) for address in addresses]
    assert len(set(drawn)) == len(addresses)
    assert drawn == [draw(*address) for address in addresses]


def test_drawn_numbers_are_uniform_and_uncorrelated() -> None:
    numbers = np.array([draw(7, index, 0, 0) for index in range(20_000)])
    assert ((numbers >= 0) & (numbers < 1)).all()
    for column in numbers.T:
        counts = np.histogram(column, bins=20, range=(0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 55  # chi square with 19 degrees of freedom, far out in the tail
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.04
