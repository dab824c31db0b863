"""Run folders from a stranger: they are read, or refused in one line, and nothing of them is run."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import pickle
import pkgutil
import re
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from unittest import mock

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import capbench.data
import capbench.models
from capbench.compare import folders
from capbench.errors import BadImage, Mistake
from capbench.export.graph import Graph
from capbench.images.folder import Files
from capbench.inference import reader
from capbench.runs import RunFolder
from capbench.serve.opening import graphs_of
from capbench.utils import bounded
from tests.helpers.graphs import graph
from tests.helpers.protocols import Cli, Train

OURS = "capbench.models."
CNN = f"{OURS}cnn.CNN"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    unevaluated = shutil.ignore_patterns("evaluations")  # other tests may have evaluated it
    return Path(shutil.copytree(trained, tmp_path / "stranger", ignore=unevaluated))


def refused(folder: Path, match: str) -> None:
    before = set(folder.parent.rglob("*"))
    with pytest.raises(Mistake, match=match) as told:
        capbench.load(folder)
    assert "\n" not in str(told.value)
    assert set(folder.parent.rglob("*")) == before


def set_in(path: Path, key: str, value: Any) -> None:
    """Set a value in a YAML or JSON file, at a key whose parts are joined by |."""
    content = yaml.safe_load(path.read_text())
    node = content
    *way, last = key.split("|")
    for part in way:
        node = node[part]
    node[last] = value
    path.write_text(yaml.safe_dump(content) if path.suffix == ".yaml" else json.dumps(content))


class Owner:
    """Object that runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch owned",)


