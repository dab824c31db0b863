"""Console output of a training, printed by rank zero only."""

from __future__ import annotations

import logging
import os
import warnings

from pytorch_lightning.utilities.rank_zero import rank_zero_only
from tqdm import tqdm

from capbench.data.look.labels import Labels
from capbench.data.sources.folder import Folder
from capbench.data.sources.found import Found
from capbench.errors import lines
from capbench.train.build import Experiment

EXAMPLES = 3  # labels printed before training begins
MOST_TOLD = 10  # labels that were left out


def is_rank_zero() -> bool:
    """Return True if this process is the only one or has rank zero: the process that writes files and prints."""
    return getattr(rank_zero_only, "rank", 0) == 0


def introduce(experiment: Experiment) -> None:
    """Print the composition of the experiment: warnings about the data, sizes of the parts, view and model."""
    material, codec = experiment.material, experiment.codec
    for left_out in material.bad:
        say(f"left out: {left_out}")
    for doubt in material.doubts:
        say(f"doubtful: {doubt}")
    if material.unseen:
        say(f"the training part has no {material.unseen!r}: texts with these symbols will count as mistakes")
    if isinstance(material.source, Found):
        tell(material.source.found)
    elif isinstance(material.source, Folder):
        found = ", ".join(f"{sample.name} is {sample.text!r}" for sample in material.source.samples[:EXAMPLES])
        say(f"labels: {found}, …")
    used = {name: len(part) for name, part in material.parts.items() if experiment.trains or name != "train"}
    sizes = ", ".join(f"{name} {count:,}" for name, count in used.items() if count)
    sizes += f" in {material.folds} folds" if material.folds else ""
    length = f"{codec.longest}" if codec.shortest == codec.longest else f"{codec.shortest} to {codec.longest}"
    model = experiment.settings["model"]["_target_"].rpartition(".")[2]
    size = sum(p.numel() for p in experiment.recognizer.model.parameters())
    say(
        f"images: {sizes}; {length} of {len(codec.alphabet.symbols)} symbols; "
        f"view {'×'.join(map(str, material.shape))}; {model} with {size:,} parameters"
    )


def tell(labels: Labels) -> None:
    """Print where the labels of a folder were found, and the first of those that were left out."""
    say(*(f"labels: {line}" for line in labels.told), *(f"left out: {line}" for line in labels.left_out[:MOST_TOLD]))
    more = len(labels.left_out) - MOST_TOLD
    if more > 0:
        say(f"left out: {more:,} more")


@rank_zero_only
def say(*rows: str) -> None:
    """Print lines, from rank zero only, above a progress bar that is shown."""
    with tqdm.external_write_mode():
        print(lines(rows), flush=True)


def quieten() -> None:
    """Silence Lightning's start-up messages and warnings, which say nothing about the experiment."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|torch\..*")
