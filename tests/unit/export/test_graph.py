"""Exported graphs: their readings, and the refusal of malicious ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import capbench
from capbench.decoding import untold
from capbench.errors import BadImage, Mistake
from capbench.export import export
from capbench.export.description import BATCH, Description
from capbench.export.graph import Graph, Read
from capbench.inference import budget
from capbench.text import Alphabet, Codec
from tests.helpers.memory import grown
from tests.helpers.repository import ROOT, python_path
from tests.helpers.rounding import apart
from tests.helpers.untrained import untrained

onnx = pytest.importorskip("onnx", reason="needs the extra export: make test installs it")
from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402

from tests.helpers.graphs import graph  # noqa: E402


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export.export(untrained(folder / "run"), folder / "model.onnx", images=4)
    return folder / "model.onnx"


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    for suffix in (".onnx", ".json"):
        shutil.copy(exported.with_suffix(suffix), tmp_path / f"model{suffix}")
    return tmp_path / "model.onnx"


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def test_reading_a_graph_does_not_import_torch(exported: Path) -> None:
    code = (
        "import sys, numpy; from pathlib import Path; from capbench.export.graph import Graph;"
        f"graph = Graph.open(Path({str(exported)!r})); print(graph.name, graph.alphabet);"
        "print(len(graph.read([numpy.zeros((60, 160, 3), numpy.uint8)] * 3)), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["train 0123456789", "3 False"], done.stderr


def test_a_graph_reads_images_alike_alone_and_in_batches(exported: Path) -> None:
    graph = Graph.open(exported)
    images = [*noise(70, 60, 160, 3)]
    together = graph.read(images)
    alone = [graph.read([image])[0] for image in images]
    assert [read.text for read in together] == [read.text for read in alone]
    assert apart([read.confidence for read in together], [read.confidence for read in alone]) < 1e-4
    assert graph.read([]) == []


@pytest.mark.parametrize(
    "settings", [("model=crnn", "data.length=[3,5]"), ("model=cnn", "data.length=[3,5]"), ("model=cnn",)], ids=" ".join
)
def test_a_graph_reads_what_is_told_as_the_run_does(settings: tuple[str, ...], tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", *settings)
    export.export(run, tmp_path / "model.onnx", images=4)
    images = [*noise(5, 60, 160, 3)]
    graph, reader = Graph.open(tmp_path / "model.onnx"), capbench.load(run.path)
    for alphabet, length in (("135", None), (None, 4), ("7", [4, 4])):
        expected = reader.read(images, alphabet=alphabet, length=length)
        for read, reading in zip(graph.read(images, alphabet=alphabet, length=length), expected, strict=True):
            assert read.text == reading.text
            assert apart(read.confidence, reading.confidence) < 1e-3
            assert apart([one.confidence for one in read.characters], reading.characters) < 1e-3
            assert all(one.runner_up != one.symbol for one in read.characters)


def test_a_graph_refuses_to_be_told_what_it_does_not_know(exported: Path) -> None:
    with pytest.raises(Mistake, match="alphabet: the recogniser does not know 'abc'"):
        Graph.open(exported).read([noise(60, 160, 3)], alphabet="abc")


def test_a_graph_reads_grey_and_transparent_images(exported: Path) -> None:
    graph = Graph.open(exported)
    grey = noise(60, 160, 1)
    clear = np.concatenate([noise(60, 160, 3), np.zeros((60, 160, 1), np.uint8)], axis=2)
    read = graph.read([grey, np.repeat(grey, 3, axis=2), clear, np.full((60, 160, 3), 255, np.uint8)])
    assert read[0] == read[1]
    assert read[2] == read[3]
    assert read[0] != read[2]


def test_an_image_of_another_size_is_refused(exported: Path) -> None:
    with pytest.raises(BadImage, match="is 50×160 pixels and train reads 60×160"):
        Graph.open(exported).read([noise(60, 160, 3), noise(50, 160, 3)])


def test_images_are_resized_cut_or_refused_by_the_view_of_the_graph(tmp_path: Path) -> None:
    sizes = untrained(tmp_path / "sized", "model=mlp", "model.hidden=[8]", "view.size=[30,80]")
    export.export(sizes, tmp_path / "sized.onnx", images=4)
    read = Graph.open(tmp_path / "sized.onnx").read([noise(60, 160, 3), noise(20, 50, 4), noise(300, 300, 3)])
    assert [len(r.text) for r in read] == [4, 4, 4]
    boxes = "[[0,20,0,20],[0,20,20,40],[0,20,40,60],[0,20,60,80]]"
    cut = untrained(tmp_path / "cut", "model=mlp", "view=characters", "view.cut=fixed", f"view.boxes={boxes}")
    export.export(cut, tmp_path / "cut.onnx", images=4)
    graph = Graph.open(tmp_path / "cut.onnx")
    assert len(graph.read([noise(60, 160, 3), noise(30, 100, 3)])) == 2
    with pytest.raises(BadImage, match=r"does not suit train \(view\.boxes: .* reaches beyond an image of 10×100"):
        graph.read([noise(10, 100, 3)])


class Canned:
    """Stand-in for a session of onnxruntime that always gives the same probabilities."""

    def __init__(self, probabilities: list[list[float]]) -> None:
        self.probabilities = np.array([probabilities], dtype=np.float32)

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [self.probabilities]


def reading(exported: Path, codec: Codec, probabilities: list[list[float]]) -> Read:
    described = Description.of(exported).model_copy(update={"alphabet": codec.alphabet.symbols})
    (read,) = Graph(Canned(probabilities), described, codec, described.seen()).answer([noise(60, 160, 3)])
    return read


def test_readings_hold_the_runner_up_of_each_character(exported: Path) -> None:
    codec = Codec(Alphabet(symbols="abc", fold=None), 1, 3, "positions")
    read = reading(exported, codec, [[0.7, 0.2, 0.1, 0.0], [0.1, 0.3, 0.4, 0.2], [0.1, 0.0, 0.1, 0.8]])
    assert read.text == "ac"
    assert read.confidence == pytest.approx(0.7 * 0.4 * 0.8)
    assert [c.symbol + c.runner_up for c in read.characters] == ["ab", "cb"]
    assert [c.confidence for c in read.characters] == pytest.approx([0.7, 0.4])
    assert [c.runner_up_confidence for c in read.characters] == pytest.approx([0.2, 0.3])


def test_a_reading_over_time_takes_the_best_step_of_each_character(exported: Path) -> None:
    codec = Codec(Alphabet(symbols="ab", fold=None), 1, 3, "time")
    steps = [[0.1, 0.0, 0.9], [0.6, 0.3, 0.1], [0.8, 0.1, 0.1], [0.2, 0.1, 0.7], [0.9, 0.05, 0.05], [0.1, 0.5, 0.4]]
    read = reading(exported, codec, steps)
    assert read.text == "aab"
    assert [c.symbol + c.runner_up for c in read.characters] == ["ab", "ab", "ba"]
    assert [c.confidence for c in read.characters] == pytest.approx([0.8, 0.9, 0.5])
    assert [c.runner_up_confidence for c in read.characters] == pytest.approx([0.3, 0.05, 0.1])


def test_a_reading_over_time_has_the_one_length_that_was_met(exported: Path) -> None:
    codec = Codec(Alphabet(symbols="ab", fold=None), 2, 2, "time")
    steps = [[0.6, 0.3, 0.1], [0.2, 0.1, 0.7], [0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8], [0.1, 0.5, 0.4]]
    read = reading(exported, codec, steps)
    assert len(read.text) == len(read.characters) == 2
    (of_run,) = untold.read(codec, np.array([steps]))
    assert (read.text, read.confidence) == (of_run.text, pytest.approx(of_run.confidence))


def test_an_alphabet_of_one_symbol_has_no_runner_up(exported: Path) -> None:
    read = reading(exported, Codec(Alphabet(symbols="a", fold=None), 1, 1, "positions"), [[1.0]])
    assert read.characters == [("a", 1.0, "", 0.0)]


# Malicious graphs: each has the hash that its description names, so that nothing but the named fault is wrong.


def signed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    described = json.loads(path.with_suffix(".json").read_text())
    described["graph"] = hashlib.sha256(content).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(described))


def elsewhere(model: ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../../etc/passwd")


def constant_elsewhere(model: ModelProto) -> None:
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["t"], value=tensor))


def own_operator(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil", 1))
    model.graph.node.insert(0, helper.make_node("Run", [], ["x"], domain="evil"))


def operator_without_import(model: ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Tokenizer", [], ["x"], domain="com.microsoft"))


def function(model: ModelProto) -> None:
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(helper.make_function("", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 18)]))


def loop(model: ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.insert(0, helper.make_node("Loop", ["", ""], ["x"], name="for_ever", body=body))


def filled(model: ModelProto, count: int) -> None:
    model.graph.initializer.append(helper.make_tensor("much", TensorProto.INT64, [1], [count]))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["much"], ["x"], name="bomb"))


def of_unknown_size(model: ModelProto) -> None:
    """Add a tensor as long as the sum of the images' pixels."""
    model.graph.node.insert(0, helper.make_node("Cast", ["images"], ["n0"], to=TensorProto.INT64))
    model.graph.node.insert(1, helper.make_node("ReduceSum", ["n0"], ["n1"], keepdims=0))
    model.graph.initializer.append(helper.make_tensor("one", TensorProto.INT64, [1], [1]))
    model.graph.node.insert(2, helper.make_node("Reshape", ["n1", "one"], ["n2"]))
    model.graph.node.insert(3, helper.make_node("ConstantOfShape", ["n2"], ["x"], name="bomb"))


