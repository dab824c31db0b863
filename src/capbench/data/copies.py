"""Detection of images with equal pixels, and of contradictions between their labels or parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np

from capbench.data.sources.base import Sample
from capbench.text import Alphabet


def doubts(samples: Sequence[Sample], digests: np.ndarray, alphabet: Alphabet) -> list[str]:
    """Return a line on copies with different labels and one on copies in different parts, where there are any.

    `digests` are uint64 [image], in the order of `samples`.
    """
    groups = list(_groups(samples, digests))
    return [
        *_told(
            [pair for group in groups if (pair := _differing(group, lambda sample: alphabet.folded(sample.text)))],
            "are one image with two labels",
            "a recogniser cannot read both: mend the labels",
            lambda sample: repr(sample.text),
        ),
        *_told(
            [pair for group in groups if (pair := _differing(group, lambda sample: sample.part or ""))],
            "are one image in two parts",
            "a test on an image that was trained on proves nothing: keep copies in one part",
            lambda sample: f"({sample.part})",
        ),
    ]


def _groups(samples: Sequence[Sample], digests: np.ndarray) -> Iterator[list[Sample]]:
    """Yield the samples of each image that occurs more than once."""
    _, which, counts = np.unique(digests, return_inverse=True, return_counts=True)
    copied = np.flatnonzero(counts[which] > 1)
    for _, places in groupby(copied[np.argsort(which[copied], kind="stable")].tolist(), key=which.__getitem__):
        yield [samples[place] for place in places]


def _differing(group: Sequence[Sample], by: Callable[[Sample], str]) -> tuple[Sample, Sample] | None:
    """Return the first sample and one that differs from it in `by`, or None where all are equal."""
    return next(((group[0], other) for other in group if by(other) != by(group[0])), None)


def _told(
    pairs: Sequence[tuple[Sample, Sample]], fault: str, hint: str, shown: Callable[[Sample], str]
) -> Iterator[str]:
    """Yield a line about the first pair and the number of the others, where there is a pair."""
    if pairs:
        one, other = pairs[0]
        more = f" (and {len(pairs) - 1:,} more such)" if len(pairs) > 1 else ""
        yield f"{one.name} {shown(one)} and {other.name} {shown(other)} {fault}{more}; {hint}"
