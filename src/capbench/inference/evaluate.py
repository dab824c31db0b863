"""Verb evaluate: accuracy of a run on any labelled source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from capbench import metrics
from capbench.data import splits, store
from capbench.data.seen import Seen, Tested, met
from capbench.data.sources.base import Source
from capbench.data.sources.rendered import Synthetic
from capbench.decoding.search import Search
from capbench.decoding.told import Told
from capbench.errors import Mistake, lines
from capbench.inference.reader import Reader
from capbench.render.style import Style
from capbench.report import table
from capbench.runs import Prediction, RunFolder, provenance
from capbench.settings import build, check
from capbench.text import Alphabet, Codec, Length


def schema(
    *,
    run: str,
    part: Literal["test", "val", "train", "all"],
    out: str | None,
    cache: str | None,
    length: Length | None,
    drawn: Alphabet,
    style: Style,
    data: Source,
    alphabet: Alphabet | None = None,
) -> None:
    """Names and types of the verb's settings; `check` reads this signature."""


class Unfit(Mistake):
    """Error of a run whose view does not fit the source's images."""


def run(settings: dict[str, Any], called: str = "") -> str:
    """Read one part of the source with the run, store the result, and return it as a table.

    `called` is the source's name in a table of several sources.
    """
    settings = _drawn(settings)
    check(settings, schema)
    trained = RunFolder.named(settings["run"])
    out = RunFolder(Path(settings["out"] or trained.evaluations / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"))
    if out.path.absolute().is_relative_to(trained.path.absolute()):
        trained.check_within(out.path)
    reader = Reader.of(trained)
    seen = Seen.read(trained)
    tested = material(settings, reader)
    search = told_search(settings, reader, tested.source)
    codec = reader.codec if search is None else search.codec
    samples, views = tested.samples, tested.views
    texts = [codec.alphabet.folded(sample.text) for sample in samples]
    reading = reader.read_views(views, search)
    readings = list(tqdm(reading, desc="reading", total=len(texts), unit="img", leave=False, delay=1))
    predictions = [
        Prediction(sample.name, text, reading.text, reading.confidence)
        for sample, text, reading in zip(samples, texts, readings, strict=True)
    ]
    right = [p.text == p.answer for p in predictions]
    measured = metrics.of_readings(texts, [p.answer for p in predictions], [p.confidence for p in predictions])
    pairs = metrics.confusions(texts, [p.answer for p in predictions])
    result = {
        "run": settings["run"],
        "source": called,
        "part": settings["part"],
        **{f"test/{name}": value for name, value in measured.items()},
        "test/exact_ci": metrics.wilson(sum(right), len(right)),
        "test/images": len(right),
        **met(seen, tested, right),
        "test/truth": tested.source.truth,
        "test/confused": metrics.most_confused(pairs),
        "misfits": _misfits(codec, predictions),
        "params": sum(p.numel() for p in reader.model.parameters()),
        "data/bad": len(tested.kept.bad),
        "data/hash": tested.hash,
        **provenance(),
    }
    out.begin(settings)
    out.write_predictions(predictions)
    out.write_result(result)
    left_out = [f"left out: {reason}" for reason in tested.kept.bad]
    return "\n".join([table.pairing(result), lines([*result["misfits"], *left_out, "", f"written to {out.path}"])])


def _drawn(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with an alphabet for rendered captchas, since the command line may name none."""
    data = settings["data"]
    if data.get("alphabet", ...) is not None:
        return settings
    return settings | {"data": data | {"alphabet": settings["drawn"]}}


def told_search(settings: dict[str, Any], reader: Reader, source: Source) -> Search | None:
    """Return the search among the texts that the run is told; None where nothing is told.

    It is not told the alphabet of rendered captchas. The alphabet `auto` is that of the source's labels.
    """
    alphabet = None
    if settings.get("alphabet") is not None and not isinstance(source, Synthetic):
        alphabet = build(settings["alphabet"]).settled(sample.text for sample in source.samples)
    try:
        return reader.search(Told.of(alphabet, settings["length"]))
    except Mistake as mistake:
        raise Unfit(str(mistake)) from mistake


def material(settings: dict[str, Any], reader: Reader) -> Tested:
    """Return the images of the wanted part as the run's views."""
    source: Source = build(settings["data"])
    part = settings["part"]
    if isinstance(source, Synthetic):
        source = replace(source, fresh=False) if part == "all" else source.only(part)
    kept = store.prepare(source, reader.view, reader.codec.longest, settings["cache"], reader.batch)
    height, width, channels = kept.views.shape[-3:]
    if (channels, height, width) != reader.shape:
        wanted = "×".join(map(str, reader.shape))
        raise Unfit(
            f"data: gives views of {channels}×{height}×{width} and {settings['run']} reads {wanted}; "
            f"train it with view.size to read images of any size"
        )
    places = np.arange(len(kept.numbers))
    if part != "all":
        parts = source.parts(kept.numbers, kept.digests)
        if part == "train" and source.train_size is not None:
            parts = splits.keep_fewer(parts, kept.digests, source.train_size)
        places = np.flatnonzero(parts == part)
    if not len(places):
        raise Mistake(f"part: {part} holds no image of {len(kept.numbers)}; choose part=all")
    return Tested(source, kept, places)


def _misfits(codec: Codec, predictions: Sequence[Prediction]) -> list[str]:
    """Return the reasons why some texts cannot be read from any image; they count as mistakes."""
    misfits = []
    texts = [p.text for p in predictions]
    # All texts are looked at together first: one by one takes long, and most sources hold no such text.
    strange = [text for text in texts if codec.outside(text)] if codec.outside("".join(texts)) else []
    if strange:
        symbols = "".join(sorted({symbol for text in strange for symbol in codec.outside(text)}))
        misfits.append(f"{len(strange):,} texts hold {symbols!r}, which the recogniser does not know")
    other = [text for text in texts if not codec.shortest <= len(text) <= codec.longest]
    if other:
        misfits.append(
            f"{len(other):,} texts have a length that it does not read ({codec.shortest} to {codec.longest})"
        )
    if not misfits:
        return []
    readable = [p.text == p.answer for p in predictions if codec.fault(p.text) is None]
    if readable:
        misfits[-1] += f"; of the other {len(readable):,} it reads {sum(readable) / len(readable):.4f}"
    return misfits
