"""Memory of a stranger's run: bounded by its weights and a fixed budget beside them."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

import capbench
from capbench.data.seen import Seen
from capbench.errors import Mistake
from capbench.inference import budget, sizing, tally
from capbench.inference.reader import Reader
from capbench.models import Model, PerCharacter, knn
from capbench.models.blocks import _evenly_spaced
from capbench.models.knn import KNN
from capbench.runs import RunFolder
from capbench.settings import build
from capbench.text import Alphabet, Codec, Over
from capbench.utils import bounded
from tests.helpers.memory import grown
from tests.helpers.settings import composed

MEGABYTE = 2**20
CNN = {"_target_": "capbench.models.cnn.CNN", "stem": [], "strides": [1], "pool": "global", "dropout": 0.0}
WHOLE = {"_target_": "capbench.data.views.Whole", "channel": "grey", "fit": "stretch"}
PIECES: dict[str, Any] = {
    "_target_": "capbench.data.views.Characters",
    "channel": "grey",
    "clean": [],
    "cut": "equal",
    "boxes": None,
}


def small(folder: Path, width: int, size: list[int], characters: int, view: dict[str, Any]) -> Path:
    """Write a run of a few kilobytes for images of any size: one block of `width` channels with global pooling."""
    model: Model = build(CNN | {"widths": [width]}, (1, 8, 8), 1 if view is PIECES else characters, 10)
    run = RunFolder(folder)
    folder.mkdir()
    alphabet = {"_target_": "capbench.text.Alphabet", "symbols": "0123456789", "fold": None}
    settings = {"view": view | {"size": size}, "model": CNN | {"widths": [width]}, "alphabet": alphabet}
    run.config.write_text(yaml.safe_dump(settings))
    run.write_weights((PerCharacter(model) if view is PIECES else model).state_dict())
    run.write_result({"name": "x", "alphabet": "0123456789", "length": [characters] * 2, "view/shape": [1, *size]})
    return folder


@pytest.mark.parametrize(
    ("width", "size", "characters", "view"), [(16, [600, 600], 40, PIECES), (32, [2000, 2000], 4, WHOLE)]
)
def test_a_small_run_that_would_take_gigabytes_is_refused(
    width: int, size: list[int], characters: int, view: dict[str, Any], tmp_path: Path
) -> None:
    run = small(tmp_path / "stranger", width, size, characters, view)
    assert sum(file.stat().st_size for file in run.iterdir()) < 100_000
    with pytest.raises(Mistake, match=r"config\.yaml: model .*takes [\d,]+ bytes.*; at most [\d,]+ are allowed$"):
        capbench.load(run)
    loaded = "try:\n    capbench.load(sys.argv[1])\nexcept capbench.Mistake:\n    pass"
    imports = "import capbench, capbench.inference.reader, capbench.models.cnn"
    assert (
        grown(imports, loaded.replace("capbench.Mistake", "capbench.inference.reader.Mistake"), str(run))
        < 100 * MEGABYTE
    )


def test_large_images_are_read_in_small_batches(tmp_path: Path) -> None:
    reader = capbench.load(small(tmp_path / "stranger", 8, [800, 800], 4, WHOLE))
    assert reader.batch < 32
    counted = sizing._taken(_sized(reader.model), _read, (reader.batch, 800, 800, 1))
    assert counted <= budget.most(1_000)
    imports = "import capbench, capbench.inference.reader, capbench.models.cnn, numpy"
    work = "reader = capbench.load(sys.argv[1]); reader.read(numpy.zeros((64, 800, 800, 1), numpy.uint8))"
    # Convolutions need room beside the tensors.
    assert grown(imports, work, str(tmp_path / "stranger")) < 2 * budget.MOST_BYTES


def _sized(model: Model) -> Model:
    return model.to(device="meta")


def _read(network: Any, views: torch.Tensor) -> Any:
    return network(views.movedim(-1, -3).float() / 255).softmax(-1).max(-1)


def test_readings_do_not_depend_on_the_batch_size(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).integers(0, 256, (40, 60, 160, 1), dtype=np.uint8)
    many = capbench.load(trained)
    monkeypatch.setattr(budget, "MOST_BYTES", 10**6)
    few = capbench.load(trained)
    assert few.batch <= 16 < 256 == many.batch
    assert few.read(images) == many.read(images)


OWN = {
    "cnn": [],
    "cnn_article": ["model=cnn_article"],
    "resnet_article": ["model=resnet_article"],
    "ensemble_article": ["model=ensemble_article"],
    "committee": ["model=committee", "model.member.pool=columns"],
    "crnn": ["model=crnn"],
    "mlp": ["model=mlp"],
    "knn": ["model=knn"],
}


def own(name: str) -> Model:
    model: Model = build(composed(*OWN[name])["model"], (3, 60, 160), 4, 63).eval()
    if isinstance(model, KNN):
        model.learn(torch.zeros(10, 3, 60, 160), torch.zeros(10, 4, dtype=torch.int64))
    return model


@pytest.mark.parametrize("name", OWN)
def test_shipped_recognisers_take_little_of_the_memory_budget(name: str) -> None:
    assert 0 < sizing._taken(_sized(own(name)), _read, (1, 60, 160, 3)) < budget.MOST_BYTES / 50


class Held(TorchDispatchMode):
    """Mode of torch that compares predicted shapes and types with real ones, and keeps the functions met."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[Any] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function not in tally.PLAIN and tally._is_of_others(function):
            with self:
                return function._op_dk(tally.OF_OTHERS, *args, **kwargs)
        told = tally.PLAIN[function](*args, **kwargs) if function in tally.PLAIN else NotImplemented
        made = function(*args, **kwargs)
        if told is not NotImplemented:
            self.met.add(function)
            both = [list(tally._tensors(some if isinstance(some, tuple) else (some,))) for some in (told, made)]
            for one, other in zip(*both, strict=True):
                assert (one.shape, one.dtype) == (other.shape, other.dtype), function
        return made


