"""Sources of labelled images, their cache, and the refusal of bad data."""

from __future__ import annotations

import base64
import os
import pickle
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capbench.data import store
from capbench.data.material import Request
from capbench.errors import Mistake
from capbench.render.painter import Painter
from capbench.settings import build
from tests.helpers.captchas import save_captchas
from tests.helpers.material import material
from tests.helpers.settings import composed


def write_labels(folder: Path, *lines: str) -> None:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Labelled folder of 40 captchas that a test may damage."""
    save_captchas(tmp_path / "small", 40)
    return tmp_path / "small"


def test_synthetic_parts_have_the_sizes_asked_for() -> None:
    known = material("data.split={train:20,val:10,test:15}")
    assert {name: len(part.samples) for name, part in known.parts.items()} == {"train": 20, "val": 10, "test": 15}
    assert all(len(text) == 4 for text in known.parts["test"].texts)
    assert len(set(known.parts["train"].texts) | set(known.parts["test"].texts)) > 30


def test_synthetic_validation_and_test_do_not_depend_on_the_training_size() -> None:
    whole, less = (material(f"data.split={{train:{n},val:10,test:10}}") for n in (30, 12))
    fewer = material("data.split={train:30,val:10,test:10}", "data.train_size=12")
    for part in ("val", "test"):
        for other in (less, fewer):
            assert whole.parts[part].texts == other.parts[part].texts
    assert fewer.parts["train"].texts == less.parts["train"].texts == whole.parts["train"].texts[:12]


@pytest.mark.parametrize("renderer", ["capbench", "captcha"])
def test_data_often_draws_given_symbols_more_often_in_training_only(renderer: str) -> None:
    settings = ["data.split={train:120,val:10,test:10}", f"data.renderer={renderer}"]
    even, uneven = material(*settings), material(*settings, "data.often='777777'")
    for part in ("val", "test"):
        assert uneven.parts[part].texts == even.parts[part].texts
        request = Request(0, np.arange(10))
        assert np.array_equal(uneven.parts[part].take(request)[0], even.parts[part].take(request)[0])
    sevens = "".join(uneven.parts["train"].texts).count("7") / 480
    assert abs(sevens - 7 / 16) < 0.1
    assert uneven.hash != even.hash


def test_data_often_refuses_symbols_outside_the_alphabet() -> None:
    with pytest.raises(Mistake, match=r"data.often: 'Ox' is outside the alphabet '0123456789'"):
        material("data.often=Ox7O")


def test_texts_have_every_length_of_the_range() -> None:
    known = material("data.length=[2,5]", "data.split={train:60,val:10,test:10}")
    assert {len(text) for text in known.parts["train"].texts} == {2, 3, 4, 5}
    assert (known.shortest, known.longest) == (2, 5)


def test_a_zip_file_gives_the_data_of_its_folder(labelled: Path, labelled_zip: Path) -> None:
    folder, zipped = (material("data=csv", "alphabet=auto", f"data.root={root}") for root in (labelled, labelled_zip))
    assert folder.hash == zipped.hash
    assert folder.parts["test"].texts == zipped.parts["test"].texts
    assert folder.alphabet.symbols == "0123456789"


def test_labels_in_file_names_equal_those_of_the_csv_file(labelled: Path) -> None:
    by_csv = material("data=csv", f"data.root={labelled}")
    by_name = material("data=filenames", f"data.root={labelled}")
    assert by_csv.hash == by_name.hash


@pytest.mark.parametrize(("name", "label"), [("5UFQ.jpg", "5UFQ"), ("50_7136.png", "7136"), ("1112_0.png", "0")])
def test_file_names_of_common_forms_need_no_pattern(name: str, label: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    source = build(composed("data=filenames", f"data.root={tmp_path}", "data.length=4")["data"])
    # A file name has lost no leading zeros, so that data.length restores none.
    assert [sample.text for sample in source.samples] == [label]


def test_file_names_outside_utf_8_serve_where_their_label_is_text(small: Path) -> None:
    before = material("data=filenames", f"data.root={small}/images", "cache=null").hash
    victim = sorted((small / "images").iterdir())[3]
    try:
        victim.rename(os.fsdecode(os.fsencode(victim.with_suffix("")) + b"_\xe9.png"))
    except OSError:
        pytest.skip("this file system takes text only")
    pattern = r"data.pattern='\d+_(?P<label>\d+).*'"
    known = material("data=filenames", f"data.root={small}/images", "cache=null", pattern)
    assert known.hash == before
    ("".join(sample.name for part in known.parts.values() for sample in part.samples)).encode()
    with pytest.raises(Mistake, match=r"_\\xe9\.png: its name is not UTF-8 text; rename it"):
        material("data=filenames", f"data.root={small}/images", r"data.pattern='\d+_(?P<label>.*)\.png'")


def test_base64_text_files_serve_as_images_of_every_source(small: Path) -> None:
    before = material("data=csv", f"data.root={small}", "cache=null")
    for file in sorted((small / "images").iterdir()):
        file.with_suffix(".txt").write_bytes(base64.b64encode(file.read_bytes()))
        file.unlink()
    table = (small / "labels.csv").read_text().replace(".png", ".txt")
    (small / "labels.csv").write_text(table)
    assert material("data=csv", f"data.root={small}").hash == before.hash
    assert material("data=ocr", f"data.root={small}").hash == before.hash
    assert material("data=filenames", f"data.root={small}").hash == before.hash
    (small / "README.txt").write_text("what these are\n")
    with pytest.raises(Mistake, match=r"small/README\.txt: README\.txt is not an image of a known format.*on_bad=skip"):
        material("data=filenames", f"data.root={small}")
    skipped = material("data=filenames", f"data.root={small}", "data.on_bad=skip")
    assert skipped.hash == before.hash
    assert len(skipped.bad) == 1


def test_the_cache_distinguishes_exif_settings(small: Path) -> None:
    from PIL import ExifTags, Image

    upside_down = Image.Exif()
    upside_down[ExifTags.Base.Orientation] = 3
    for file in (small / "images").iterdir():
        Image.open(file).save(file, exif=upside_down)
    ignored, turned, again = (
        material("data=csv", f"data.root={small}", f"data.exif={exif}") for exif in ("ignore", "turn", "ignore")
    )
    assert ignored.hash == again.hash != turned.hash
    kept = {s.name: view for p in ignored.parts.values() for s, view in zip(p.samples, p.views[p.places], strict=True)}
    for part in turned.parts.values():
        for sample, view in zip(part.samples, part.views[part.places], strict=True):
            assert (view == kept[sample.name][::-1, ::-1]).all()


def test_other_column_names_can_be_given(small: Path) -> None:
    text = (small / "labels.csv").read_text()
    (small / "other.csv").write_text(text.replace("filename,label", "path,solution"))
    known = material(
        "data=csv", f"data.root={small}", "data.labels=other.csv", "data.file_column=path", "data.label_column=solution"
    )
    assert known.hash == material("data=csv", f"data.root={small}").hash


def read_labels(root: Path, *overrides: str) -> dict[str, str]:
    samples = build(composed("data=csv", f"data.root={root}", *overrides)["data"]).samples
    return {sample.name: sample.text for sample in samples}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", ", "),
        lambda text: "".join(f'"{field}"'.replace(",", '","') + "\n" for field in text.splitlines()),
        lambda text: text.replace("\n", ",,\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace("images/", "./images/"),
        lambda text: text.replace("images/", "images\\"),
        lambda text: text.replace("images/", f"{Path.cwd()}/small/images/"),
        lambda text: text + text.partition("\n")[2],
    ],
    ids=[
        *("byte order mark", "Windows lines", "semicolons", "tabs", "spaces", "quotes", "empty fields", "empty lines"),
        *("dot", "backslashes", "whole paths", "each row twice"),
    ],
)
def test_csv_dialects_of_other_programs_are_read(change: Callable[[str], str], small: Path) -> None:
    known = read_labels(small)
    assert len(known) == 40
    (small / "labels.csv").write_text(change((small / "labels.csv").read_text()), newline="")
    assert read_labels(small) == known


def test_a_zip_file_that_holds_the_folder_itself_is_read(small: Path) -> None:
    """Read a zip file as file managers pack it: with the folder itself, and on macOS a folder of notes."""
    import shutil

    known = read_labels(small)
    notes = small.parent / "packed" / "__MACOSX" / "small"
    shutil.copytree(small, small.parent / "packed" / "small")
    notes.mkdir(parents=True)
    for name in ("._labels.csv", "._0.png"):
        (notes / name).write_bytes(b"\0\5\x16\7")
    zipped = shutil.make_archive("small", "zip", "packed")
    for more in ([], ["data.labels=small/labels.csv"]):
        assert read_labels(Path(zipped), *more) == {f"small/{name}": text for name, text in known.items()}


def test_file_names_are_also_looked_up_beside_the_labels(small: Path) -> None:
    known = read_labels(small)
    text = (small / "labels.csv").read_text()
    (small / "images" / "labels.csv").write_text(text.replace("images/", ""))
    (small / "more").mkdir()
    (small / "more" / "labels.csv").write_text(text.replace("images/", "../images/"))
    for labels in ("images/labels.csv", "more/labels.csv", "small/images/labels.csv", f"{small}/images/labels.csv"):
        assert read_labels(small, f"data.labels={labels}") == known


def test_leading_zeros_lost_by_a_spreadsheet_are_restored(small: Path) -> None:
    names = sorted(path.name for path in (small / "images").iterdir())
    write_labels(small, "filename,label", *(f"images/{name},{i}" for i, name in enumerate(names)))
    known = material("data=csv", f"data.root={small}", "data.length=6")
    texts = {text for part in known.parts.values() for text in part.texts}
    assert texts == {f"{i:06}" for i in range(len(names))}


def test_a_split_column_decides_the_parts(small: Path) -> None:
    names = sorted(path.name for path in (small / "images").iterdir())
    parts = ["train"] * 30 + ["val"] * 4 + ["test"] * 6
    write_labels(
        small, "filename,label,split", *(f"images/{n},{n[-8:-4]},{p}" for n, p in zip(names, parts, strict=True))
    )
    known = material("data=csv", f"data.root={small}", "data.split_column=split")
    assert {name: len(part.samples) for name, part in known.parts.items()} == {"train": 30, "val": 4, "test": 6}


def test_ocr_labels_below_min_confidence_are_left_out(small: Path) -> None:
    text = (small / "labels.csv").read_text().splitlines()
    text[1] = ",".join([text[1].split(",")[0], "", ""])  # the engines did not agree
    write_labels(small, *text)
    known = build(composed("data=ocr", f"data.root={small}")["data"]).samples
    assert len(known) == 39
    sure = build(composed("data=ocr", f"data.root={small}", "data.min_confidence=0.5")["data"]).samples
    assert len(sure) == 20


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_copies_of_an_image_stay_in_one_part(mode: str, small: Path) -> None:
    """Copy every image, also with an opaque alpha channel, as programs add one when they save."""
    from PIL import Image

    lines = (small / "labels.csv").read_text().splitlines()
    for line in lines[1:]:
        name, label, _ = line.split(",")
        copy = name.replace("images/", "images/copy_of_")
        Image.open(small / name).convert(mode).save(small / copy)
        lines = [*lines, f"{copy},{label},1"]
    write_labels(small, *lines)
    known = material("data=csv", f"data.root={small}", "cache=null")
    names = {part: {s.name.replace("copy_of_", "") for s in known.parts[part].samples} for part in known.parts}
    assert not names["train"] & names["test"]
    assert not names["train"] & names["val"]
    assert not names["val"] & names["test"]
    assert known.doubts == []


def test_image_digests_are_those_of_published_splits() -> None:
    grey = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    assert store.digest_of(grey) == 17942491857728662058
    clear = np.dstack([grey, np.full((4, 2), 255, dtype=np.uint8)])
    assert store.digest_of(clear) == store.digest_of(grey)
    clear[0, 0, 3] = 254
    assert store.digest_of(clear) == 1273364996130152075


def test_a_cache_of_another_edition_is_not_used(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("data=csv", f"data.root={labelled}", "cache=kept")
    material(*settings)
    material(*settings)
    assert len(list(Path("kept").glob("*/digests.npy"))) == 1
    monkeypatch.setattr(store, "EDITION", store.EDITION + 1)
    material(*settings)
    assert len(list(Path("kept").glob("*/digests.npy"))) == 2


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 255
    path.write_bytes(content)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [_flip, _truncate, Path.unlink])
@pytest.mark.parametrize("name", ["views.npy", store.SUMS])
def test_a_damaged_cache_is_reported_and_rebuilt(
    name: str, damage: Callable[[Path], None], small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("data=csv", f"data.root={small}", "cache=kept")
    views = np.array(material(*settings).parts["train"].views)
    (file,) = Path("kept").glob(f"*/{name}")
    damage(file)
    capsys.readouterr()
    assert (np.array(material(*settings).parts["train"].views) == views).all()
    assert capsys.readouterr().err == f"cache: {file.parent} is damaged; its images are prepared again\n"
    material(*settings)
    assert capsys.readouterr().err == ""


def test_a_copy_in_another_part_is_reported(small: Path) -> None:
    names = sorted(path.name for path in (small / "images").iterdir())
    (small / "images" / "copy.png").write_bytes((small / "images" / names[0]).read_bytes())
    parts = ["train"] * 30 + ["val"] * 4 + ["test"] * 7
    table = [f"images/{name},{name[-8:-4]},{part}" for name, part in zip([*names, "copy.png"], parts, strict=True)]
    write_labels(small, "filename,label,split", *table[:-1], f"images/copy.png,{names[0][-8:-4]},test")
    known = material("data=csv", f"data.root={small}", "data.split_column=split", "cache=null")
    (line,) = known.doubts
    assert line.startswith(f"images/{names[0]} (train) and images/copy.png (test) are one image in two parts; ")


def test_cached_arrays_equal_prepared_ones(labelled: Path) -> None:
    first, again = (material("data=csv", f"data.root={labelled}") for _ in range(2))
    unkept = material("data=csv", f"data.root={labelled}", "cache=null")
    for other in (again, unkept):
        assert first.hash == other.hash
        assert (np.asarray(first.parts["val"].views) == np.asarray(other.parts["val"].views)).all()
    assert isinstance(again.parts["val"].views, np.memmap)


def test_several_processes_prepare_the_same_images_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = material("data.split={train:300,val:20,test:20}", "cache=null")
    monkeypatch.setattr(store, "WORTH_A_POOL", 1)
    monkeypatch.setattr(store, "CHUNK", 64)
    pooled = material("data.split={train:300,val:20,test:20}", "cache=null")
    assert one_by_one.hash == pooled.hash
    assert (one_by_one.parts["train"].views == pooled.parts["train"].views).all()


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make several processes prepare the images, however few."""
    monkeypatch.setattr(store, "WORTH_A_POOL", 1)
    monkeypatch.setattr(store, "CHUNK", 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_several_processes_report_the_same_bad_images_as_one(small: Path, request: pytest.FixtureRequest) -> None:
    for victim in sorted((small / "images").iterdir())[3:40:9]:
        victim.write_bytes(b"hello")
    settings = ("data=csv", f"data.root={small}", "data.on_bad=skip", "cache=null")
    alone = material(*settings)
    request.getfixturevalue("pooled")
    together = material(*settings)
    assert (together.bad, together.hash) == (alone.bad, alone.hash)
    assert len(alone.bad) == 5


@pytest.mark.usefixtures("pooled")
def test_killed_worker_processes_are_an_error_of_one_line(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Future[object], timeout: float | None = None) -> object:
        raise BrokenProcessPool("A process in the process pool was terminated abruptly")

    monkeypatch.setattr(Future, "result", killed)
    with pytest.raises(Mistake, match="a worker process was killed, often for lack of memory; start again"):
        material("data=csv", f"data.root={small}", "cache=null")


def test_an_image_that_the_view_cannot_process_is_a_bad_image(small: Path) -> None:
    from PIL import Image

    victim = sorted((small / "images").iterdir())[3]
    Image.new("RGB", (1, 1)).save(victim)  # too small to be cut
    settings = ("data=csv", f"data.root={small}", "view=characters", "cache=null")
    with pytest.raises(Mistake, match=rf"{victim.name} cannot be processed by this view \(.*\); mend it, or leave"):
        material(*settings)
    assert len(material(*settings, "data.on_bad=skip").bad) == 1


def test_a_source_can_be_pickled(labelled_zip: Path) -> None:
    source = build(composed("data=csv", f"data.root={labelled_zip}")["data"])
    first = source.image(0)
    assert (pickle.loads(pickle.dumps(source)).image(0) == first).all()


def cut_short(folder: Path) -> None:
    victim = sorted((folder / "images").iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:300])


