"""The verb predict on folders, files, zip files and lists, also interrupted and resumed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import capbench
from capbench.images import Picture
from capbench.inference import predict
from capbench.inference.preprocess import Preprocessing
from tests.helpers.captchas import save_captchas
from tests.helpers.killed import kill_at_call
from tests.helpers.protocols import Cli, InterruptPredict, Train
from tests.helpers.tables import read_csv


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[Picture]:
    """Images that the run's view was applied to in this process."""
    seen: list[Picture] = []
    look = Preprocessing.__call__

    def counted(self: Preprocessing, image: Picture) -> np.ndarray:
        seen.append(image)
        return look(self, image)

    monkeypatch.setattr(Preprocessing, "__call__", counted)
    return seen


@pytest.fixture
def interrupt_predict(monkeypatch: pytest.MonkeyPatch) -> InterruptPredict:
    """Function that runs predict and interrupts it when all images are read, before the answers are written."""

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    def call(*, run: Path, images: Path | str, out: str = "answers.csv") -> None:
        with monkeypatch.context() as interrupting, pytest.raises(KeyboardInterrupt):
            interrupting.setitem(predict.WRITERS, ".csv", interrupt)
            predict.run({"run": str(run), "images": str(images), "out": out})

    return call


def test_predict_reports_bad_files_of_a_folder_in_their_rows(
    trained: Path, labelled: Path, tmp_path: Path, cli: Cli
) -> None:
    folder = Path(shutil.copytree(labelled / "images", tmp_path / "images"))
    good = sorted(path.name for path in folder.iterdir())
    (folder / "broken.png").write_bytes((folder / good[0]).read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "small.png").write_bytes(_png_of(10, 10))
    (folder / "notes.md").write_text("no image")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(b"x")
    (folder / 'two\nlines, and "quotes".png').write_bytes(b"x")
    code, out, err = cli("predict", f"run={trained}", f"images={folder}")
    assert code == 0, err
    assert out == "165 images: answers in answers.csv; 5 could not be read, see their rows\n"
    found = {row["filename"]: row for row in read_csv("answers.csv")}
    assert Path("answers.csv").read_text().splitlines()[0] == "filename,text,confidence,error"
    reader = capbench.load(trained)
    for name in good:
        expected = reader.read(folder / name)
        assert found[name]["text"] == expected.text
        # Six digits are written to the file.
        assert float(found[name]["confidence"]) == pytest.approx(expected.confidence, abs=2e-6)
        assert found[name]["error"] == ""
    bad = {name: row for name, row in found.items() if row["error"]}
    assert set(bad) == {"broken.png", "empty.jpg", "small.png", "caf\\xe9.png", 'two\nlines, and "quotes".png'}
    assert "truncated" in bad["broken.png"]["error"]
    assert bad["small.png"]["error"].startswith("is seen as 1×10×10 and the run reads 1×60×160; ")
    assert all((row["text"], float(row["confidence"])) == ("", 0) for row in bad.values())
    assert [path.name for path in Path().iterdir() if path.name.endswith(".part")] == []


def _png_of(width: int, height: int) -> bytes:
    import cv2
    import numpy as np

    return cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def test_predict_reads_a_folder_a_zip_file_and_a_list_alike(
    trained: Path, labelled: Path, labelled_zip: Path, cli: Cli
) -> None:
    for images, out in ((labelled, "folder.csv"), (labelled_zip, "zip.csv"), (labelled, "deep/er/lines.jsonl")):
        code, _, err = cli("predict", f"run={trained}", f"images={images}", f"out={out}")
        assert code == 0, err
    assert Path("zip.csv").read_bytes() == Path("folder.csv").read_bytes()
    expected = {row["filename"]: row["text"] for row in read_csv("folder.csv")}
    lines = [json.loads(line) for line in Path("deep/er/lines.jsonl").read_text().splitlines()]
    assert {line["filename"]: line["text"] for line in lines} == expected
    assert all(set(line) == {"filename", "text", "confidence", "characters", "error"} for line in lines)
    assert all(len(line["characters"]) == len(line["text"]) for line in lines)

    first, second, *_ = expected
    assert cli("predict", f"run={trained}", f"images={labelled / first}", "out=one.csv")[0] == 0
    assert [(row["filename"], row["text"]) for row in read_csv("one.csv")] == [(Path(first).name, expected[first])]
    Path("list.txt").write_text(f"{labelled / second}\n\n{labelled / first}\nnowhere.png\n{labelled / second}\n")
    assert cli("predict", f"run={trained}", "images=list.txt", "out=listed.csv")[0] == 0
    listed = read_csv("listed.csv")
    assert [row["text"] for row in listed] == [expected[second], expected[first], ""]
    assert "cannot be read" in listed[2]["error"]


