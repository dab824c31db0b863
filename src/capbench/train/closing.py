"""Last lines of a training: what would bring more, and the commands that come next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from capbench.train.build import Experiment
from capbench.train.curve import best, gap, improvement
from capbench.utils.overrides import pasted

GOOD = 0.95  # exact accuracy on validation, below which another recogniser may be worth a try


def advice(experiment: Experiment, rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return lines on whether more minutes or more images would bring more, from the rows of metrics.csv.

    Nothing is said where the rows do not tell: without validation, or of a training in one pass.
    """
    images = len(experiment.material.parts["val"])
    improved = improvement(rows, images)
    if len(rows) == 1 and experiment.optim.epochs is None:
        improved = "its time was over within the first epoch"
    longer = None if improved is None else _longer(experiment, len(rows), rows[-1]["seconds"])
    told = (
        [] if longer is None else [f"still improving when the training ended: {improved}; train longer with {longer}"]
    )
    missing = gap(rows, images)
    if missing is not None:
        told.append(f"more labelled images would bring more: {missing}")
    if not told and improved is None and len(rows) > 1 and images:
        told = [*_level(rows)]
    return told


def _level(rows: Sequence[Mapping[str, float]]) -> Iterator[str]:
    exact = best(rows)["val/exact"]
    other = "" if exact >= GOOD else "; another model or view may"
    yield f"more minutes, or more images like these, would bring little: validation is level at {exact:.4f}{other}"


def _longer(experiment: Experiment, epochs: int, seconds: float) -> str | None:
    """Return the setting that makes a training longer, or None for one that ended before its planned end."""
    optim = experiment.optim
    if epochs == optim.epochs:
        return f"optim.epochs={2 * epochs}"
    if optim.minutes is not None and seconds >= 60 * optim.minutes:
        return f"minutes={2 * experiment.settings['optim']['minutes']:g}"
    return None


def commands(where: str, settings: Mapping[str, object]) -> list[str]:
    """Return the commands that read images with the run in folder `where`, serve it and export it.

    The images to read are those of the training's folder, if it has one.
    """
    data = settings["data"]
    root = data.get("root") if isinstance(data, Mapping) else None
    run, images = pasted("run", where), pasted("images", root or "DIR")
    return [
        f"read images: python -m capbench predict {run} {images}",
        f"serve:       python -m capbench serve {run}",
        f"export:      python -m capbench export {run} out=model.onnx",
    ]
