"""Search over time: the text with the highest total probability of connectionist temporal classification (CTC).

Many paths of classes over time give the same text, since repeats are merged and blanks dropped. The probability of a
text is the sum over its paths. Logarithms are used, since a text that is allowed against all appearance has a
probability that 64 bits cannot hold.

Shapes: images are searched together; `steps` counts steps of time; the last class is the blank.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capbench.decoding.found import Found

BEAM = 32  # texts that are followed at once
SMALLEST = 1e-12  # probability that each class has at least, so that no allowed text is impossible
MOST_NUMBERS = 2**23  # of the largest array; more images are searched in several parts
IMPOSSIBLE = -np.inf
LOWEST = -1e300  # a logarithm that can be subtracted, as IMPOSSIBLE cannot
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a multiplication of 64 bits loses nothing
NO_TEXT, NO_PARENT = np.uint64(2), np.uint64(0)  # digests of places in a beam that hold no text

Lengths = tuple[int, int]
Texts = tuple[np.ndarray, np.ndarray]
"""Numbers of symbols, int64 [image, place], and lengths, int64 [image]; what stands beyond a length means nothing"""


def fewest_steps(length: int, symbols: int) -> int:
    """Return the number of steps that some text of this length needs; equal neighbours need a blank between them."""
    return length if symbols > 1 else max(0, 2 * length - 1)


def search(probability: np.ndarray, lengths: Lengths | None) -> list[Found]:
    """Return the best text of each image among those whose lengths are in the bounds `lengths`.

    `probability` is [image, step, class].
    """
    images, steps, classes = probability.shape
    rows = 1 if lengths is None else lengths[1] + 2
    at_once = max(1, MOST_NUMBERS // ((steps + 1) * rows * classes))
    parts = (probability[start : start + at_once] for start in range(0, images, at_once))
    return [found for part in parts for found in _search(_Logs.of(part, lengths))]


def logs_of(probability: np.ndarray, texts: Texts) -> np.ndarray:
    """Return the logarithm of the probability of one text of each image, float64 [image].

    `probability` is [image, step, class].
    """
    forward = _Forward.of(_Logs.of(probability, None), texts)
    return forward.before[-1, np.arange(len(probability)), forward.lengths]


class _Logs(NamedTuple):
    """Logarithms that the search adds up."""

    classes: np.ndarray
    """Of each class, [step, image, class]; those of one step add up to 1."""
    ahead: np.ndarray
    """Of all that can follow to give an allowed text, [step + 1, image, length so far, class so far]."""

    @classmethod
    def of(cls, probability: np.ndarray, lengths: Lengths | None) -> _Logs:
        """Return the logarithms for probabilities [image, step, class]; a common factor changes no share."""
        classes = np.maximum(probability.transpose(1, 0, 2), SMALLEST, dtype=np.float64)
        classes /= classes.sum(-1, keepdims=True)
        steps, images, count = classes.shape
        ahead = np.zeros((steps + 1, images, 1, count)) if lengths is None else _ahead(classes, *lengths)
        return cls(np.log(classes), ahead)

    @property
    def longest(self) -> int:
        """Length of the longest text."""
        steps, rows = len(self.classes), self.ahead.shape[2]
        return steps if rows == 1 else min(steps, rows - 2)

    def row(self, lengths: np.ndarray) -> np.ndarray:
        """Return the rows of `ahead` for texts of these lengths; the last one stands for all beyond."""
        return np.minimum(lengths, self.ahead.shape[2] - 1)

    def some(self, images: np.ndarray) -> _Logs:
        """Return those of some images."""
        return _Logs(self.classes[:, images], self.ahead[:, images])


def _ahead(classes: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """Return the logarithms of the probability that an allowed text comes about, by step, length and class so far.

    `classes` holds probabilities [step, image, class]. The numbers of each length have a scale of their own, since
    lengths can differ by hundreds of powers of ten. The last row is for texts that are too long.
    """
    steps, images, count = classes.shape
    ahead = np.full((steps + 1, images, longest + 2, count), IMPOSSIBLE)
    ahead[-1, :, shortest : longest + 1] = 0
    now, scale = np.exp(ahead[-1]), ahead[-1, :, :, 0].copy()
    for step in range(steps - 1, -1, -1):
        at = classes[step][:, None]
        symbols = now[..., :-1] * at[..., :-1]
        begun = symbols[:, 1:], symbols.sum(-1)[:, 1:], scale[:, 1:]  # of texts that are longer by one symbol
        new = np.maximum(np.maximum(scale[:, :-1], begun[2]), LOWEST)
        stays, grows = np.exp(scale[:, :-1] - new), np.exp(begun[2] - new)
        after_blank = stays * now[:, :-1, -1] * at[..., -1] + grows * begun[1]
        now[:, :-1, -1] = after_blank
        now[:, :-1, :-1] = after_blank[..., None] - grows[..., None] * begun[0] + stays[..., None] * symbols[:, :-1]
        np.maximum(now, 0, out=now)
        top = now[:, :-1].max(-1)
        with np.errstate(divide="ignore"):
            scale[:, :-1] = np.where(top > 0, new + np.log(top), IMPOSSIBLE)
            now[:, :-1] /= np.where(top > 0, top, 1)[..., None]
            ahead[step, :, :-1] = np.log(now[:, :-1]) + scale[:, :-1, None]
    return ahead


def _search(logs: _Logs) -> list[Found]:
    """Return the best text of each image.

    A text with more than half of the probability of all allowed texts is the best one. The text of the best path
    often is such a text, and then needs no search.
    """
    numbers, lengths = _best_path(logs)
    forward = _Forward.of(logs, (numbers, lengths))
    unsure = np.flatnonzero(forward.share <= 0.5)
    if not len(unsure):
        return forward.found()
    numbers[unsure], lengths[unsure] = _beam(logs.some(unsure))
    return _Forward.of(logs, (numbers, lengths)).found()


def _best_path(logs: _Logs) -> Texts:
    """Return the texts of the best classes, cut off at the length of the longest allowed text."""
    best, blank = logs.classes.argmax(-1).T, logs.classes.shape[-1] - 1
    kept = best != blank
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    numbers = np.zeros((len(best), logs.longest), np.int64)
    for row, path, keep in zip(numbers, best, kept, strict=True):
        text = path[keep][: len(row)]
        row[: len(text)] = text
    return numbers, np.minimum(kept.sum(1), logs.longest)


class _Beam(NamedTuple):
    """Texts that are followed: the most likely ones to become an allowed text, [image, text] unless said otherwise."""

    symbols: np.ndarray
    """Numbers of symbols, int64 [image, text, place]."""
    lengths: np.ndarray
    digests: np.ndarray
    """Equal for equal texts, uint64."""
    parents: np.ndarray
    """Digests of the texts without their last symbols."""
    in_blank: np.ndarray
    """Logarithms of the probabilities of the paths so far that end in a blank."""
    in_symbol: np.ndarray
    """Logarithms of the probabilities of the others."""

    @classmethod
    def begun(cls, images: int, longest: int) -> _Beam:
        """Return beams that hold the empty text alone."""
        shape = images, BEAM
        in_blank = np.full(shape, IMPOSSIBLE)
        in_blank[:, 0] = 0
        digests = np.full(shape, NO_TEXT)
        digests[:, 0] = 1
        symbols = np.zeros((*shape, max(1, longest)), np.int64)
        nothing = np.full(shape, IMPOSSIBLE)
        return cls(symbols, np.zeros(shape, np.int64), digests, np.zeros(shape, np.uint64), in_blank, nothing)

    def step(self, classes: np.ndarray, ahead: np.ndarray) -> _Beam:
        """Return the beams after one step, with logarithms `classes` [image, class] and `ahead` [image, length, class]."""
        images, blank = np.arange(len(classes))[:, None], classes.shape[1] - 1
        place = np.arange(BEAM)
        row, last = np.minimum(self.lengths, ahead.shape[1] - 1), self._last(blank)
        so_far = np.logaddexp(self.in_blank, self.in_symbol)
        grown = so_far[..., None] + classes[:, None]
        grown[images, place, last] = self.in_blank + classes[images, last]  # a repeat needs a blank before it
        in_blank, in_symbol = so_far + classes[:, -1:], self.in_symbol + classes[images, last]
        # A text that grows into one that is followed already gives its paths to that one.
        is_parent = self.digests[:, :, None] == self.parents[:, None, :]
        parent, known = is_parent.argmax(1), is_parent.any(1)
        in_symbol = np.logaddexp(in_symbol, np.where(known, grown[images, parent, last], IMPOSSIBLE))
        image, child = np.nonzero(known)
        grown[image, parent[image, child], last[image, child]] = IMPOSSIBLE
        worth = grown + ahead[images, np.minimum(self.lengths + 1, ahead.shape[1] - 1)]
        worth[..., -1] = np.logaddexp(in_blank + ahead[images, row, blank], in_symbol + ahead[images, row, last])
        grown[..., -1] = in_symbol
        return self._best(worth.reshape(len(worth), -1), in_blank, grown)

    def _last(self, blank: int) -> np.ndarray:
        """Return the number of each text's last symbol; the blank's for empty texts."""
        last = np.take_along_axis(self.symbols, np.maximum(self.lengths - 1, 0)[..., None], 2)[..., 0]
        return np.where(self.lengths > 0, last, blank)

    def _best(self, worth: np.ndarray, in_blank: np.ndarray, in_symbol: np.ndarray) -> _Beam:
        """Return the texts of the greatest `worth`, [image, text * class]: grown by a symbol or, at the blank, as they are.

        `in_symbol` is [image, text, class].
        """
        images, classes = np.arange(len(worth))[:, None], in_symbol.shape[2]
        chosen = np.argpartition(worth, -BEAM, axis=1)[:, -BEAM:]
        text, symbol = chosen // classes, chosen % classes
        grows, dead = symbol < classes - 1, worth[images, chosen] == IMPOSSIBLE
        symbols, lengths = self.symbols[images, text], self.lengths[images, text] + grows
        image, which = np.nonzero(grows & ~dead)
        symbols[image, which, lengths[image, which] - 1] = symbol[image, which]
        before, parents = self.digests[images, text], self.parents[images, text]
        digests = np.where(grows, before * MIX + symbol.astype(np.uint64), before)
        parents = np.where(grows, before, parents)
        digests[dead], parents[dead] = NO_TEXT, NO_PARENT
        return _Beam(
            symbols, np.where(dead, 0, lengths), digests, parents,
            np.where(grows | dead, IMPOSSIBLE, in_blank[images, text]),
            np.where(dead, IMPOSSIBLE, in_symbol[images, text, symbol]),
        )  # fmt: skip


def _beam(logs: _Logs) -> Texts:
    """Return the best texts that a beam search finds.

    Beginnings are ranked by the probability that an allowed text begins so, not by their own: so the beam never fills
    with texts that will be too short or too long.
    """
    beam = _Beam.begun(logs.classes.shape[1], logs.longest)
    for classes, ahead in zip(logs.classes, logs.ahead[1:], strict=True):
        beam = beam.step(classes, ahead)
    images = np.arange(len(beam.lengths))
    allowed = logs.ahead[-1, images[:, None], logs.row(beam.lengths), 0]
    best = (np.logaddexp(beam.in_blank, beam.in_symbol) + allowed).argmax(1)
    return beam.symbols[images, best], beam.lengths[images, best]


class _Forward(NamedTuple):
    """Forward pass over one text of each image: logarithms of the probabilities of its beginnings."""

    logs: _Logs
    numbers: np.ndarray
    lengths: np.ndarray
    before: np.ndarray
    """Of the text's first symbols, [step + 1, image, count]."""
    in_blank: np.ndarray
    """Of those where the last step is a blank, [step + 1, image, count]."""

    @classmethod
    def of(cls, logs: _Logs, texts: Texts) -> _Forward:
        """Return the forward pass over these texts."""
        numbers, lengths = texts
        numbers = numbers[:, : max(1, lengths.max(initial=1))]
        steps, images, _ = logs.classes.shape
        at = np.take_along_axis(logs.classes, numbers[None], axis=2)
        blank = logs.classes[:, :, -1:]
        repeated = np.zeros(numbers.shape, bool)
        repeated[:, 1:] = numbers[:, 1:] == numbers[:, :-1]
        shape = (steps + 1, images, numbers.shape[1] + 1)
        in_blank, before = np.full(shape, IMPOSSIBLE), np.full(shape, IMPOSSIBLE)
        in_blank[0, :, 0] = before[0, :, 0] = 0
        in_symbol = np.full(shape[1:], IMPOSSIBLE)
        for step in range(steps):
            entering = np.where(repeated, in_blank[step, :, :-1], before[step, :, :-1])
            in_symbol[:, 1:] = at[step] + np.logaddexp(in_symbol[:, 1:], entering)
            in_blank[step + 1] = before[step] + blank[step]
            before[step + 1] = np.logaddexp(in_symbol, in_blank[step + 1])
        return cls(logs, numbers, lengths, before, in_blank)

    @property
    def share(self) -> np.ndarray:
        """Probability of each text divided by that of all allowed texts, float64 [image]."""
        images = np.arange(len(self.numbers))
        allowed = self.logs.ahead[-1, images, self.logs.row(self.lengths), 0]
        return np.exp(self.before[-1, images, self.lengths] + allowed - self.logs.ahead[0, :, 0, -1])

    def found(self) -> list[Found]:
        """Return the texts with their beliefs."""
        images, longest = np.arange(len(self.numbers)), self.numbers.shape[1]
        beliefs = np.empty((len(images), longest, self.logs.classes.shape[-1] - 1))
        begun = self.logs.ahead[0, :, 0, -1]  # of all allowed texts that begin with the symbols before this one
        for place in range(longest):
            follows = self.logs.classes[..., :-1] + self.logs.ahead[1:, :, self.logs.row(np.array(place + 1)), :-1]
            paths = follows + self.before[:-1, :, place, None]
            if place:  # the same symbol once more needs a blank before it
                last = self.numbers[:, place - 1]
                paths[:, images, last] = follows[:, images, last] + self.in_blank[:-1, :, place]
            top = np.maximum(paths.max(0), LOWEST)
            with np.errstate(divide="ignore"):
                logs = np.maximum(top + np.log(np.exp(paths - top).sum(0)), LOWEST)
            beliefs[:, place] = np.exp(logs - begun[:, None])
            begun = logs[images, self.numbers[:, place]]
        each = zip(self.numbers, self.lengths.tolist(), self.share, beliefs, strict=True)
        return [Found.of(numbers[:length], share, belief[:length]) for numbers, length, share, belief in each]
