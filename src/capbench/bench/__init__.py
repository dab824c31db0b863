"""The verb bench: speeds beside those of a peer, measured alternately, as medians over several rounds."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from capbench.bench import clean, compare, ensemble, evaluate, read, render, train
from capbench.bench.pairs import Pair, measured
from capbench.errors import Mistake, nearest
from capbench.settings import check
from capbench.types import Count
from capbench.utils.atomic import replacing


def schema(*, only: str | None, rounds: Count, images: Count, out: str) -> None:
    """Declare the verb's own settings; the others belong to the timed training and to each kind of pair."""


def run(settings: dict[str, Any]) -> str:
    """Measure the wanted pairs, write them as JSON, and return them as a table."""
    own = {key: settings.pop(key) for key in ("only", "rounds", "images", "out")}
    of_pairs = {key: settings.pop(key) for key in ("clean", "ensemble", "read")}
    check(own, schema)
    with tempfile.TemporaryDirectory(prefix="capbench-") as folder, ExitStack() as running:
        pairs = [
            *render.pairs(settings, Path(folder)),
            *clean.pairs(of_pairs["clean"]),
            *train.pairs(settings, Path(folder)),
            *ensemble.pairs(settings, of_pairs["ensemble"], Path(folder)),
            *evaluate.pairs(settings, Path(folder), own["images"]),
            *read.pairs(settings, of_pairs["read"], Path(folder)),
            *_served_pairs(settings, Path(folder), running),
            *compare.pairs(settings, Path(folder)),
            *_knn_pairs(),
        ]
        wanted = [pair for pair in pairs if pair.name.startswith(own["only"] or "")]
        if not wanted:
            raise Mistake(
                f"only: {own['only']} is not the beginning of a name; {nearest(own['only'], [pair.name for pair in pairs])}"
            )
        rows = [measured(pair, own["rounds"]) for pair in tqdm(wanted, desc="bench", unit="pair", leave=False)]
    with replacing(Path(own["out"])) as file:
        json.dump(rows, file, indent=1)
    width = max(len(row["name"]) for row in rows)
    head = f"{'':{width}} {'ours':>12} {'peer':>12} {'ratio':>8}"
    lines = [
        f"{row['name']:{width}} {_shown(row['ours']):>12} {_shown(row['peer']):>12} {row['ratio']:>8.2f}  {row['unit']}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _served_pairs(settings: dict[str, Any], folder: Path, running: ExitStack) -> list[Pair]:
    """Return the pairs of the HTTP service, none where its packages are missing."""
    if find_spec("uvicorn") is None:
        print("read/served is left out: python -m pip install 'capbench[serve]'", file=sys.stderr)
        return []
    from capbench.bench import served

    return served.pairs(settings, folder, running)


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _knn_pairs() -> list[Pair]:
    """Return the pair of nearest neighbours, none where scikit-learn is missing."""
    if find_spec("sklearn") is None:
        print("knn/sklearn is left out: python -m pip install scikit-learn", file=sys.stderr)
        return []
    from capbench.bench import knn

    return knn.pairs()