def lying_weight(model: ModelProto) -> None:
    weight = model.graph.initializer[0]
    del weight.dims[:]
    weight.dims.extend([1 << 20, 1 << 20])


def empty_weight(model: ModelProto) -> None:
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and weight.dims:
            weight.raw_data = weight.raw_data[:-4]
            return


def unlike_layers(model: ModelProto) -> None:
    for weight in model.graph.initializer:
        if len(weight.dims) == 4:
            weight.dims[0], weight.dims[1] = weight.dims[1], weight.dims[0]


def unknown_type(model: ModelProto) -> None:
    odd, size = (
        numpy_helper.from_array(np.ones(1, kind), name) for name, kind in (("odd", np.float32), ("one", np.int64))
    )
    odd.data_type = 2**31 - 1
    model.graph.initializer.extend([odd, size])
    model.graph.node.insert(0, helper.make_node("Expand", ["odd", "one"], ["expanded"]))


def second_output(model: ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))


def wider_input(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4000


def endless_weight(model: ModelProto) -> None:
    weight = next(weight for weight in model.graph.initializer if weight.data_type == TensorProto.FLOAT and weight.dims)
    weight.CopyFrom(numpy_helper.from_array(np.full(list(weight.dims), np.inf, np.float32), weight.name))


def weight_of_no_numbers(model: ModelProto) -> None:
    weight = next(weight for weight in model.graph.initializer if weight.data_type == TensorProto.FLOAT and weight.dims)
    weight.CopyFrom(numpy_helper.from_array(np.full(list(weight.dims), np.nan, np.float32), weight.name))


def fixed_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (elsewhere, "weight '.*' lies in another file"),
        (constant_elsewhere, "Constant '' lies in another file"),
        (own_operator, r"it uses operators of its own \(evil\)"),
        (operator_without_import, r"it uses operators of its own \(com\.microsoft\)"),
        (function, r"it uses operators of its own \(functions\)"),
        (loop, "Loop 'for_ever' holds a graph of its own"),
        (lambda model: filled(model, 1 << 40), "ConstantOfShape 'bomb' makes 1,099,511,627,776 numbers"),
        (of_unknown_size, "the size of what ConstantOfShape 'bomb' makes is unknown"),
        (lying_weight, "weight '.*' has the size 1048576×1048576"),
        (empty_weight, "refused by onnxruntime"),
        (unlike_layers, "its layers do not fit together"),
        (unknown_type, "'.*' holds numbers of type 2147483647, which ONNX does not have"),
        (endless_weight, "weight '.*' holds infinite or NaN numbers"),
        (weight_of_no_numbers, "weight '.*' holds infinite or NaN numbers"),
        (second_output, r"it should have probabilities \[batch, 4, 10\] alone"),
        (wider_input, r"it should have images \[batch, 60, 160, 3\] alone"),
        (fixed_batch, r"it should have images \[batch, 60, 160, 3\] alone"),
    ],
)
def test_a_malicious_or_inconsistent_graph_is_refused(
    change: Callable[[ModelProto], None], message: str, copied: Path
) -> None:
    model = onnx.load(copied)
    change(model)
    signed(copied, model.SerializeToString())
    with pytest.raises(Mistake, match=message) as caught:
        Graph.open(copied)
    assert str(caught.value).startswith(f"{copied}: ")
    assert "\n" not in str(caught.value)


