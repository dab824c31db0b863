"""Choice of view, augmentation and recogniser from the images, where the settings leave them open."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from capbench.data.look import sight, texts
from capbench.data.sources.base import Source
from capbench.runs import UNIVERSAL, RunFolder
from capbench.settings import TARGET, build, check, conf_dir
from capbench.text import AUTO, Alphabet
from capbench.train.console import say

MANY = 8000  # images from which weaker augmentation is enough
ENOUGH = 500  # images from which texts of one length are learned better by a network of their own, in the same time
RATE = 1e-3  # highest learning rate of a training that starts from the universal reader
SMALL = 6000  # pixels of a view, up to which a network looks at finer detail in the same time


class Chosen:
    """Placeholder for a part that is chosen before the training: view=auto, augment=auto, model=auto."""


NAME = f"{Chosen.__module__}.{Chosen.__qualname__}"


def choose(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with each open part chosen by looking at the images, and tell what was chosen."""
    left_open = [part for part in ("view", "augment", "model") if _is_open(settings.get(part))]
    if not left_open:
        return settings
    check({"data": settings["data"], "alphabet": settings["alphabet"]}, _looked_at)
    source: Source = build(settings["data"])
    chosen = {**settings, "alphabet": _alphabet(settings["alphabet"], source)}
    view, told = sight.view(source) if "view" in left_open else (settings["view"], "")
    free = {"view", "model"} <= {*left_open} and settings["start"] is None
    if free and _suffices(source):
        say(f"start: random weights, since {_count(source):,} texts of one length are enough for a small network")
    elif free and view["channel"] != "alpha" and _is_known(chosen["alphabet"], source):
        say(f"start: the universal reader, {RATE} as the highest learning rate")
        parts = {"view": option("view", "line"), "model": option("model", "universal")}
        chosen |= parts | {"start": UNIVERSAL, "optim": {**settings["optim"], "lr": RATE}}
        left_open = [part for part in left_open if part == "augment"]
    if "view" in left_open:
        chosen["view"] = view
        say(f"view: {told}")
    if "augment" in left_open:
        chosen["augment"] = option("augment", "light" if _count(source) >= MANY else "moved")
    if "model" in left_open:
        chosen["model"] = _model(source, chosen["view"].get("size"))
    return chosen


def _is_open(part: object) -> bool:
    """Return True for a part that is still to be chosen; an old or a stranger's run may lack parts."""
    return isinstance(part, dict) and part.get(TARGET) == NAME


def _count(source: Source) -> int:
    """Return the number of images to learn from, those that validate and test included if none is left out."""
    return source.train_size or len(source.samples)


def _suffices(source: Source) -> bool:
    """Return True if a small network, which sees five times as many images a second, learns more from the images alone.

    It has a score for each symbol at each position, so that the texts must have one length.
    """
    shortest, longest = source.lengths()
    return shortest == longest and _count(source) >= ENOUGH


def _is_known(alphabet: dict[str, Any], source: Source) -> bool:
    """Return True if the universal reader has room for the source's texts and knows all their symbols."""
    universal = RunFolder.named(UNIVERSAL).read_result()
    own: Alphabet = build(alphabet)
    symbols = own.settled(sample.text for sample in source.samples).symbols
    width = universal["view/shape"][2]
    return sight.least_width(source.lengths()[1]) <= width and {*symbols} <= {*map(own.folded, universal["alphabet"])}


def _looked_at(*, data: Source, alphabet: Alphabet) -> None:
    """Declare the settings that are built here; `check` reads this signature."""


def _alphabet(settings: dict[str, Any], source: Source) -> dict[str, Any]:
    """Return the settings of the alphabet, folded to one case where the other is rare, and tell what the texts are."""
    known = [sample.text for sample in source.samples]
    if settings["symbols"] != AUTO:
        return settings
    fold = settings["fold"] or texts.fold(known)
    alphabet: Alphabet = build({**settings, "fold": fold})
    symbols = alphabet.settled(known).symbols
    shortest, longest = source.lengths()
    length = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    case = f", in {fold} case" if fold else ""
    say(f"texts: {length} of {len(symbols)} symbols, {symbols}{case}")
    return {**settings, "fold": fold}


def _model(source: Source, size: list[int] | None) -> dict[str, Any]:
    """Return the settings of a network for texts of these lengths, and for views of this height and width."""
    shortest, longest = source.lengths()
    if shortest != longest:
        return option("model", "crnn")
    small = size is not None and size[0] * size[1] <= SMALL
    finer = {"stem": [16], "widths": [40, 64]} if small else {"stem": [8, 16], "widths": [48, 96]}
    return {**option("model", "cnn"), **finer, "strides": [2, 1]}


def option(group: str, name: str) -> dict[str, Any]:
    """Return the settings of a file below conf/, with those of the option that it takes over."""
    settings: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))
    for base in settings.pop("defaults", []):
        settings = option(group, base) | settings
    return settings