MEMBER = {
    "_target_": CNN,
    "_partial_": True,
    "stem": [4],
    "widths": [4],
    "strides": [1],
    "pool": "global",
    "dropout": 0.0,
}
TIMM = {"_target_": f"{OURS}resnet.Timm", "widths": None, "stem_stride": None, "pool": "attend", "dropout": 0.1}
FILES = {"_target_": "capbench.data.sources.file_names.FileNames", "_partial_": False, "root": "/", "pattern": "(a*)*b"}
COPY = "${oc.create:'{_target_: shutil.copyfile, src: stranger/config.yaml, dst: owned}'}"


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("model|_target_", "os.system", r"config\.yaml: model\._target_: os\.system is not a class that CapBench builds"),
        ("model|_target_", "capbench.runs.subprocess.run", "is not a class that CapBench builds"),
        ("model|_target_", "capbench.runs.Path", "is not a class that CapBench builds"),
        ("model|_target_", "capbench.data.views.Whole", "is not a Model"),
        ("model|_target_", f"{OURS}base.Model", r"config\.yaml: model"),
        ("model", {"_target_": f"{OURS}base.PerCharacter"}, "model cannot be built"),
        ("view|_target_", CNN, "is not a View"),
        ("view|_target_", ["os.system"], "is not a class that CapBench builds"),
        ("view|_partial_", True, r"view\._partial_: True is not accepted"),
        ("view|clean", [{"_target_": "os.system"}], r"view\.clean: is not a setting"),
        ("view|_target_", "capbench.data.views.View", r"view\._target_: capbench\.data\.views\.View is abstract"),
        ("view|channel", FILES, r"view\.channel\._target_: capbench\.data\.sources\.file_names\.FileNames is not accepted"),
        ("view|size", [FILES, 160], r"view\.size\.0\._target_: .*FileNames is not accepted"),
        ("model|widths", [40, [{"a": FILES}]], r"model\.widths\.1\.0\.a\._target_: .*FileNames is not accepted"),
        ("alphabet|symbols", FILES, r"alphabet\.symbols\._target_: .*FileNames is not accepted"),
        ("data|exif", FILES, r"exif\._target_: .*FileNames is not accepted"),
        ("model|_args_", ["touch owned"], r"model\._args_: is not a setting"),
        ("model", {"_target_": f"{OURS}ensemble.Ensemble", "member": {"_target_": "os.system", "_partial_": True}},
         r"model\.member\._target_: os\.system is not a class"),
        ("model", {"_target_": f"{OURS}ensemble.Ensemble",
                   "member": {"_target_": "capbench.label.engines.trained.Trained", "_partial_": True, "run": "/"}},
         r"model\.member\._target_: .* is not a Model"),
        ("model", {"_target_": f"{OURS}committee.Committee", "size": 10**12,
                   "member": {"_target_": f"{OURS}base.Model", "_partial_": True}}, "model cannot be built"),
        ("model", {"_target_": f"{OURS}committee.Committee", "size": 10**12, "member": MEMBER},
         "model cannot be built: is larger than the weights beside it"),
        ("model", TIMM | {"backbone": COPY}, "is unknown to timm"),
        ("model", TIMM | {"backbone": "local-dir:/tmp"}, "is unknown to timm"),
        ("model", TIMM | {"backbone": "hf-hub:stranger/resnet"}, "is unknown to timm"),
        ("model", "os.system", r"model: 'os\.system' is not accepted"),
        ("model|widths", [10**9, 10**9], "model cannot be built"),
        ("model|stem", [8, 10**5], "model cannot be built: is larger than the weights beside it"),
        ("model|widths", [40, 65], r"model\.safetensors: does not fit the run"),
        ("view|size", [10**6, 10**6], r"view\.size"),
        ("alphabet|fold", "${oc.env:HOME}", r"alphabet\.fold"),
        ("data|exif", "os.system", r"exif: 'os\.system' is not accepted"),
    ],
)  # fmt: skip
def test_malicious_settings_of_a_run_are_refused(key: str, value: Any, match: str, folder: Path) -> None:
    set_in(folder / "config.yaml", key, value)
    refused(folder, match)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("view/shape", [1, 10**6, 10**6], r"result\.json: shape"),
        ("view/shape", [1, 4096, 4096], "cannot be"),
        ("view/shape", [1, -60, 160], "shape"),
        ("view/shape", "1x60x160", "shape"),
        ("view/shape", [1, 90, 160], "does not fit the run|cannot be built"),
        ("length", [4, 10**9], "length"),
        ("length", [5, 4], "cannot be"),
        ("length", 4, "length"),
        ("alphabet", "0123456789" * 10**4 * 20, r"alphabet|over 1,048,576 bytes"),
        ("alphabet", "", "alphabet"),
        ("alphabet", "\x1b[2J", r"alphabet: '\\x1b' is a symbol that a text cannot show"),
        ("alphabet", ["0", "1"], "alphabet"),
        ("alphabet", "01234567890", "occurs twice"),
    ],
)
def test_impossible_results_of_a_run_are_refused(key: str, value: Any, match: str, folder: Path) -> None:
    set_in(folder / "result.json", key, value)
    refused(folder, match)


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("file", "content", "match"),
    [
        ("config.yaml", b"!!python/object/apply:os.system [touch owned]", r"config\.yaml: is not YAML"),
        ("config.yaml", BOMB.encode(), "holds an alias, which CapBench never writes"),
        ("config.yaml", b"a: !!set {b}", r"config\.yaml: is not YAML"),
        ("config.yaml", b"[" * 100_000, r"config\.yaml: is not YAML"),
        ("config.yaml", b"a: b\n" * 300_000, r"config\.yaml has over 1,048,576 bytes"),
        ("config.yaml", b"\xff", r"config\.yaml is not UTF-8 text"),
        ("config.yaml", b"a: 1", r"config\.yaml: has no view; the folder is not a training's"),
        ("result.json", b"[" * 100_000, r"result\.json: is not JSON"),
        ("result.json", b"[]", r"result\.json: holds no results"),
        ("result.json", b"{}", r"result\.json: alphabet: must be given"),
        ("model.safetensors", pickle.dumps(Owner()), r"model\.safetensors: is not a safetensors file"),
        ("model.safetensors", b"", r"model\.safetensors: is not a safetensors file"),
        ("model.safetensors", struct.pack("<Q", 2**62) + b"{}", r"is not a safetensors file"),
        ("model.safetensors",
         struct.pack("<Q", 71) + b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}'.ljust(71) + b"1234",
         r"is not a safetensors file"),
    ],
    ids=range(14),
)  # fmt: skip
def test_malformed_files_of_a_run_are_refused(file: str, content: bytes, match: str, folder: Path) -> None:
    (folder / file).write_bytes(content)
    refused(folder, match)