def no_image(folder: Path) -> None:
    sorted((folder / "images").iterdir())[0].write_text("hello")


def relabel(folder: Path, line: int, label: str) -> None:
    lines = (folder / "labels.csv").read_text().splitlines()
    name = lines[line - 1].split(",")[0]
    lines[line - 1] = f"{name},{label},1"
    write_labels(folder, *lines)


def disagree(folder: Path) -> None:
    lines = (folder / "labels.csv").read_text().splitlines()
    write_labels(folder, *lines, f"{lines[1].split(',')[0]},9999,1")


def in_two_places(folder: Path) -> None:
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").unlink()
    for name in ("images", "more"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "labels.csv").write_text(text)


BAD: list[tuple[str, Callable[[Path], Any], list[str], str]] = [
    ("missing folder", lambda f: None, ["data.root=nowhere"], r"data\.root: nowhere does not exist"),
    ("no zip", lambda f: None, ["data.root=small/labels.csv"], "neither a folder nor a zip"),
    (
        "empty folder",
        lambda f: (f / "empty").mkdir(),
        ["data=filenames", "data.root=small/empty"],
        "holds no labelled image",
    ),
    (
        "folder's name is not text",
        lambda f: None,
        ["data.root='caf\udce9'"],
        r"data\.root: 'caf\\xe9' is not UTF-8 text; ren",
    ),
    (
        "labels' name is not text",
        lambda f: None,
        ["data.labels='\udce9.csv'"],
        r"data\.labels: '\\xe9\.csv' is not UTF-8 text",
    ),
    ("no labels", lambda f: (f / "labels.csv").unlink(), [], r"labels\.csv does not exist"),
    ("no column", lambda f: None, ["data.label_column=lable"], "has no column 'lable'; did you mean label"),
    ("binary CSV", lambda f: (f / "labels.csv").write_bytes(b"\xff\xfe\x00"), [], "not a CSV file in UTF-8"),
    (
        "huge CSV",
        lambda f: (f / "labels.csv").write_bytes(b"x" * (11 << 20)),
        [],
        r"labels\.csv: has over 10,485,760 bytes",
    ),
    ("only a heading", lambda f: write_labels(f, "filename,label"), [], "holds no labelled image"),
    ("short row", lambda f: write_labels(f, "filename,label", "images/x.png"), [], r"labels\.csv:2: has fewer fields"),
    (
        "long row",
        lambda f: write_labels(f, "filename,label", "images/x.png,1,2"),
        [],
        r"labels\.csv:2: has more fields than the heading; put quotes around one that holds a ','",
    ),
    (
        "labels in two places",
        in_two_places,
        [],
        r"small/labels\.csv does not exist; did you mean (images|more)/labels\.csv or",
    ),
    (
        "a path from another machine",
        lambda f: write_labels(f, "filename,label", "C:\\images\\x.png,1"),
        [],
        r"labels\.csv:2: 'C:\\\\images\\\\x\.png' does not exist below small",
    ),
    (
        "missing file",
        lambda f: write_labels(f, "filename,label", "images/x.png,1"),
        [],
        r"labels\.csv:2: 'images/x\.png' does not exist",
    ),
    ("symbol outside", lambda f: relabel(f, 7, "12x4"), [], r"labels\.csv:7: label '12x4' 'x' is outside the alphabet"),
    (
        "wrong length",
        lambda f: relabel(f, 9, "12345"),
        ["data.length=4"],
        r"labels\.csv:9: label '12345' has 5 symbols where 4",
    ),
    (
        "rows disagree",
        disagree,
        [],
        r"labels\.csv:42: 'images/0_\d+\.png' is '9999' here and '\d+' at .*labels\.csv:2; keep",
    ),
    ("truncated", cut_short, [], r"labels\.csv:\d+: images/\S+ is truncated.*data\.on_bad=skip"),
    ("no image", no_image, [], r"images/\S+ is not an image of a known format"),
    ("empty part", lambda f: None, ["data.split.test=0.0001"], r"data\.split\.test: gets none of "),
    ("no group", lambda f: None, ["data=filenames", "data.pattern=.*"], r"has no group \(\?P<label>"),
    ("no regex", lambda f: None, ["data=filenames", "data.pattern='('"], "not a regular expression"),
    ("no label", lambda f: relabel(f, 5, " "), [], r"labels\.csv:5: has no label; fill it.*data=ocr"),
    (
        "equal labels",
        lambda f: write_labels(
            f, "filename,label", *(f"images/{path.name},train" for path in (f / "images").iterdir())
        ),
        ["alphabet=auto"],
        r"data: every label is 'train' \(40 images\), and nothing can be learned from that",
    ),
    (
        "equal labels in names",
        lambda f: [path.rename(path.with_name(f"{i}_x.png")) for i, path in enumerate((f / "images").iterdir())],
        ["data=filenames", "alphabet=auto"],
        r"data: every label is 'x'",
    ),
    (
        "name without a text",
        lambda f: None,
        ["data=filenames", "data.pattern='.*(?P<label>x?)'"],
        r"does not match data\.pattern",
    ),
    (
        "name that may be read in two ways",
        lambda f: (f / "images" / "train_0008.png").write_bytes(b""),
        ["data=filenames"],
        r"small/images/train_0008\.png: 'train' or '0008' may be its text",
    ),
    (
        "name that does not fit",
        lambda f: None,
        ["data=filenames", "data.pattern='(?P<label>x)'"],
        r"does not match data\.pattern",
    ),
    ("range reversed", lambda f: None, ["data.length=[5,3]"], r"data\.length: \[5, 3\] is reversed"),
    ("no alpha", lambda f: None, ["view.channel=alpha"], r"view\.channel: alpha is wanted and an image has none"),
    (
        "no place for boxes",
        lambda f: None,
        ["view=strokes", "view.boxes=[[0,99,0,9],[0,9,0,9],[0,9,0,9],[0,9,0,9]]"],
        "reaches beyond",
    ),
]


