"""Pairs: reading one image and accuracy on real captchas, both beside ddddocr; many files beside a bare loop."""

from __future__ import annotations

import json
import string
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

import capbench
from capbench import images
from capbench.bench.pairs import Pair, Timed, silence, speed
from capbench.data.sources.table import Csv
from capbench.data.views import View
from capbench.images.folder import Files
from capbench.inference import predict
from capbench.inference.reader import BATCH, Reader
from capbench.label.engines.base import Read
from capbench.label.engines.networks import Dddd, Rapid
from capbench.models import Model
from capbench.render.painter import Painter
from capbench.runs import RunFolder
from capbench.settings import build, check, target_class
from capbench.text import Alphabet
from capbench.train import experiment
from capbench.utils.extras import needed

READS = 100  # reads of one image in each round
TOGETHER = 64  # images of a batch
TRAINED_ON = 256  # images; a network's speed does not depend on its training, that of nearest neighbours does
LENGTHS = [3, 5]  # of texts over time; of one length, a network that has learned little has a path to search for
SPLIT = {"train": TRAINED_ON, "val": 32, "test": 32}


def schema(
    *, whole: dict[str, Model], characters: View, cut: dict[str, Model], labelled: Csv, sets: list[str], images: int
) -> None:
    """Declare recognisers of whole images and of cut characters, sets of real captchas, and the number of files."""


def pairs(settings: dict[str, Any], own: dict[str, Any], folder: Path) -> list[Pair]:
    """Return the pairs; `settings` are those of a training, `own` those that `schema` declares."""
    check(own, schema, "read")
    views = dict.fromkeys(own["whole"], settings["view"]) | dict.fromkeys(own["cut"], own["characters"])
    picture = Painter(build(settings["style"]), string.digits, 4, 4, 1).sample(0)[0]
    content = _png(picture)

    @cache
    def reader(name: str) -> Reader:
        run = folder / "readers" / name
        model = (own["whole"] | own["cut"])[name]
        lengths = {"length": LENGTHS} if target_class(model).over == "time" else {}
        data = settings["data"] | lengths | {"fresh": False, "split": settings["data"]["split"] | SPLIT}
        described = {"data": data, "view": views[name], "model": model, "cache": None}
        with silence():
            experiment.run(settings | described, RunFolder(run), resumed=False)
        return capbench.load(run)

    def ours(name: str, quantile: float) -> Timed:
        return lambda: milliseconds(lambda: reader(name).read(content), quantile)

    def theirs(quantile: float) -> Timed:
        return lambda: milliseconds(lambda: ddddocr().classification(content), quantile)

    def network() -> float:
        views = torch.from_numpy(np.moveaxis(reader("cnn").preprocess(picture), -1, 0)[None].copy()).float() / 255
        with torch.inference_mode():
            return milliseconds(lambda: reader("cnn").model(views), 0.5)

    alone = "ms for one image, one thread; less is better; peer: its network alone, as PyTorch plays it"
    files = f"images/s of {own['images']:,} files; peer: a loop that decodes and reads"
    found = [
        Pair("read/cnn_network", ours("cnn", 0.5), network, alone),
        Pair("read/predict", *_predicting(lambda: reader("cnn"), settings, folder, own["images"]), files),
    ]
    if find_spec("ddddocr") is None:
        print("read/… beside ddddocr is left out: python -m pip install 'capbench[ocr]'", file=sys.stderr)
        return found
    for name in views:
        for suffix, quantile in (("", 0.5), ("_p99", 0.99)):
            unit = f"ms for one image, p{quantile * 100:.0f}, one thread; less is better; peer: ddddocr"
            found.append(Pair(f"read/{name}{suffix}", ours(name, quantile), theirs(quantile), unit))
    found += _universal(picture, content, theirs(0.5))
    return found + [_accuracy(settings, own["labelled"] | {"root": root}, folder) for root in own["sets"]]