def test_interrupted_predict_goes_on_without_reading_again(
    trained: Path, labelled: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, looked: list[Picture]
) -> None:
    arguments = ("predict", f"run={trained}", f"images={labelled}")
    assert cli(*arguments, "out=alone.csv")[0] == 0
    monkeypatch.setattr(predict, "CHUNK", 50)
    looked.clear()
    answers = predict._answers

    def stopped(*given: Any) -> Iterator[Any]:
        for number, chunk in enumerate(answers(*given)):
            if number == 2:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr(predict, "_answers", stopped)
    assert cli(*arguments)[0] == 130
    assert not Path("answers.csv").exists()
    (part,) = Path().glob(".answers.csv.*.part")
    part.write_bytes(part.read_bytes() + b'{"filename": "images/1')  # as if killed while writing
    monkeypatch.setattr(predict, "_answers", answers)
    looked.clear()
    code, out, _ = cli(*arguments)
    assert (code, len(looked)) == (0, 60)
    assert out == "160 images, 100 of them before: answers in answers.csv\n"
    assert Path("answers.csv").read_bytes() == Path("alone.csv").read_bytes()
    assert not part.exists()


def test_predict_does_not_reuse_answers_of_another_run(
    trained: Path, labelled: Path, train: Train, cli: Cli,
    interrupt_predict: InterruptPredict, looked: list[Picture],
) -> None:  # fmt: skip
    interrupt_predict(run=trained, images=labelled)
    other = train("debug=fast", "trainer.progress=false", "seed=2").path
    looked.clear()
    assert cli("predict", f"run={other}", f"images={labelled}")[0] == 0
    assert len(looked) == 160
    assert cli("predict", f"run={trained}", f"images={labelled}")[0] == 0
    assert len(looked) == 160  # all answers of the first run were kept


def test_predict_reuses_answers_by_content_and_writes_only_wanted_images(
    trained: Path, labelled: Path, tmp_path: Path, cli: Cli,
    interrupt_predict: InterruptPredict, looked: list[Picture],
) -> None:  # fmt: skip
    folder = Path(shutil.copytree(labelled / "images", tmp_path / "images"))
    first, second, third, *others = sorted(folder.iterdir())
    locked = folder / "locked.png"
    locked.symlink_to(tmp_path / "later.png")
    Path("before.txt").write_text("\n".join(map(str, [locked, *folder.glob("[0-9]*.png")])))
    interrupt_predict(run=trained, images="before.txt")
    first.unlink()
    shutil.copy(others[0], second)
    third.rename(folder / "renamed.png")
    shutil.copy(others[1], tmp_path / "later.png")
    looked.clear()
    code, out, err = cli("predict", f"run={trained}", f"images={folder}")
    assert (code, looked) == (0, []), err  # every image in the folder was read before, under some name
    assert out == "160 images, 160 of them before: answers in answers.csv\n"
    assert cli("predict", f"run={trained}", f"images={folder}", "out=alone.csv")[0] == 0
    assert Path("answers.csv").read_bytes() == Path("alone.csv").read_bytes()

    wanted = [others[4], others[2], others[3]]
    interrupt_predict(run=trained, images=folder)
    Path("list.txt").write_text("\n".join(map(str, wanted)))
    assert cli("predict", f"run={trained}", "images=list.txt")[0] == 0
    assert [row["filename"] for row in read_csv("answers.csv")] == [str(path) for path in wanted]


