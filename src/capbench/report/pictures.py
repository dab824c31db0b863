"""Pictures of a run: inputs, learning curves, confusions, errors."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from capbench.utils.atomic import replacing

RIGHT, WRONG, QUIET = "#1a7f37", "#cf222e", "#57606a"
TRAIN, VALIDATION = "#9a6700", "#0969da"


def _save(figure: Figure, path: Path) -> Path:
    FigureCanvasAgg(figure)
    with replacing(path, "wb") as file:
        figure.savefig(file, format="png", dpi=110, bbox_inches="tight")
    return path


def sheet(path: Path, views: Sequence[np.ndarray], captions: Sequence[str], title: str, colour: str = QUIET) -> Path:
    """Save views [height, width, channel], each with a caption, in rows of four; return the path."""
    columns = min(4, max(len(views), 1))
    rows = max(1, -(-len(views) // columns))
    aspects = sorted(view.shape[0] / view.shape[1] for view in views) or [1 / 3]
    cell = 2.4
    figure = Figure(
        figsize=(columns * cell, rows * (cell * aspects[len(aspects) // 2] + 0.45) + 0.5), layout="constrained"
    )
    figure.suptitle(title, fontsize=11)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(views):
            _show(axes, views[place])
            axes.set_title(_literal(captions[place]), fontsize=9, color=colour)
    return _save(figure, path)


class Chain(NamedTuple):
    """Row of `chains`: an image, the picture after each step, and the boxes that the last picture is cut by."""

    pictures: Sequence[np.ndarray]
    boxes: Sequence[Sequence[int]]
    caption: str
    colour: str


def chains(path: Path, rows: Sequence[Chain], headings: Sequence[str], title: str) -> Path:
    """Save a picture with a row for each image, and return its path.

    The image stands first with its caption, followed by a column for each of the headings. Boxes are [top, bottom,
    left, right] in pixels.
    """
    height, width = rows[0].pictures[0].shape[:2]
    cell = 2.4
    columns = 1 + len(headings)
    size = (columns * cell, len(rows) * (cell * height / width + 0.3) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(_literal(title), fontsize=11)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for row, cells in zip(rows, grid, strict=True):
        for picture, axes, heading in zip(row.pictures, cells, ["", *headings], strict=True):
            axes.axis("off")
            _show(axes, picture)
            axes.set_title(heading if row is rows[0] else "", fontsize=9, color=QUIET)
        for top, bottom, left, right in row.boxes:
            box = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, color=row.colour)
            cells[-1].add_patch(box)
        cells[0].set_title(_literal(row.caption), fontsize=9, color=row.colour, loc="left")
    return _save(figure, path)


def _show(axes: Axes, picture: np.ndarray) -> None:
    """Draw a picture, uint8 [height, width] or [height, width, 1, 3 or 4]."""
    grey = picture.ndim == 3 and picture.shape[2] == 1
    axes.imshow(picture[:, :, 0] if grey else picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def curves(path: Path, metrics: Path) -> Path:
    """Save the curves of loss and exact accuracy over the epochs of metrics.csv, and return the path.

    Training and validation share the axes.
    """
    with metrics.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [float(row["epoch"]) for row in rows]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "exact"), strict=True):
        for part, colour in (("train", TRAIN), ("val", VALIDATION)):
            known = [
                (e, float(row[f"{part}/{name}"]))
                for e, row in zip(epochs, rows, strict=True)
                if row.get(f"{part}/{name}")
            ]
            if known:
                axes.plot(*zip(*known, strict=True), color=colour, marker="o", markersize=3, label=part)
        axes.set_xlabel("epoch")
        axes.set_title("loss" if name == "loss" else "texts read exactly")
        axes.grid(alpha=0.25)
        if axes.lines:
            axes.legend(frameon=False)
    return _save(figure, path)


def confusion(path: Path, pairs: Counter[tuple[str, str]]) -> Path:
    """Save the confusion matrix of (true, read) symbols, and return its path.

    Rows are true symbols and columns read symbols. Cells are shares of each true symbol; the diagonal is left out so
    that errors are visible.
    """
    symbols = sorted({symbol for pair in pairs for symbol in pair})
    place = {symbol: i for i, symbol in enumerate(symbols)}
    counts = np.zeros((len(symbols), len(symbols)))
    for (true, read), count in pairs.items():
        counts[place[true], place[read]] += count
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    size = max(3.5, 0.22 * len(symbols) + 1.5)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Reds", vmin=0, vmax=max(float(shares.max()), 0.01))
    names = [_literal(symbol) if symbol else "∅" for symbol in symbols]
    axes.set_xticks(range(len(symbols)), names, fontsize=8)
    axes.set_yticks(range(len(symbols)), names, fontsize=8)
    axes.set_xlabel("read")
    axes.set_ylabel("true")
    axes.set_title("mistakes, as a share of each true symbol", fontsize=10)
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    return _save(figure, path)


def _literal(text: str) -> str:
    """Return a caption in which a dollar sign does not begin a formula."""
    return text.replace("$", r"\$")
