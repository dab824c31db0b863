"""Results on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = ("exact", "exact_nocase", "char", "cer", "confidence", "ece", "loss")


def results(result: Mapping[str, Any]) -> str:
    """Each part's metrics side by side, then what it cost."""
    parts = ("train", "val", "test")
    lines = ["", f"{'':14}" + "".join(f"{part:>10}" for part in parts)]
    for name in SHOWN:
        cells = [result.get(f"{part}/{name}") for part in parts]
        lines.append(f"{name:14}" + "".join(f"{'' if cell is None else format(cell, '.4f'):>10}" for cell in cells))
    low, high = result["test/exact_ci"]
    folds = f", each by one of {result['data/folds']:,} recognisers" if "data/folds" in result else ""
    lines += [
        "",
        f"test/exact is {low:.4f} to {high:.4f} with 95 % confidence, on {result['test/images']:,} unseen images{folds}",
        f"{result['params']:,} parameters, {result['train/seconds']:.0f} s, "
        f"{result['train/images']:,} images seen at {result['train/images_per_second']:,.0f} a second",
    ]
    return "\n".join([*lines, *_confused(result)])


def pairing(result: Mapping[str, Any]) -> str:
    """What a trained run read of another source."""
    lines = [f"{name:14}{result[f'test/{name}']:>10.4f}" for name in SHOWN if f"test/{name}" in result]
    low, high = result["test/exact_ci"]
    interval = f"exact is {low:.4f} to {high:.4f} with 95 % confidence, on {result['test/images']:,} images"
    return "\n".join([*lines, "", interval, *_confused(result)])


def _confused(result: Mapping[str, Any]) -> list[str]:
    if not result["test/confused"]:
        return []
    pairs = (f"{true or '∅'}→{read or '∅'} ×{count}" for true, read, count in result["test/confused"][:6])
    return [f"most confused: {', '.join(pairs)}"]