def test_a_pickle_in_place_of_the_weights_is_refused(folder: Path) -> None:
    torch.save({"model": Owner()}, folder / "model.safetensors")
    refused(folder, r"model\.safetensors: is not a safetensors file")
    assert not Path("owned").exists()


@pytest.mark.parametrize("file", ["config.yaml", "result.json", "model.safetensors"])
def test_a_link_out_of_the_folder_of_a_run_is_refused(file: str, folder: Path) -> None:
    (folder / file).rename(folder.parent / "elsewhere")
    (folder / file).symlink_to("../elsewhere")
    refused(folder, rf"{file}: leads out of the run's folder")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def sparse(path: Path) -> None:
    """Write a sparse safetensors file of eight TiB, or of 64 GiB where the file system allows no larger one."""
    for size in (8 << 40, 8 << 33):
        heading = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
        path.write_bytes(struct.pack("<Q", len(heading)) + heading)
        try:
            os.truncate(path, 8 + len(heading) + size)
        except OSError:
            continue
        return


def socket_at(path: Path) -> None:
    # The path of a socket may have at most 107 bytes.
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


NO_FILES = (os.mkfifo, loop, Path.mkdir, sparse, socket_at, device)


@pytest.mark.parametrize("put", NO_FILES, ids=lambda put: put.__name__)
@pytest.mark.parametrize("file", ["config.yaml", "result.json", "model.safetensors"])
def test_a_special_file_in_the_folder_of_a_run_is_refused(file: str, put: Callable[[Path], None], folder: Path) -> None:
    (folder / file).unlink()
    put(folder / file)
    refused(folder, rf"{re.escape(str(folder / file))}\W")
    with pytest.raises(Mistake, match=re.escape(file)):  # the verb label reads these before it loads the run
        RunFolder(folder).fingerprint() if file != "result.json" else RunFolder(folder).read_result()
    if file == "result.json":  # serve reads the other files in another process
        with pytest.raises(Mistake, match=re.escape(file)), graphs_of([str(folder)]):
            pass


@pytest.mark.parametrize("put", NO_FILES, ids=lambda put: put.__name__)
@pytest.mark.parametrize("file", ["model.onnx", "model.json"])
def test_a_special_file_in_place_of_a_graph_is_refused(file: str, put: Callable[[Path], None], tmp_path: Path) -> None:
    graph(tmp_path / "model.onnx")
    (tmp_path / file).unlink()
    put(tmp_path / file)
    with pytest.raises(Mistake, match=rf"{re.escape(file)}.*; (give a graph that|a graph's JSON lies)"):
        Graph.open(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0", "nothing"])
def test_an_impossible_folder_name_of_a_run_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Mistake) as told:
        capbench.load(tmp_path / name)
    assert "\0" not in str(told.value) and len(str(told.value)) <= 2_000
    with pytest.raises(Mistake), graphs_of([str(tmp_path / name)]):
        pass


@pytest.mark.parametrize("put", [Path.touch, loop, os.mkfifo], ids=lambda put: put.__name__)
def test_a_special_file_in_place_of_the_evaluations_folder_is_refused(
    put: Callable[[Path], None], folder: Path, cli: Cli
) -> None:
    put(folder / "evaluations")
    code, _, err = cli("evaluate", f"run={folder}", "data.split={train:1,val:1,test:4}")
    assert code == 2 and len(err.splitlines()) == 1 and "no folder can be made there" in err


@pytest.mark.parametrize("put", [loop, os.mkfifo, device], ids=lambda put: put.__name__)
def test_a_special_file_in_place_of_an_image_is_refused(put: Callable[[Path], None], tmp_path: Path) -> None:
    put(tmp_path / "image.png")
    with pytest.raises(BadImage, match="cannot be read"):
        Files(str(tmp_path), "data.root").read("image.png")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("more", {f"k{n}": 1 for n in range(60_000)}),
        ("view", [1] * 300_000),
        ("view", {"_target_": "capbench.data.views.Characters", "clean": [{"_target_": "capbench.data.clean.Ink"}] * 20_000}),
    ],
    ids=["keys", "numbers", "steps"],
)  # fmt: skip
def test_settings_with_too_many_values_are_refused_before_parsing(key: str, value: Any, folder: Path) -> None:
    """Refuse them before they are parsed, which would take seconds."""
    config = folder / "config.yaml"
    config.write_text(config.read_text() + json.dumps({key: value})[1:-1].replace('": ', '" : ') + "\n")
    with mock.patch.object(bounded.yaml, "load", side_effect=AssertionError("is parsed")):
        refused(folder, r"config\.yaml: is not YAML \(it holds over 5,000 values")
    ((run, reason),) = folders.read(folder.parent)[1]
    assert run == folder.name and "over 5,000 values" in reason