def test_predict_decodes_many_images_in_worker_processes(
    trained: Path, labelled: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, looked: list[Picture],
    interrupt_predict: InterruptPredict,
) -> None:  # fmt: skip
    assert cli("predict", f"run={trained}", f"images={labelled}", "out=alone.csv")[0] == 0
    Path("half.txt").write_text("\n".join(str(labelled / row["filename"]) for row in read_csv("alone.csv")[:80]))
    interrupt_predict(run=trained, images="half.txt", out="helped.csv")
    monkeypatch.setattr(predict, "WORTH_A_POOL", 100)
    monkeypatch.setattr(predict, "CHUNK", 10)
    looked.clear()
    code, out, _ = cli("predict", f"run={trained}", f"images={labelled}", "out=helped.csv")
    assert (code, looked) == (0, [])
    assert out == "160 images, 80 of them before: answers in helped.csv\n"
    assert Path("helped.csv").read_bytes() == Path("alone.csv").read_bytes()


def test_a_second_predict_into_the_same_file_is_refused(
    trained: Path, labelled: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("predict", f"run={trained}", f"images={labelled}")
    said = []
    answers = predict._answers

    def meanwhile(*given: Any) -> Iterator[Any]:
        with pytest.raises(capbench.Mistake) as told:
            predict.run({"run": str(trained), "images": str(labelled), "out": "answers.csv"})
        said.append(str(told.value))
        yield from answers(*given)

    monkeypatch.setattr(predict, "_answers", meanwhile)
    assert cli(*arguments)[0] == 0
    assert len(said) == 1 and "another predict is writing" in said[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run=nowhere", "images={labelled}"), "run: nowhere is not a finished run"),
        (("run={trained}",), "images: must be given"),
        (("run={trained}", "images=nowhere"), "images: nowhere does not exist"),
        (("run={trained}", "images=."), "images: . holds no image; accepted are"),
        (("run={trained}", "images={labelled}/labels.csv"), "labels.csv is neither an image, a zip file nor a list"),
        (("run={trained}", "images={trained}/model.safetensors"), "is neither an image, a zip file nor a list"),
        (("run={trained}", "images={labelled}", "out=answers.xls"), "out: answers.xls does not name a file of answers; end the name in .csv"),
        (("run={trained}", "images={labelled}", "out=folder.csv"), "out: folder.csv is a folder; name a file"),
        (("run={trained}", "images={labelled}", "out=/proc/answers.csv"), "out: /proc/answers.csv cannot be written"),
    ],
)  # fmt: skip
def test_a_mistake_in_predict_is_one_line(
    arguments: Sequence[str], message: str, trained: Path, labelled: Path, cli: Cli
) -> None:
    Path("folder.csv").mkdir()
    given = [argument.format(trained=trained, labelled=labelled) for argument in arguments]
    code, _, err = cli("predict", *given)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


@pytest.mark.slow
def test_predict_after_sigkill_writes_the_same_answers(trained: Path, tmp_path: Path, cli: Cli) -> None:
    save_captchas(tmp_path / "many", 4000)
    command = ("predict", f"run={trained}", "images=many")
    assert cli(*command, "out=alone.csv")[0] == 0
    kept = [0]
    for more in (600, 300, 1100):  # answers; some hundred are written at a time
        kill_at_call(more, "capbench.inference.predict:_answer", *command)
        kept.append(_kept())
    assert 0 < kept[1] <= kept[2] < kept[3] < 4000
    assert cli(*command)[0] == 0
    assert Path("answers.csv").read_bytes() == Path("alone.csv").read_bytes()


def _kept() -> int:
    """Return how many answers the interrupted command left."""
    (part,) = Path().glob(f".answers.csv.{'?' * 16}.part")
    return part.read_bytes().count(b"\n")
