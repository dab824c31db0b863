"""A trained run on any labelled source: what it reads of images that it may never have been meant for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from capbench import metrics
from capbench.data import store
from capbench.data.sources import Sample, Source, Synthetic
from capbench.errors import Mistake
from capbench.reader import Reader
from capbench.render.style import Style
from capbench.report import table
from capbench.runs import Prediction, RunFolder, provenance
from capbench.settings import build, check
from capbench.text import Alphabet


def schema(
    *,
    run: str,
    part: Literal["test", "val", "train", "all"],
    out: str,
    cache: str | None,
    alphabet: Alphabet,
    style: Style,
    data: Source,
) -> None:
    """The settings of the verb, by name and type; the check reads this signature."""


class Unfit(Mistake):
    """This run cannot read this source, whatever it holds."""


def evaluate(settings: dict[str, Any], called: str = "") -> str:
    """Read a part of the source with the run, write down what came of it, and tell it as a table.

    `called` names the source, beside others that the run is evaluated on.
    """
    check(settings, schema)
    trained = RunFolder(Path(settings["run"]))
    reader = Reader.of(trained)
    samples, views, source_hash = material(settings, reader)
    texts = [reader.codec.alphabet.folded(sample.text) for sample in samples]
    readings = list(tqdm(reader.read_views(views), desc="reading", total=len(texts), unit="img", leave=False, delay=1))
    predictions = [
        Prediction(sample.name, text, reading.text, reading.confidence)
        for sample, text, reading in zip(samples, texts, readings, strict=True)
    ]
    right = [p.text == p.answer for p in predictions]
    measured = metrics.of_readings(texts, [p.answer for p in predictions], [p.confidence for p in predictions])
    pairs = metrics.confusions(texts, [p.answer for p in predictions])
    result = {
        "run": str(trained.path),
        "source": called,
        "part": settings["part"],
        **{f"test/{name}": value for name, value in measured.items()},
        "test/exact_ci": metrics.wilson(sum(right), len(right)),
        "test/images": len(right),
        "test/confused": metrics.most_confused(pairs),
        "misfits": _misfits(reader, predictions),
        "params": sum(p.numel() for p in reader.model.parameters()),
        "data/hash": source_hash,
        **provenance(),
    }
    out = RunFolder(Path(settings["out"]))
    out.begin(settings)
    out.write_predictions(predictions)
    out.write_result(result)
    return "\n".join([table.pairing(result), *result["misfits"], "", f"written to {out.path}"])


def material(settings: dict[str, Any], reader: Reader) -> tuple[list[Sample], np.ndarray, str]:
    """The samples of the wanted part, their views, and a hash of the source."""
    source: Source = build(settings["data"])
    if isinstance(source, Synthetic) and settings["part"] != "all":
        source = source.only(settings["part"])
    kept = store.prepare(source, reader.view, reader.codec.longest, settings["cache"])
    height, width, channels = kept.views.shape[-3:]
    if (channels, height, width) != reader.shape:
        wanted = "×".join(map(str, reader.shape))
        raise Unfit(
            f"data: gives views of {channels}×{height}×{width} and {settings['run']} reads {wanted}; "
            f"train it with view.size, so that images of any size fit"
        )
    samples = [source.samples[number] for number in kept.numbers]
    places = np.arange(len(samples))
    if settings["part"] != "all":
        places = np.flatnonzero(source.parts(kept.numbers, kept.digests) == settings["part"])
    if not len(places):
        raise Mistake(f"part: {settings['part']} holds no image of {len(samples)}; choose part=all")
    return [samples[place] for place in places], kept.views[places], source.key


def _misfits(reader: Reader, predictions: Sequence[Prediction]) -> list[str]:
    """Why some texts cannot be read whatever the image: they count as mistakes."""
    codec = reader.codec
    lines = []
    strange = [p.text for p in predictions if codec.outside(p.text)]
    if strange:
        symbols = "".join(sorted({symbol for text in strange for symbol in codec.outside(text)}))
        lines.append(f"{len(strange):,} texts hold {symbols!r}, which the recogniser does not know")
    other = [p.text for p in predictions if not codec.shortest <= len(p.text) <= codec.longest]
    if other:
        lines.append(f"{len(other):,} texts have a length that it does not read ({codec.shortest} to {codec.longest})")
    readable = [p.text == p.answer for p in predictions if codec.fault(p.text) is None]
    if lines and readable:
        lines[-1] += f"; of the other {len(readable):,} it reads {sum(readable) / len(readable):.4f}"
    return lines