@pytest.mark.parametrize(
    ("key", "value"), [("model|stem", [1] * 101), ("model|widths", [1] * 4000)], ids=["stem", "widths"]
)
def test_a_network_of_too_many_layers_is_refused(key: str, value: Any, folder: Path) -> None:
    set_in(folder / "config.yaml", key, value)
    refused(folder, rf"{key.replace('|', '.')}: .* list should have at most 100 items")


def test_weights_with_missing_or_extra_tensors_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith(".weight"))
    save_file({n: t for n, t in weights.items() if n != name}, folder / "model.safetensors")
    refused(folder, "does not fit the run")
    save_file(weights | {"more": torch.zeros(3)}, folder / "model.safetensors")
    refused(folder, "does not fit the run")


def test_impossible_samples_of_nearest_neighbours_are_refused(train: Train) -> None:
    folder = train("debug=fast", "trainer.progress=false", "model=knn", "view=characters").path
    weights = load_file(folder / "model.safetensors")
    labels, samples = weights["model.labels"], weights["model.samples"]
    for wrong in (
        {"model.labels": labels + 10**6},
        {"model.labels": labels[:-1].clone()},
        {"model.samples": samples.double()},
        {"model.samples": samples[:, :-1].clone()},
    ):
        save_file(weights | wrong, folder / "model.safetensors")
        with pytest.raises(Mistake, match="does not fit the run"):
            capbench.load(folder)


def test_the_malicious_pickle_would_run_its_command_if_loaded(folder: Path) -> None:
    """Run the command on purpose, to show that the tests above would notice it."""
    assert capbench.load(folder).read(torch.zeros(60, 160, dtype=torch.uint8).numpy()).text
    pickle.loads(pickle.dumps(Owner()))
    assert Path("owned").exists()


def test_classes_that_a_run_may_build_take_no_file_font_or_pattern() -> None:
    """List every setting of every class that a run may build: only two are free text, and none is a file."""
    for room in (capbench.data, capbench.models):
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)
    free: set[tuple[str, str, Any]] = set()
    known: set[Any] = set()
    waiting: list[Any] = [reader._read_with]
    while waiting:
        built = waiting.pop()
        known.add(built)
        for name, kinds in settings_of(built):
            ours = {kind for kind in kinds if kind.__module__.startswith("capbench.")}
            free |= {(built.__name__, name, kind) for kind in kinds - ours - {int, float, bool, NoneType}}
            waiting += {choice for kind in ours for choice in shipped(kind)} - known
    assert free == {("Alphabet", "symbols", str), ("Timm", "backbone", str)}
    assert {"Whole", "Characters", "Threshold", "Watershed", "Committee", "KNN"} <= {kind.__name__ for kind in known}


def settings_of(built: Any) -> Iterator[tuple[str, set[Any]]]:
    """Yield the settings of a class or function, each with the types that it may have."""
    hints = get_type_hints(built.__init__ if inspect.isclass(built) else built, include_extras=True)
    for name, parameter in inspect.signature(built).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            yield name, set(leaves(hints[name]))


def leaves(hint: Any) -> Iterator[Any]:
    """Yield the types that a hint is made of, without its literal words."""
    if get_origin(hint) is Literal or hint is ...:
        return
    parts = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    if not parts:
        yield hint
    for part in parts:
        yield from leaves(part)


def shipped(kind: type) -> Iterator[type]:
    """Yield a class and its subclasses, where they are CapBench's own."""
    if kind.__module__.startswith("capbench."):
        yield kind
    below: list[type] = kind.__subclasses__()
    for one in below:
        yield from shipped(one)