def test_predicted_tensor_sizes_equal_real_ones() -> None:
    held = Held()
    for name in OWN:
        model = own(name)
        for images in (1, 3):
            with torch.inference_mode(), held:
                _read(model, torch.zeros(images, 60, 160, 3, dtype=torch.uint8))
    with torch.inference_mode(), held:  # functions used in export and on tensors without content
        knn._ranked(torch.zeros(2, 4), torch.zeros(3, 4), torch.zeros(3), 2)
        _evenly_spaced(3, 4, 5)
    assert held.met == tally.PLAIN.keys()


@pytest.mark.parametrize("size", range(5, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("ceil", [False, True])
def test_predicted_sizes_of_pooling_and_convolution_equal_real_ones(
    size: int, stride: int, padding: int, ceil: bool
) -> None:
    images = torch.zeros(2, 4, size, 9)
    with torch.inference_mode(), Held() as held:
        torch.max_pool2d(images, 3, stride, padding, 2, ceil)
        torch.nn.functional.avg_pool2d(images, (3, 2), stride, padding, ceil)
        torch.conv2d(images, torch.zeros(6, 2, 3, 2), None, (stride, 1), (padding, 2), (2, 1), 2)
    assert len(held.met) == 3


def test_opening_a_run_does_not_import_the_compiler_of_torch(trained: Path) -> None:
    code = "import sys, capbench; capbench.load(sys.argv[1]); print({'sympy', 'torch._dynamo'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code, str(trained)], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_memory_for_the_votes_of_knn_is_counted() -> None:
    model = KNN((1, 1, 4), 40, 5_000, k=3_000)
    model.learn(torch.rand(3_000, 1, 1, 4), torch.arange(3_000)[:, None].expand(-1, 40))
    meta = _sized(model)
    with pytest.raises(Mistake, match=r"takes [\d,]+ bytes to read one image; at most"):
        budget.images_at_once(256, lambda images: sizing._taken(meta, _read, (images, 1, 4, 1)), budget.most(130_000))


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "regnetx_002", "vit_tiny_patch16_224"])
def test_runs_with_other_timm_backbones_are_read(backbone: str, tmp_path: Path) -> None:
    """Read with backbones of other families, one of which cannot be built without content."""
    model: dict[str, Any] = {"_target_": "capbench.models.resnet.Timm", "backbone": backbone}
    model |= {"widths": None, "stem_stride": None, "pool": "columns", "dropout": 0.0}
    network: Model = build(model, (1, 64, 160), 4, 10)
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    alphabet = {"_target_": "capbench.text.Alphabet", "symbols": "0123456789", "fold": None}
    run.config.write_text(yaml.safe_dump({"view": WHOLE | {"size": None}, "model": model, "alphabet": alphabet}))
    run.write_weights(network.state_dict())
    run.write_result({"name": "x", "alphabet": "0123456789", "length": [4, 4], "view/shape": [1, 64, 160]})
    opened = capbench.load(run.path)
    image = np.random.default_rng(1).integers(0, 256, (64, 160, 1), dtype=np.uint8)
    views = torch.from_numpy(image[None]).movedim(-1, 1).float() / 255
    with torch.inference_mode():
        wanted = network.eval()(views).argmax(-1)[0].tolist()
    assert opened.read([image])[0].text == "".join(map(str, wanted))