def test_names_of_operators_that_are_not_utf_8_are_refused_beside_others(copied: Path) -> None:
    model = onnx.load(copied)
    own_operator(model)
    operator_without_import(model)
    signed(copied, model.SerializeToString().replace(b"evil", b"ev\xffl"))
    with pytest.raises(Mistake, match=r"it uses operators of its own \(b'ev\\xffl', com\.microsoft\)"):
        Graph.open(copied)


def test_a_graph_that_does_not_run_is_refused(tmp_path: Path) -> None:
    """Open a graph whose layers fit together for a single batch size."""
    path = graph(tmp_path / "model.onnx")
    model = onnx.load(path)
    (shape,) = (weight for weight in model.graph.initializer if weight.name == "shape")
    shape.CopyFrom(onnx.numpy_helper.from_array(np.array([11, 4, 10]), "shape"))
    signed(path, model.SerializeToString())
    with pytest.raises(Mistake, match=r"model\.onnx: onnxruntime does not run it") as caught:
        Graph.open(path)
    assert "\n" not in str(caught.value)


def test_a_graph_that_aborts_the_loading_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = graph(tmp_path / "model.onnx")
    stopping = tmp_path / "stopping"
    (stopping / "onnxruntime").mkdir(parents=True)
    (stopping / "onnxruntime" / "__init__.py").write_text("import os\n\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", python_path(stopping, ROOT / "src"))
    with pytest.raises(Mistake, match=r"model\.onnx: stops the process that loads it by SIGABRT$"):
        Graph.open(path)


