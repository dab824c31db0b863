"""The verb export: write a run as an ONNX graph that was first compared with the run."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from capbench.data import store
from capbench.data.source_of_run import Which, source_of
from capbench.data.sources.rendered import Synthetic
from capbench.errors import Mistake, lines, printable
from capbench.export import int8 as quantising
from capbench.export.description import Description, beside, sha256
from capbench.export.graph import Graph
from capbench.export.trace import kind, taken, takes_image, traced
from capbench.inference.reader import BATCH, Reader
from capbench.runs import RunFolder, exif_of, frames_of
from capbench.settings import check, target_class
from capbench.types import Count
from capbench.utils.atomic import replacing
from capbench.utils.extras import needed
from capbench.utils.locks import alone

CLOSE = 1e-4  # largest allowed difference between a probability of the graph and of the run
CALIBRATION = 256  # images for the calibration of int8 ranges
SEED = 1  # of the noise images


def schema(*, run: str, out: str, int8: bool, images: Count, cache: str | None) -> None:
    """Declare the settings of the verb by name and type; `check` reads this signature."""


def run(settings: dict[str, Any]) -> str:
    """Export a run and return a summary of what was written."""
    check(settings, schema)
    run, out = RunFolder.named(settings["run"]), Path(settings["out"])
    exported = export(run, out, int8=settings["int8"], images=settings["images"], cache=settings["cache"])
    return exported.summary()


@dataclass(frozen=True)
class Exported:
    """Exported graph, and its comparison with the run."""

    graph: Path
    described: Description
    compared: str
    """The kind of images that the graph and the run were compared on."""
    images: int
    same: int
    """Number of images on which the graph's text equals the run's."""
    apart: float
    """Largest difference between a probability of the graph and of the run."""
    int8: Loss | None

    def summary(self) -> str:
        """Return the summary as text."""
        takes, gives = self.described.input, self.described.output
        what = "decoded images" if self.described.takes == "image" else "preprocessed views"
        rows = [
            f"{self.graph}: {self.graph.stat().st_size:,} bytes, described in {beside(self.graph).name}",
            f"takes {what}, uint8 [batch, {', '.join(map(str, takes))}]",
            f"gives probabilities, float32 [batch, {', '.join(map(str, gives))}]",
            f"compared with the run: {self.same:,} of {self.images:,} texts the same on {self.compared}; "
            f"probabilities at most {self.apart:.1e} apart",
        ]
        return lines([*rows, *([self.int8.summary()] if self.int8 else [])])


@dataclass(frozen=True)
class Loss:
    """Accuracy of int8 quantisation beside float weights, on test images."""

    images: int
    exact: float
    exact_int8: float
    bytes_without: int

    @property
    def lost(self) -> float:
        """Exact accuracy without quantisation minus exact accuracy with it."""
        return self.exact - self.exact_int8

    def summary(self) -> str:
        """Return the summary as text."""
        return (
            f"int8: exact is {self.exact_int8:.4f} on {self.images:,} test images and {self.exact:.4f} without, "
            f"a loss of {100 * self.lost:.2f} points; {self.bytes_without:,} bytes without"
        )


@dataclass(frozen=True)
class Examples:
    """Images that the graph and the run both read for the comparison."""

    what: str
    taken: list[np.ndarray]
    """Inputs of the graph, uint8."""
    views: list[np.ndarray]
    """Views of the same images, the run's input, uint8."""
    texts: list[str] | None
    """True texts, where the images are test images."""