def test_a_view_size_that_contradicts_result_json_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "stranger"))
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings["view"]["size"] = [4096, 4096]
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(Mistake, match=r"config\.yaml: view\.size: \[4096, 4096\] differs from result\.json"):
        capbench.load(folder)


def test_a_committee_larger_than_its_weights_is_refused(trained: Path, tmp_path: Path) -> None:
    """Load a committee of 10⁹ tiny members beside weights of 10⁸ bytes."""
    folder = Path(shutil.copytree(trained, tmp_path / "stranger"))
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings["model"] = {
        "_target_": "capbench.models.committee.Committee",
        "size": 10**9,
        "member": {
            "_target_": "capbench.models.mlp.MLP",
            "_partial_": True,
            "hidden": [],
            "norm": False,
            "dropout": 0.0,
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    save_file({"weights": torch.zeros(10**8, dtype=torch.uint8)}, folder / "model.safetensors")
    with pytest.raises(Mistake, match="model cannot be built: is larger than the weights beside it"):
        capbench.load(folder)


def of_nothing(path: Path, tensors: int) -> None:
    """Write a safetensors file of so many empty tensors."""
    one = b'"%07d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    heading = b"{" + b",".join(one % number for number in range(tensors)) + b"}"
    path.write_bytes(struct.pack("<Q", len(heading)) + heading)


def test_a_safetensors_header_of_a_million_tensors_is_not_parsed(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "stranger"))
    for file in ("seen.safetensors", "model.safetensors"):
        of_nothing(folder / file, 1_000_000)
    opened: dict[str, Callable[[], Any]] = {
        "seen": lambda: Seen.read(RunFolder(folder)),
        "model": lambda: Reader.of(RunFolder(folder)),
    }
    for name, opening in opened.items():
        with pytest.raises(Mistake, match=rf"{name}\.safetensors: .*its heading has [\d,]+ bytes, at most 4,194,304"):
            opening()


def test_the_largest_shipped_safetensors_header_is_far_below_the_limit(tmp_path: Path) -> None:
    """Write the header of a committee of ten ensembles of seven residual networks."""
    model: Model = build(composed("model=resnet_article")["model"], (1, 60, 160), 4, 62)
    names = [
        f"model.members.{i}.members.{j}.{name}" for i in range(10) for j in range(7) for name in model.state_dict()
    ]
    save_file({name: torch.zeros(1) for name in names}, tmp_path / "x.safetensors")
    assert struct.unpack("<Q", (tmp_path / "x.safetensors").read_bytes()[:8])[0] < bounded.MOST_HEADING / 4


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_infinite_or_nan_weights_are_refused(number: float, trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "stranger"))
    weights = load_file(folder / "model.safetensors")
    name = next(name for name, tensor in weights.items() if tensor.ndim == 4)
    weights[name][0, 0, 0, 0] = number
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(Mistake, match=rf"model\.safetensors: {name} holds infinite or NaN numbers"):
        capbench.load(folder)


def test_a_reading_that_overflows_has_confidence_zero(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "stranger"))
    weights = load_file(folder / "model.safetensors")
    save_file({n: t * 1e30 if t.is_floating_point() else t for n, t in weights.items()}, folder / "model.safetensors")
    reader = capbench.load(folder)
    image = np.random.default_rng(1).integers(0, 256, (60, 160, 3), dtype=np.uint8)
    for reading in (reader.read(image), *reader.read([image])):
        assert all(0 <= sure <= 1 for sure in (reading.confidence, *reading.characters))
        assert reading.confidence == 0


@pytest.mark.parametrize("over", ["positions", "time"])
def test_confidences_are_always_between_zero_and_one(over: Over) -> None:
    codec = Codec(Alphabet(symbols="ab", fold=None), 3, 3, over)
    believed = np.array([[np.nan, 0.5, 0.5], [np.inf, 0.5, 1.5], [-1, -np.inf, 0.5], [0.5, 0.5, 0.5]], np.float32)
    readings = codec.read(np.array([[0, 1, 0]] * 4), believed)
    assert [reading.confidence for reading in readings] == [0, 0.5, 0, 0.125]
    assert all(0 <= sure <= 1 for reading in readings for sure in reading.characters)
