"""Exported ONNX graphs, compared with their runs."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from capbench.data.views import Channel, Whole
from capbench.errors import Mistake
from capbench.export import export, trace
from capbench.export.description import Description
from capbench.export.graph import Graph
from capbench.images import folder
from capbench.inference.reader import Reader
from capbench.models import Model
from capbench.runs import RunFolder
from capbench.utils.locks import alone
from tests.helpers.protocols import Cli, Train
from tests.helpers.rounding import apart
from tests.helpers.settings import FAST
from tests.helpers.untrained import untrained

QUICK = [
    ["model=cnn"],
    ["model=crnn", "data.length=[3,5]"],
    ["model=knn", "view=characters"],
]
ALL = [
    ["model=cnn", "alphabet=lower_36"],
    ["model=cnn", "data.length=[3,5]", "view.channel=colour"],
    ["model=cnn_article", "view.size=[30,80]"],
    ["model=resnet"],
    ["model=resnet", "view.size=[40,100]", "view.fit=pad"],
    ["model=resnet", "model={backbone:mobilenetv3_small_050,widths:null,stem_stride:null}"],
    ["model=resnet_article", "view.size=[16,48]"],
    ["model=ensemble"],
    ["model=ensemble_article", "view.size=[16,48]"],
    ["model=crnn"],
    ["model=crnn", "data.length=[3,5]"],
    ["model=mlp", "view=characters"],
    ["model=mlp_article", "view=characters"],
    ["model=knn", "view=characters"],
    ["model=cnn", "view=overlap", "view.cut.widest=40", "style=overlap"],
]


SMALL = ("model=mlp", "model.hidden=[8]")  # few layers, quick to trace


def images_of(run: RunFolder, count: int) -> list[np.ndarray]:
    return export._images(run, Reader.of(run), "test", count, None, "all")[0]


def assert_alike(graph: Graph, run: RunFolder, images: list[np.ndarray]) -> None:
    """Check that the graph and the run give the same texts and confidences."""
    reader = Reader.of(run)
    views = np.stack([reader.view(image, reader.codec.longest) for image in images])
    found, wanted = graph.read(images), list(reader.read_views(views))
    same = [read.text == reading.text for read, reading in zip(found, wanted, strict=True)]
    assert np.mean(same) >= 0.98
    for read, reading in zip(found, wanted, strict=True):
        assert apart(read.confidence, reading.confidence) < 1e-3
        if read.text != reading.text:  # a network that has hardly learned finds several texts equally likely
            continue
        assert apart([c.confidence for c in read.characters], reading.characters) < 1e-3
        assert "".join(c.symbol for c in read.characters) == read.text


@pytest.mark.parametrize("overrides", QUICK, ids=lambda overrides: overrides[0])
def test_an_exported_graph_reads_like_its_run(overrides: list[str], tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", *overrides)
    exported = export.export(run, tmp_path / "model.onnx", images=70)
    assert (exported.images, exported.same) == (70, 70)
    assert exported.apart <= 1e-4
    graph = Graph.open(tmp_path / "model.onnx")
    for count in (1, 3, 65):
        assert_alike(graph, run, images_of(run, count))


@pytest.mark.slow
@pytest.mark.parametrize("overrides", ALL, ids=" ".join)
def test_every_recogniser_and_its_graph_read_1000_images_alike(
    overrides: list[str], tmp_path: Path, train: Train
) -> None:
    run = train(*FAST, "trainer.limit_batches=null", "data.split.train=400", "optim.epochs=2", *overrides)
    exported = export.export(run, tmp_path / "model.onnx", images=1000)
    assert exported.images == 1000
    assert exported.same >= 995  # rounding decides between equally likely symbols
    assert exported.apart <= 1e-4
    assert_alike(Graph.open(tmp_path / "model.onnx"), run, images_of(run, 100))


class Echo(Model):
    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return views.flatten(1)


@pytest.mark.parametrize("channel", ["grey", "colour", "red", "green", "blue", "alpha"])
def test_the_graph_picks_channels_like_the_view(channel: Channel) -> None:
    view = Whole(channel=channel, size=None, fit="stretch")
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 4 if channel == "alpha" else 3), dtype=np.uint8)
    picked = trace.Prepared(Echo(), view)._picked(torch.from_numpy(image))
    assert np.array_equal(picked.movedim(0, -1).numpy(), view(image, 4))


def test_export_prints_what_the_description_holds(tmp_path: Path, cli: Cli) -> None:
    run = untrained(tmp_path / "run", *SMALL, "alphabet=lower_36", "data.length=[3,5]")
    code, out, err = cli("export", "run=run", "out=to/model.onnx", "images=20")
    assert (code, err) == (0, "")
    assert out.startswith("to/model.onnx: ")
    assert "takes decoded images, uint8 [batch, 60, 160, 3]" in out
    assert "gives probabilities, float32 [batch, 5, 37]" in out
    assert re.search(r"20 of 20 texts the same on test images; probabilities at most \d\.\de-\d\d apart", out)
    written = json.loads(Path("to/model.json").read_text())
    assert written["alphabet"] == "0123456789abcdefghijklmnopqrstuvwxyz"
    assert written["exif"] == "ignore"
    assert (written["length"], written["over"], written["blank"]) == ([3, 5], "positions", 36)
    assert written["view"] == run.settings()["view"]
    assert sorted(path.name for path in Path("to").iterdir()) == ["model.json", "model.onnx"]
    assert str(export.__file__).encode() not in Path("to/model.onnx").read_bytes()


def test_export_checks_with_noise_where_the_run_reads_files(tmp_path: Path, labelled: Path, cli: Cli) -> None:
    shutil.copytree(labelled, tmp_path / "there")
    sizes = "data.split={train:100,val:20,test:40}"
    untrained(tmp_path / "run", *SMALL, "data=csv", "data.root=there", sizes, "data.length=4")
    with mock.patch.object(
        folder.Files, "__init__", side_effect=AssertionError("a run names files, and they are opened")
    ):
        code, out, err = cli("export", "run=run", "out=model.onnx", "images=30")
    assert code == 0, err
    assert "30 of 30 texts the same on images of noise" in out
    assert "data: only captchas that CapBench renders are drawn here; this source may name any file" in out
    (tmp_path / "there").rename(tmp_path / "gone")
    code, out, err = cli("export", "run=run", "out=whole.onnx", "int8=true")
    assert (code, err.count("\n")) == (2, 1)
    assert "int8: its loss is measured on the run's own images (data.root: there does not exist" in err


def test_a_graph_that_disagrees_with_its_run_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = untrained(tmp_path / "run", *SMALL, "view.channel=grey")
    monkeypatch.setattr(trace, "GREY", (2**15, 0, 0))
    monkeypatch.setattr(export, "CLOSE", 1e-7)  # an untrained network answers almost alike to any image
    with pytest.raises(Mistake, match="and its graph do not agree, probabilities are up to"):
        export.export(run, tmp_path / "model.onnx", images=30)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out=a.onnx"], "run: must be given"),
        (["run=nowhere", "out=a.onnx"], "run: nowhere is not a finished run"),
        (["run=run", "out=model.bin"], "out: model.bin should end in .onnx"),
        (["run=run", "out=a.onnx", "int8=true"], "int8: KNN compares pixels and has no weights to round"),
        (["run=run", "out=a.onnx", "images=0"], "images: 0 is not accepted"),
    ],
)
def test_a_mistake_in_export_is_one_line(arguments: list[str], message: str, tmp_path: Path, cli: Cli) -> None:
    untrained(tmp_path / "run", "model=knn", "view=characters")
    code, _, err = cli("export", *arguments)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_of_export_is_named(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Mistake, match=rf"{module} is not installed; python -m pip install 'capbench\[export\]'"):
        export.export(RunFolder(tmp_path), tmp_path / "model.onnx")


@pytest.mark.slow
def test_int8_loses_at_most_half_a_point_on_four_digits(tmp_path: Path, train: Train) -> None:
    sizes = ("data.split.train=24000", "data.split.val=64", "data.split.test=64", "optim.batch_size=64")
    run = train(*FAST, "+experiment=quickstart", "trainer.limit_batches=null", "optim.epochs=1", *sizes)
    exported = export.export(run, tmp_path / "model.onnx", int8=True, images=2000)
    assert exported.int8 is not None
    assert exported.int8.exact > 0.5
    assert exported.int8.lost <= 0.005
    assert f"a loss of {100 * exported.int8.lost:.2f} points" in exported.summary()
    assert (tmp_path / "model.onnx").stat().st_size < 0.4 * exported.int8.bytes_without
    graph, images = Graph.open(tmp_path / "model.onnx"), images_of(run, 2000)
    texts = export._images(run, Reader.of(run), "test", 2000, None, "all")[1]
    read = sum(r.text == text for r, text in zip(graph.read(images), texts, strict=True))
    assert read / 2000 == exported.int8.exact_int8


@pytest.mark.slow
def test_a_crnn_is_exported_in_int8(tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", "model=crnn", "data.length=[3,5]")
    exported = export.export(run, tmp_path / "model.onnx", int8=True, images=30)
    assert exported.described.int8
    assert len(Graph.open(tmp_path / "model.onnx").read(images_of(run, 5))) == 5


def test_a_second_export_into_the_same_file_is_refused() -> None:
    refused = pytest.raises(Mistake, match=r"^model\.onnx: another export is writing there; wait until it ends")
    with alone(Path("model.onnx"), "export"), refused:
        export._write(b"", Description.model_construct(), Path("model.onnx"))
    assert not list(Path().iterdir())
