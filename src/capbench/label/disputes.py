"""HTML page of images whose texts are in doubt, for a person to label: engines disagree, or a label is probably wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from capbench import images
from capbench.data.corrections import digest_of
from capbench.data.views import pick, resize
from capbench.errors import BadImage
from capbench.images.folder import Files
from capbench.label.agreement import Decision
from capbench.report.embedded import data_uri
from capbench.report.html import single_file
from capbench.text import Reading
from capbench.utils.atomic import replacing

HERE = Path(__file__).parent
MOST = 500  # images on a page
LARGEST = 800  # pixels, of an image's longer side on the page


class Row(NamedTuple):
    """One image on the page."""

    name: str
    readings: Mapping[str, Reading]
    """Readings by engine."""
    reason: str
    """Reason why the readings make no label."""
    picture: str = ""
    """Image as a data URI."""
    digest: str = ""
    fault: str = ""
    """Reason why there is no picture, else empty."""


def page(
    path: Path, files: Files, decisions: Mapping[str, Decision], readings: Mapping[str, Mapping[str, Reading]]
) -> None:
    """Write the page of the images without a label, at most MOST.

    Images that some engine read with high confidence come first: there the engines contradict each other most.
    """
    disputed = [name for name, decision in decisions.items() if not decision.label]
    disputed.sort(key=lambda name: (-max(r.confidence for r in readings[name].values()), name))
    rows = [_row(files, name, decisions[name].reason, readings[name]) for name in disputed[:MOST]]
    then = "Then run the labelling again with corrections=FILE. All later labellings keep these corrections."
    _write(path, rows, "disputed images", then, len(disputed))


def doubtful(path: Path, files: Files, readings: Mapping[str, Mapping[str, Reading]]) -> None:
    """Write the page of labels that are probably wrong, at most MOST, with the label and the reading of each."""
    rows = [_row(files, name, "", choices) for name, choices in list(readings.items())[:MOST]]
    then = "Then train again with data.corrections=FILE."
    _write(path, rows, "labels that are probably wrong", then, len(readings))


def _write(path: Path, rows: Sequence[Row], what: str, then: str, count: int) -> None:
    style, script = HERE / "disputes.css", HERE / "disputes.js"
    values = {"rows": rows, "what": what, "then": then, "count": count}
    with replacing(path) as file:
        file.write(single_file(HERE / "disputes.html.jinja", style, [script], "img-src data:", **values))


def _row(files: Files, name: str, reason: str, readings: Mapping[str, Reading]) -> Row:
    row = Row(name, readings, reason)
    try:
        content = files.read(name)
        picture = data_uri(_fitted(pick(images.decode(content), "colour")))
    except BadImage as error:  # removed or changed since the engines read it
        return row._replace(fault=str(error))
    return row._replace(picture=picture, digest=digest_of(content))


def _fitted(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = LARGEST / max(height, width)
    return (
        picture if scale >= 1 else resize(picture, max(1, int(height * scale)), max(1, int(width * scale)), "stretch")
    )