@pytest.mark.parametrize(("change", "overrides", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_data_is_refused_in_one_line(
    change: Callable[[Path], Any], overrides: list[str], message: str, small: Path, tmp_path: Path
) -> None:
    change(small)
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(Mistake, match=message) as refused:
        material("data=csv", "data.root=small", "cache=null", *overrides)
    assert "\n" not in str(refused.value)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_on_bad_skip_leaves_bad_files_out(small: Path) -> None:
    cut_short(small)
    known = material("data=csv", f"data.root={small}", "data.on_bad=skip")
    assert sum(len(part.samples) for part in known.parts.values()) == 39
    (reason,) = known.bad
    assert "truncated" in reason


def test_images_of_several_sizes_need_view_size(small: Path) -> None:
    from PIL import Image

    victim = sorted((small / "images").iterdir())[-1]
    Image.new("RGB", (30, 20)).save(victim)
    with pytest.raises(Mistake, match=r"is 20×30 pixels where the first image has 60×160; set view\.size"):
        material("data=csv", f"data.root={small}")
    assert material("data=csv", f"data.root={small}", "view.size=[32,96]").shape == (1, 32, 96)


def test_symbols_missing_in_training_count_as_mistakes_or_are_refused(small: Path) -> None:
    """Label validation and test with symbols that training lacks: alphabet=auto counts mistakes, others refuse."""
    lines = (small / "labels.csv").read_text().splitlines()
    parts = ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    write_labels(
        small,
        "filename,label,split",
        *(
            f"{line.split(',')[0]},12{'34' if p == 'train' else '5x'},{p}"
            for line, p in zip(lines[1:], parts, strict=True)
        ),
    )
    common = ("data=csv", f"data.root={small}", "data.split_column=split", "cache=null")
    known = material(*common, "alphabet=auto")
    assert known.alphabet.symbols == "1234"
    assert known.unseen == "5x"
    assert known.codec("positions").encode(["125x"]).tolist() == [[0, 1, -100, -100]]
    assert known.codec("time").encode(["125x"]).tolist() == [[0, 1, 4, 4]]
    with pytest.raises(Mistake, match="'x' is outside the alphabet"):
        material(*common, "alphabet=digits")


def test_the_cache_key_changes_with_the_pixels_of_the_renderer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def source_key() -> str:
        return str(build(composed("data=synthetic")["data"]).key)

    before = source_key()
    assert source_key() == before
    each = Painter.each
    monkeypatch.setattr(Painter, "each", lambda *given, **more: [picture ^ 1 for picture in each(*given, **more)])
    assert source_key() != before
