"""OCR engines: neural ones, Tesseract, and trained runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from capbench import images
from capbench.errors import Mistake
from capbench.images.folder import Files
from capbench.inference.reader import Reader
from capbench.label.asking import Question, ask
from capbench.label.engines import base, networks
from capbench.label.engines.base import Unread
from capbench.label.engines.networks import Dddd, Masked, Rapid
from capbench.label.engines.tesseract import _on_paper
from capbench.label.engines.trained import Trained
from capbench.label.journal import Journal
from capbench.settings import build
from capbench.text import Alphabet
from tests.helpers.protocols import Cli, Train
from tests.helpers.settings import FAST, composed
from tests.helpers.tables import read_csv
from tests.helpers.tesseract import tesseract

DIGITS = Alphabet(symbols="0123456789", fold=None)


def gold(folder: Path) -> list[tuple[np.ndarray, str]]:
    rows = read_csv(folder / "labels.csv")
    return [(images.decode((folder / row["filename"]).read_bytes()), row["label"]) for row in rows]


def share_read(read: base.Read, pairs: list[tuple[np.ndarray, str]]) -> float:
    readings = [(read(image), text) for image, text in pairs]
    for reading, _ in readings:
        assert len(reading.characters) == len(reading.text)
        assert all(0 <= sure <= 1 for sure in (*reading.characters, reading.confidence))
    return sum(reading.text == text for reading, text in readings) / len(readings)


@pytest.mark.parametrize("settings", [Rapid(), Dddd(beta=True), Dddd(beta=False)])
def test_neural_engines_read_most_plain_captchas(settings: base.Engine, raw: Path) -> None:
    assert share_read(settings.open(DIGITS), gold(raw)) >= 0.7
    assert settings.version


def test_engines_answer_only_symbols_of_the_alphabet(raw: Path) -> None:
    few = Alphabet(symbols="01234", fold=None)
    for settings in (Rapid(), Dddd(beta=True)):
        texts = [settings.open(few)(image).text for image, _ in gold(raw)[:8]]
        assert any(texts)
        assert set("".join(texts)) <= set("01234")


def test_scores_are_masked_before_the_choice_and_summed_over_case() -> None:
    masked = Masked(["", "a", "A", "b", "漢"], Alphabet(symbols="ab", fold="lower"))
    probability = np.array([
        [0.1, 0.3, 0.3, 0.25, 0.05],  # a and A together beat b
        [0.9, 0.0, 0.0, 0.1, 0.0],
        [0.1, 0.0, 0.0, 0.3, 0.6],  # the best symbol is outside the alphabet, b is the next
    ])  # fmt: skip
    reading = masked.read(probability)
    assert reading.text == "ab"
    assert reading.characters == pytest.approx((0.6, 0.3))


def test_engines_that_are_told_a_length_read_the_best_text_of_it() -> None:
    probability = np.array([
        [0.1, 0.9, 0.0],  # by itself the text is a
        [0.6, 0.4, 0.0],
        [0.5, 0.2, 0.3],
    ])  # fmt: skip
    ab = Alphabet(symbols="ab", fold=None)
    assert Masked(["", "a", "b"], ab).read(probability).text == "a"
    assert Masked(["", "a", "b"], ab, 2).read(probability).text == "ab"
    with pytest.raises(Unread, match="is too narrow"):
        Masked(["", "a", "b"], ab, 4).read(probability)


@pytest.mark.parametrize("settings", [Rapid(length=6), Dddd(beta=True, length=6)])
def test_answers_have_the_told_length(settings: base.Engine, raw: Path) -> None:
    read = settings.open(DIGITS)
    assert {len(read(image).text) for image, _ in gold(raw)[:4]} == {6}


def test_images_too_wide_for_a_line_of_text_are_refused() -> None:
    for settings in (Rapid(), Dddd(beta=True)):
        read = settings.open(DIGITS)
        with pytest.raises(
            Unread, match="is 20001×1, too wide for a line of text; its width may be at most 100 times its height"
        ):
            read(np.zeros((1, 20001, 3), np.uint8))
        assert read(np.full((1, 100, 3), 255, np.uint8)).text == read(np.full((99, 1, 3), 255, np.uint8)).text == ""


def test_images_that_tesseract_refuses_are_unread_with_a_reason() -> None:
    read = tesseract().open(DIGITS)
    for height, width, reason in ((1, 20001, "too wide for a line of text"), (2_000_000, 1, "is refused by Tesseract")):
        with pytest.raises(Unread, match=reason):
            read(np.full((height, width, 3), 255, np.uint8))
    pieces = tesseract(option="tesseract_characters").open(DIGITS)
    with pytest.raises(Unread, match="cannot be prepared for Tesseract"):
        pieces(np.full((1, 1, 3), 255, np.uint8))


@pytest.mark.slow
def test_odd_images_are_labelled_or_rejected_with_a_reason(tmp_path: Path, cli: Cli) -> None:
    from PIL import ImageDraw, ImageFont

    from capbench.render.faces import font_file

    def drawn(mode: str, paper: Any, ink: Any) -> Image.Image:
        picture = Image.new(mode, (160, 60), paper)
        ImageDraw.Draw(picture).text((20, 8), "1234", ink, font=ImageFont.truetype(font_file("DejaVuSans.ttf"), 36))
        return picture

    tesseract()
    folder = tmp_path / "images"
    folder.mkdir()
    grey = drawn("L", 255, 0)
    legible = {
        "alpha.png": drawn("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),
        "deep.png": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
        "palette.png": grey.convert("P"),
        "four_inks.jpg": drawn("RGB", "white", "black").convert("CMYK"),
        "bits.png": grey.convert("1"),
    }
    for name, picture in legible.items():
        picture.save(folder / name)
    grey.save(folder / "two_frames.gif", save_all=True, append_images=[drawn("L", 0, 255)])
    sizes = (
        (1, 1),
        (1, 500),
        (500, 1),
        (4000, 20),
        (20, 4000),
        (1, 3_999_999),
        (3_999_999, 1),
        (2000, 2000),
        (160, 60),
    )
    for shade in ("white", "black"):
        for size in sizes:
            Image.new("RGB", size, shade).save(folder / f"{shade}_{size[0]}x{size[1]}.png")
    more = (f"+label/engine@label.engines.{name}={name}" for name in ("tesseract", "tesseract_characters"))
    code, told, error = cli("label", f"images={folder}", "alphabet=digits", "length=4", *more)
    assert code == 0, error
    assert "of 24 images labelled" in told and "0 cannot be read" in told
    assert {row["filename"]: row["label"] for row in read_csv(Path("labels.csv"))} == dict.fromkeys(
        [*legible, "two_frames.gif"], "1234"
    )
    reasons = {row["filename"]: row["reason"] for row in read_csv(Path("labels/rejected.csv"))}
    assert "rapid: is 4000×20, too wide for a line of text" in reasons["white_4000x20.png"]
    assert "tesseract: is refused by Tesseract" in reasons["white_1x3999999.png"]
    assert "tesseract_characters: cannot be prepared" in reasons["black_1x1.png"]


@pytest.mark.parametrize("option", ["tesseract", "tesseract_characters"])
def test_tesseract_reads_a_page_font(option: str) -> None:
    from PIL import ImageDraw, ImageFont

    from capbench.render.faces import font_file

    pairs = []
    for text in ("1234", "5678", "9021", "3647"):
        picture = Image.new("RGB", (200, 60), "white")
        for place, symbol in enumerate(text):
            where = (50 * place + 12, 8)
            ImageDraw.Draw(picture).text(where, symbol, "black", ImageFont.truetype(font_file("DejaVuSans.ttf"), 36))
        pairs.append((np.asarray(picture), text))
    read = tesseract("label.engines.tess.view.size=[48,40]" if "char" in option else "label.engines.tess.view.size=null",
                     option=option).open(DIGITS)  # fmt: skip
    assert share_read(read, pairs) >= 0.75


@pytest.mark.parametrize("ink", [0, 255])
def test_tesseract_is_given_dark_ink_within_a_margin(ink: int) -> None:
    piece = np.full((24, 16, 1), 255 - ink, np.uint8)
    piece[4:20, 4:12] = ink
    paper = _on_paper(piece)
    assert paper.shape == (40, 32, 1)
    assert (paper == 0).sum() == 16 * 8 and (paper == 255).sum() == paper.size - 16 * 8


def test_missing_tesseract_data_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tesserocr", reason="needs the engines: make test installs them")
    settings = composed("images=x", "+label/engine@label.engines.tess=tesseract", verb="label")["label"]["engines"][
        "tess"
    ]
    with pytest.raises(Mistake, match=r"holds no eng\.traineddata"):
        build(settings | {"tessdata": str(tmp_path)}).open(DIGITS)


def test_the_engine_of_a_trained_run_reads_like_the_run(labelled: Path, tmp_path: Path, train: Train) -> None:
    given = (f"data.root={labelled}", "view=characters", "view.size=[12,8]", "logger=none", "data.exif=turn")
    trained = train("+experiment=knn_33", *given)
    upside_down = Image.Exif()
    upside_down[ExifTags.Base.Orientation] = 3
    answers = {Path(row["filename"]).name: row["answer"] for row in read_csv(trained.predictions)}
    assert answers
    for name in answers:
        Image.open(labelled / "images" / name).rotate(180).save(tmp_path / name, exif=upside_down)
    files = Files(str(tmp_path), "images")
    names = [name for name in files.images if name in answers]
    settings = Trained(run=str(trained.path))
    with closing(Journal(tmp_path / "readings.jsonl")) as journal:
        found = ask(Question(files, names, {"run": settings}, DIGITS), journal, bool)
    assert {name: readings["run"].text for name, readings in found.readings.items()} == answers
    assert len(settings.version) == 64


def test_the_engine_of_a_trained_run_considers_only_texts_of_the_alphabet_and_length(train: Train) -> None:
    run = train("model=crnn", "alphabet.symbols=0123aA", "data.length=[2,4]", *FAST)
    image = np.zeros((60, 160, 3), np.uint8)
    told = Trained(run=str(run.path), length=3).open(Alphabet(symbols="a01", fold="lower"))(image)
    assert len(told.text) == 3
    assert {*told.text} <= {*"a01"}
    wider = Trained(run=str(run.path)).open(Alphabet(symbols="0123456789", fold=None))(image)  # the run lacks 4 to 9
    assert wider.text == Reader.of(run).read(image).text


def test_a_missing_engine_is_an_error_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(Mistake, match=r"rapidocr is not installed; python -m pip install 'capbench\[ocr\]'"):
        Rapid().open(DIGITS)
    networks._session.cache_clear()
