"""Initial weights of a training, taken from finished runs."""

from __future__ import annotations

from pathlib import Path

from capbench.data.seen import Seen
from capbench.errors import Mistake
from capbench.inference.reader import Reader
from capbench.models import Model, PerCharacter
from capbench.models.committee import Committee
from capbench.runs import RunFolder
from capbench.text import Codec


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
    folder = RunFolder(Path(start))
    known = Reader.of(folder)
    if model.gradient_free:
        raise Mistake("start: a gradient-free model cannot start from another run; choose start=null")
    if known.codec.alphabet.symbols != codec.alphabet.symbols:
        raise Mistake(
            f"start: {start} reads {known.codec.alphabet.symbols!r}, this one {codec.alphabet.symbols!r}; "
            f"train it with the same alphabet"
        )
    try:
        model.load_state_dict(known.model.state_dict())
    except RuntimeError as error:
        raise Mistake(f"start: {start} has another model, view or data.length; train it with the same") from error
    return Seen.read(folder)
