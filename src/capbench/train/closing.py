"""Last lines of a training: what would bring more, and the commands that come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capbench.train.build import Experiment
from capbench.train.curve import best, gap, improvement
from capbench.utils.overrides import pasted

GOOD = 0.95  # exact accuracy on validation, from which little is left to gain


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
        told = [_level(experiment, rows)]
    return told


def _level(experiment: Experiment, rows: Sequence[Mapping[str, float]]) -> str:
    """Return a line on a training whose validation was level at the end.

    As the learning rate falls to its end, validation is level in any case. So more of the same brings little only where
    the images are read well.
    """
    exact, learned = best(rows)["val/exact"], rows[-1].get("train/exact", 0.0)
    if exact >= GOOD:
        return f"more minutes, or more images like these, would bring little: validation is level at {exact:.4f}"
    longer = _longer(experiment, len(rows), rows[-1]["seconds"])
    try_longer = "" if longer is None else f"train longer with {longer}, or "
    return f"only {learned:.4f} of the training images are read at the end: {try_longer}try another model or view"


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
