"""Results as a table on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capbench.errors import lines

CONFUSED = 3  # pairs of symbols that are told
SHOWN = ("exact", "exact_nocase", "char", "cer", "confidence", "ece", "loss")


def results(result: Mapping[str, Any]) -> str:
    """Return a table of each part's metrics side by side, then lines on the labels, the cost and the confusions."""
    parts = ("train", "val", "test")
    rows = ["", f"{'':14}" + "".join(f"{part:>10}" for part in parts)]
    for name in SHOWN:
        cells = [result.get(f"{part}/{name}") for part in parts]
        rows.append(f"{name:14}" + "".join(f"{'' if cell is None else format(cell, '.4f'):>10}" for cell in cells))
    folds = f", each read by one of {result['data/folds']:,} recognisers" if "data/folds" in result else ""
    rows += ["", f"test/exact is {_interval(result)}{folds}", *_truth(result), _cost(result)]
    return lines([*rows, *_confused(result)])


def pairing(result: Mapping[str, Any]) -> str:
    """Return the metrics of a trained run on another source, one on each line."""
    rows = [f"{name:14}{result[f'test/{name}']:>10.4f}" for name in SHOWN if f"test/{name}" in result]
    return lines([*rows, "", f"exact is {_interval(result)}", *_truth(result), *_confused(result)])


def _interval(result: Mapping[str, Any]) -> str:
    """Return the confidence interval of the exact accuracy, and the images that it was measured on."""
    low, high = result["test/exact_ci"]
    known = met(result)
    on = f"{result['test/images']:,} images ({known})" if known else f"{result['test/images']:,} unseen images"
    return f"{low:.4f} to {high:.4f} with 95 % confidence, on {on}"


def met(result: Mapping[str, Any]) -> str:
    """Return how many tested images the run had used before, or "" where it is known that there were none."""
    taught, validated = result.get("test/taught"), result.get("test/validated")
    if taught is None or validated is None:
        return "which of them it was trained on is not known"
    unseen = result["test/images"] - taught - validated
    rows = [f"{taught:,} that it, or a run it started from, was trained on"] if taught else []
    rows += [f"{validated:,} used to choose the best epoch"] if validated else []
    rows += [f"it reads {result['test/exact_unseen']:.4f} of the {unseen:,} unseen ones"] if rows and unseen else []
    return "; ".join(rows)


def _truth(result: Mapping[str, Any]) -> list[str]:
    """Return a line for results whose labels come from OCR engines and may be wrong, else none."""
    if result.get("test/truth") != "engines":
        return []
    return [
        "measured with labels that engines agreed on, on the images where they agreed: a mistake that they share counts "
        "as right"
    ]


def _cost(result: Mapping[str, Any]) -> str:
    size = f"{result['params']:,} parameters"
    if not result["train/images"]:
        return f"{size}, all from the runs that it started from: nothing was trained"
    last = "; the last recogniser, trained on all images: " if "data/folds" in result else ", "
    return (
        f"{size}{last}{result['train/seconds']:.0f} s, {result['train/images']:,} images seen "
        f"at {result['train/images_per_second']:,.0f} a second"
    )


def _confused(result: Mapping[str, Any]) -> list[str]:
    """Return a line on the symbols that are confused most often, else none."""
    pairs = [_in_words(*pair) for pair in result["test/confused"][:CONFUSED]]
    return [f"most confused: {', '.join(pairs)}"] if pairs else []


def _in_words(true: str, read: str, count: int) -> str:
    times = "once" if count == 1 else f"{count:,} times"
    if not read:
        return f"{true} is left out {times}"
    return f"{true} is read as {read} {times}" if true else f"{read} is read where nothing is {times}"