def export(run: RunFolder, out: Path, *, int8: bool = False, images: int = BATCH, cache: str | None = None) -> Exported:
    """Write the graph and its JSON, after a check that the graph reads as the run does.

    Raise Mistake where the two differ by more than CLOSE. `images` is the number of images that both read.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        needed(module, "export")
    if out.suffix != ".onnx":
        raise Mistake(f"out: {out} should end in .onnx; its JSON gets the same name")
    reader = Reader.of(run)
    if int8 and reader.model.gradient_free:
        raise Mistake(f"int8: {kind(reader)} compares pixels and has no weights to round; remove int8")
    content = traced(reader)
    graph = _opened(content, _described(run, reader, content))
    examples = _examples(run, reader, graph, images, cache, must_be_real=int8)
    same, apart = _compare(graph, reader, examples)
    if not apart <= CLOSE:  # within CLOSE, texts differ only where two symbols are about equally likely
        raise Mistake(f"run: {run.path} and its graph do not agree, probabilities are up to {apart:.1e} apart")
    loss = None
    if int8:
        whole, whole_graph = content, graph
        content = quantising.int8(whole, _calibration(run, reader, graph, cache))
        graph = _opened(content, _described(run, reader, content, int8=True))
        loss = Loss(len(examples.views), _exact(whole_graph, examples), _exact(graph, examples), len(whole))
    out.parent.mkdir(parents=True, exist_ok=True)
    _write(content, graph.described, out)
    return Exported(out, graph.described, examples.what, len(examples.views), same, apart, loss)


def _described(run: RunFolder, reader: Reader, content: bytes, *, int8: bool = False) -> Description:
    codec = reader.codec
    onnx = needed("onnx", "export")
    (output,) = onnx.load_model_from_string(content).graph.output
    return Description(
        capbench_graph=1,
        name=printable(run.read_result().get("name", run.path.name)),
        alphabet=codec.alphabet.symbols,
        fold=codec.alphabet.fold,
        length=[codec.shortest, codec.longest],
        over=codec.over,
        blank=codec.blank if codec.classes > codec.blank else None,
        exif=exif_of(run.settings()),
        frames=frames_of(run.settings()),
        takes="image" if takes_image(reader.view) else "view",
        view=run.settings()["view"],
        input=taken(reader),
        output=[size.dim_value for size in output.type.tensor_type.shape.dim][1:],
        int8=int8,
        graph=sha256(content),
        run=sha256(run.weights.read_bytes()),
        versions={package: version(package) for package in ("capbench", "torch", "onnx", "onnxscript", "onnxruntime")},
    )


def _write(content: bytes, described: Description, path: Path) -> None:
    """Write the graph and its JSON under one lock, since the two belong together."""
    with alone(path, "export"):
        with replacing(path, "wb") as file:
            file.write(content)
        with replacing(beside(path)) as file:
            file.write(described.model_dump_json(indent=1, exclude_defaults=True) + "\n")


def _opened(content: bytes, described: Description) -> Graph:
    """Return the graph, written to a file and opened with all the checks that a user's file gets."""
    with tempfile.TemporaryDirectory(prefix="capbench-") as folder:
        path = Path(folder) / "model.onnx"
        _write(content, described, path)
        return Graph.open(path)


def _examples(
    run: RunFolder, reader: Reader, graph: Graph, count: int, cache: str | None, *, must_be_real: bool
) -> Examples:
    """Return test images of the run, or noise images where there are none.

    Test images of files are used only where `must_be_real`, for int8; otherwise only rendered ones are.
    """
    try:
        images, texts = _images(run, reader, "test", count, cache, "all" if must_be_real else "rendered")
    except Mistake as mistake:
        if must_be_real:
            raise Mistake(f"int8: its loss is measured on the run's own images ({mistake})") from mistake
        return _noise(reader, graph, count, mistake)
    views = [reader.view(image, reader.codec.longest) for image in images]
    return Examples("test images", [graph.prepare(image) for image in images], views, texts)


def _noise(reader: Reader, graph: Graph, count: int, why: Mistake) -> Examples:
    taken = list(np.random.default_rng(SEED).integers(0, 256, (count, *graph.described.input), dtype=np.uint8))
    views = [reader.view(image, 0) for image in taken] if graph.described.takes == "image" else taken
    return Examples(f"images of noise, because there are no test images ({why})", taken, views, None)


def _images(
    run: RunFolder, reader: Reader, part: str, count: int, cache: str | None, which: Which
) -> tuple[list[np.ndarray], list[str]]:
    """Return decoded images of a part of the run's source, and their texts; rendered sources give exactly `count`."""
    source = source_of(run, which)
    if isinstance(source, Synthetic):
        source = replace(source, split=replace(source.split, **{part: count})).only(part)
    kept = store.prepare(source, reader.view, reader.codec.longest, cache, reader.batch)
    numbers = kept.numbers[source.parts(kept.numbers, kept.digests) == part][:count]
    if not len(numbers):
        raise Mistake(f"data: holds no image for {part}")
    texts = [reader.codec.alphabet.folded(source.samples[number].text) for number in numbers]
    return [source.image(number) for number in numbers], texts


def _compare(graph: Graph, reader: Reader, examples: Examples) -> tuple[int, float]:
    """Return the number of equal texts, and the largest difference between probabilities."""
    same, apart = 0, 0.0
    batch = min(reader.batch, graph.batch)
    for start in range(0, len(examples.views), batch):
        views = np.stack(examples.views[start : start + batch])
        with torch.inference_mode():
            scores = reader.model(torch.from_numpy(np.moveaxis(views, -1, -3).copy()).float() / 255)
        wanted = scores.softmax(-1).numpy()
        found = graph.probabilities(examples.taken[start : start + batch])
        texts = zip(reader.codec.texts(wanted.argmax(-1)), reader.codec.texts(found.argmax(-1)), strict=True)
        same += sum(one == other for one, other in texts)
        apart = max(apart, float(np.abs(found - wanted).max()))
    return same, apart


def _calibration(run: RunFolder, reader: Reader, graph: Graph, cache: str | None) -> list[np.ndarray]:
    """Return images, as the graph takes them, for int8 calibration; none of them is a test image."""
    rendered = target_class(run.settings()["data"]) is Synthetic
    images, _ = _images(run, reader, "val" if rendered else "train", CALIBRATION, cache, "all")
    return [graph.prepare(image) for image in images]


def _exact(graph: Graph, examples: Examples) -> float:
    answers = [read.text for read in graph.answer(examples.taken)]
    return sum(a == t for a, t in zip(answers, examples.texts or [], strict=True)) / len(answers)