def of_tiles(path: Path, times: int, tiles: int) -> Path:
    """Replace a graph by a small one that repeats the image `times` times in each of `tiles` simultaneous tensors."""
    made = [f"tile{number}" for number in range(tiles)]
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        *(helper.make_node("Tile", ["floats", "times"], [name]) for name in made),
        *(helper.make_node("Add", [one, "floats1"], [f"{one}+"]) for one in made),
        helper.make_node("Max", [f"{one}+" for one in made], ["most"]),
        helper.make_node("ReduceMax", ["most", "within"], ["one"], keepdims=0),
        helper.make_node("Reshape", ["one", "alone"], ["each"]),
        helper.make_node("Expand", ["each", "all"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    whole = {"times": [1, 1, times, 1], "within": [1, 2, 3], "alone": [-1, 1, 1], "all": [1, 4, 10]}
    numbers = [numpy_helper.from_array(np.array(some, np.int64), name) for name, some in whole.items()]
    numbers.append(numpy_helper.from_array(np.ones(1, np.float32), "floats1"))
    ends = [
        helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 60, 160, 3]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 4, 10]),
    ]
    body = helper.make_graph(nodes, "tiles", ends[:1], ends[1:], numbers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    signed(path, model.SerializeToString())
    return path


def test_a_graph_of_many_large_tensors_is_refused(copied: Path) -> None:
    """Open a graph of tensors that take 230 MB each for one image."""
    of_tiles(copied, 2_000, 6)
    assert copied.stat().st_size < 2_000
    with pytest.raises(Mistake, match=r"takes [\d,]+ bytes to read one image; at most 536,\d+,\d+ are allowed$"):
        Graph.open(copied)
    work = "try:\n    Graph.open(Path(sys.argv[1]))\nexcept Mistake:\n    pass"
    assert grown(IMPORTS, work, str(copied)) < 100 * 2**20


def test_a_graph_of_large_tensors_reads_a_few_images_at_once(copied: Path) -> None:
    opened = Graph.open(of_tiles(copied, 100, 6))  # 23 MB for each copy and image
    assert 1 < opened.batch < BATCH
    work = "Graph.open(Path(sys.argv[1])).read([numpy.zeros((60, 160, 3), numpy.uint8)] * 64)"
    assert grown(IMPORTS, work, str(copied)) < 2 * budget.MOST_BYTES


IMPORTS = """
import numpy, onnx, onnxruntime
from pathlib import Path
from capbench.errors import Mistake
from capbench.export.graph import Graph
"""


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95cposix\nsystem\n", b"PK\x03\x04", bytes(1000)])
def test_a_file_that_is_no_graph_is_refused(content: bytes, copied: Path) -> None:
    signed(copied, content)
    with pytest.raises(Mistake, match=r"model\.onnx: is not a graph that CapBench wrote: it ") as caught:
        Graph.open(copied)
    assert "\n" not in str(caught.value)


def test_a_changed_or_oversized_graph_is_refused(copied: Path) -> None:
    with copied.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Mistake, match=r"model\.onnx: is not the graph that its JSON describes"):
        Graph.open(copied)
    with copied.open("ab") as file:
        file.truncate(2**40)  # a sparse file, which takes no room on the disk
    with pytest.raises(Mistake, match=r"model\.onnx has over 1,073,741,824 bytes"):
        Graph.open(copied)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": {"_target_": "os.system", "command": "true"}}, "os.system is not a class that CapBench builds"),
        (
            {"view": {"_target_": "capbench.text.Alphabet", "symbols": "a", "fold": None}},
            "view.*Alphabet is not a View",
        ),
        ({"view": {}}, "view: {} is not accepted"),
        (
            {"view": {"_target_": "capbench.data.views.Whole", "channel": "grey", "size": None, "fit": "x"}},
            "view.fit: 'x' is not accepted",
        ),
        (
            {
                "view": {
                    "_target_": "capbench.data.views.Characters",
                    "channel": "grey",
                    "cut": "equal",
                    "boxes": None,
                    "size": [9, 9],
                    "clean": [{"_target_": "subprocess.run"}],
                }
            },
            "subprocess.run is not a class that CapBench builds",
        ),
        ({"alphabet": "0123456788"}, "occurs twice"),
        ({"alphabet": "01234"}, "blank=None and 10 classes do not fit 5 symbols"),
        ({"length": [1, 4]}, "blank=None and 10 classes do not fit"),
        ({"length": [5, 5]}, "4 positions do not fit texts of up to 5 symbols"),
        ({"exif": "run"}, r"\(exif: "),
        ({"over": "eval"}, r"\(over: "),
        ({"blank": True}, r"\(blank: "),
        ({"input": [10**9, 160, 3]}, r"\(input\.0: "),
        ({"capbench_graph": 2}, r"\(capbench_graph: "),
        ({"hook": "os.system"}, r"\(hook: Extra inputs are not permitted\)"),
        ({"graph": "0" * 64}, "is not the graph that its JSON describes"),
    ],
)
def test_a_wrong_description_of_a_graph_is_refused(change: dict[str, Any], message: str, copied: Path) -> None:
    path = copied.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(Mistake, match=message) as caught:
        Graph.open(copied)
    assert "\n" not in str(caught.value)
    assert str(copied.parent) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b" " * 2**21])
def test_a_description_that_is_no_json_is_refused(content: bytes, copied: Path) -> None:
    copied.with_suffix(".json").write_bytes(content)
    with pytest.raises(Mistake, match=r"model\.json(: does not describe | has over )") as caught:
        Graph.open(copied)
    assert "\n" not in str(caught.value)


def test_a_missing_graph_or_description_is_named(copied: Path) -> None:
    copied.unlink()
    with pytest.raises(Mistake, match=r"model\.onnx: cannot be read \(No such file or directory\)"):
        Graph.open(copied)
    copied.with_suffix(".json").unlink()
    with pytest.raises(Mistake, match=r"model\.json: cannot be read .*; a graph's JSON lies beside it"):
        Graph.open(copied)
