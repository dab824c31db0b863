"""Initial weights of a training, taken from finished runs."""

from __future__ import annotations

import torch

from capbench.data.seen import Seen
from capbench.errors import Mistake
from capbench.inference.reader import Reader
from capbench.models import Model, PerCharacter
from capbench.models.committee import Committee
from capbench.runs import RunFolder
from capbench.settings import build
from capbench.text import Codec

Weights = dict[str, torch.Tensor]


def begin_with(start: str | list[str], model: Model, codec: Codec) -> Seen | None:
    """Load the weights of a finished run into the model, or of several runs into the members of a committee.

    Returns the images that these runs have met, or None if a run did not record them.
    """
    if isinstance(start, str):
        return _take(start, model, codec)
    body = model.model if isinstance(model, PerCharacter) else model
    if not isinstance(body, Committee):
        raise Mistake("start: several runs make a committee; choose model=committee, or give one run")
    if len(start) != len(body.members):
        raise Mistake(f"start: names {len(start)} runs for {len(body.members)} members; set model.size={len(start)}")
    seen = []
    for run, member in zip(start, body.members, strict=True):
        assert isinstance(member, Model)
        seen.append(_take(run, PerCharacter(member) if body is not model else member, codec))
    return Seen.by_all(seen)


def _take(start: str, model: Model, codec: Codec) -> Seen | None:
    folder = RunFolder.named(start)
    known = Reader.of(folder)
    if model.gradient_free:
        raise Mistake("start: a gradient-free model cannot start from another run; choose start=null")
    weights = known.model.state_dict()
    if known.codec.alphabet.symbols != codec.alphabet.symbols:
        weights = _for_alphabet(weights, folder, known, codec)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise Mistake(f"start: {start} has another model, view or data.length; train it with the same") from error
    return Seen.read(folder)


def _for_alphabet(weights: Weights, folder: RunFolder, known: Reader, codec: Codec) -> Weights:
    """Return a run's weights with the rows of its classifier chosen by the symbols of another alphabet.

    A symbol that stands for both cases gets the mean of their rows.
    """
    symbols = known.codec.alphabet.symbols
    rows = [
        [number for number, one in enumerate(symbols) if codec.alphabet.folded(one) == symbol]
        for symbol in codec.alphabet.symbols
    ]
    if lacking := "".join(symbol for symbol, row in zip(codec.alphabet.symbols, rows, strict=True) if not row):
        raise Mistake(f"start: {folder.path} reads {symbols!r} and not {lacking!r}; choose an alphabet within it")
    rows += [[known.codec.blank]] * (codec.classes - len(rows))
    chosen = dict(weights)
    for name in _of_classes(folder, known):
        if len(weights[name]) != known.codec.classes:
            raise Mistake(
                f"start: {folder.path} scores all positions at once, so that it starts a run of its own alphabet only; "
                f"train this one with alphabet.symbols={symbols}"
            )
        chosen[name] = torch.stack([weights[name][row].mean(0) for row in rows])
    return chosen


def _of_classes(folder: RunFolder, known: Reader) -> list[str]:
    """Return the names of a run's weights whose size depends on the number of classes."""
    with torch.device("meta"):
        positions = 1 if known.view.cuts else known.codec.longest
        other: Model = build(folder.settings()["model"], known.shape, positions, known.codec.classes + 1)
    wider = (PerCharacter(other) if known.view.cuts else other).state_dict()
    return [name for name, tensor in known.model.state_dict().items() if tensor.shape != wider[name].shape]