def _universal(picture: np.ndarray, content: bytes, dddd: Timed) -> list[Pair]:
    """Return the pairs of the reader that CapBench ships: one image, and a batch, beside each neural engine."""

    @cache
    def reader() -> Reader:
        return capbench.load("universal")

    def alone() -> float:
        return milliseconds(lambda: reader().read(content), 0.5)

    def batch() -> float:
        return milliseconds(lambda: reader().read([content] * TOGETHER), 0.5, 5) / TOGETHER

    @cache
    def rapid() -> Read:
        return Rapid().open(Alphabet(symbols=string.digits, fold=None))

    def rapidocr() -> float:
        return milliseconds(lambda: rapid()(picture), 0.5)

    def unit(count: int, peer: str) -> str:
        return f"ms for each of {count} images, one thread; less is better; peer: {peer}, one image at a time"

    return [
        Pair("read/universal", alone, dddd, unit(1, "ddddocr")),
        Pair("read/universal_rapidocr", alone, rapidocr, unit(1, "rapidocr")),
        Pair("read/universal_batch", batch, dddd, unit(TOGETHER, "ddddocr")),
        Pair("read/universal_batch_rapidocr", batch, rapidocr, unit(TOGETHER, "rapidocr")),
    ]


def milliseconds(work: Callable[[], Any], quantile: float, reads: int = READS) -> float:
    """Return a quantile of the durations of calls on one thread, in milliseconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    try:
        for _ in range(reads):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return float(np.quantile(seconds, quantile)) * 1000


@cache
def ddddocr() -> Any:
    """Return the package's default recogniser, limited to one thread."""
    package, onnxruntime = needed("ddddocr", "ocr"), needed("onnxruntime", "ocr")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession

    def on_one_thread(*given: Any, **named: Any) -> Any:
        return session(*given, sess_options=options, **named)

    with silence(), mock.patch.object(onnxruntime, "InferenceSession", on_one_thread):
        return package.DdddOcr(show_ad=False)


def _predicting(
    reader: Callable[[], Reader], settings: Mapping[str, Any], folder: Path, count: int
) -> tuple[Timed, Timed]:
    """Return the verb predict over a folder of rendered files, and a bare loop that decodes and reads them."""

    @cache
    def captchas() -> Path:
        drawn = folder / "captchas"
        drawn.mkdir()
        painter = Painter(build(settings["style"]), string.digits, 4, 4, 1)
        for start in range(0, count, BATCH):
            for number, picture in enumerate(painter.pictures(np.arange(start, min(start + BATCH, count))), start):
                (drawn / f"{number}.png").write_bytes(_png(picture))
        return drawn

    def verb() -> float:
        given = {"run": str(folder / "readers" / "cnn"), "images": str(captchas()), "out": str(folder / "answers.csv")}
        reader()
        with silence():
            return speed(lambda: predict.run(given), count)

    def loop() -> float:
        known, paths = reader(), iter(captchas().iterdir())
        symbols = known.codec.alphabet.symbols

        def read() -> None:
            while batch := list(islice(paths, BATCH)):
                views = np.stack([known.view(images.decode(path.read_bytes()), known.codec.longest) for path in batch])
                with torch.inference_mode():
                    best = known.model(torch.from_numpy(np.moveaxis(views, -1, -3).copy()).float() / 255).argmax(-1)
                _ = ["".join(symbols[number] for number in row) for row in best.tolist()]

        return speed(read, count)

    return verb, loop


def _accuracy(settings: Mapping[str, Any], data: dict[str, Any], folder: Path) -> Pair:
    """Return the pair of a small network, trained for minutes on a labelled set, and of ddddocr with its alphabet."""
    name = Path(data["root"]).stem
    run = RunFolder(folder / "sets" / name)

    @cache
    def trained() -> float:
        described = {"alphabet": settings["alphabet"] | {"symbols": "auto"}, "data": data, "cache": None}
        optim = settings["optim"] | {"epochs": 30, "lr": 3e-3, "batch_size": 32}
        with silence():
            experiment.run({**settings, **described, "optim": optim}, run, resumed=False)
        return float(run.read_result()["test/exact"])

    @cache
    def theirs() -> float:
        trained()
        known, files = json.loads(run.result.read_text()), Files(data["root"], "sets")
        read = Dddd(beta=False).open(Alphabet(symbols=known["alphabet"], fold=settings["alphabet"]["fold"]))
        right = [read(images.decode(files.read(p.filename))).text == p.text for p in run.read_predictions()]
        return float(np.mean(right))

    unit = "share of unseen texts read; peer: ddddocr, told the alphabet"
    return Pair(f"read/cnn_exact_{name}", trained, theirs, unit)


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
