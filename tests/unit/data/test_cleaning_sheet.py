"""Contact sheet of cleaning and cutting, with the share of images in which the characters are counted right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import colors
from PIL import Image

from capbench.data.clean import Specks, Threshold
from capbench.data.cut import Pieces
from capbench.data.views import Characters
from capbench.report import pictures
from capbench.report.pictures import RIGHT, WRONG, Chain
from tests.helpers.protocols import Cli

GROUND = ["clean", "gradient", "overlap", "lines", "strokes"]


def save(folder: Path, *texts: str) -> None:
    """Write a labelled folder of white images with a black bar for each character of the text except `-`."""
    folder.mkdir()
    rows = ["filename,label"]
    for number, text in enumerate(texts):
        picture = np.full((20, 80, 3), 255, np.uint8)
        for place in range(len(text.rstrip("-"))):
            picture[4:16, 6 + 20 * place : 12 + 20 * place] = 0
        Image.fromarray(picture).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{text}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


BARS = (
    "view=characters",
    "view.cut=projection",
    "view.clean=[{_target_:capbench.data.clean.Threshold,at:99,invert:true}]",
)


def colours(path: str) -> set[tuple[int, int, int]]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(pixel) for pixel in np.unique(pixels, axis=0).tolist()}


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in colors.to_rgb(colour))


def test_the_sheet_counts_images_with_the_expected_characters(cli: Cli) -> None:
    save(Path("bars"), "1234", "123-", "12--", "5678", "9999")  # two have fewer bars than characters in their label
    code, out, err = cli("render", "sheet=true", "data=csv", "data.root=bars", *BARS, "out=seen")
    assert code == 0, err
    assert out == "4 characters found in 3 of 5 images\nsheet: seen/sheet.png\n"
    assert {rgb(RIGHT), rgb(WRONG)} <= colours("seen/sheet.png")
    code, out, _ = cli("render", "sheet=true", "data=csv", "data.root=bars", "data.length=[3,4]", *BARS, "out=seen")
    assert (code, out.splitlines()[0]) == (0, "3 to 4 characters found in 4 of 5 images")


def test_the_sheet_counts_unlabelled_images_by_data_length(cli: Cli) -> None:
    save(Path("bars"), "1234", "5678")
    (Path("bars") / "labels.csv").unlink()
    code, out, err = cli(
        "render", "sheet=true", "data=filenames", "data.root=bars", "data.length=4", *BARS, "view.cut=components"
    )
    assert code == 0, err
    assert out.startswith("4 characters found in 2 of 2 images\n")


@pytest.mark.parametrize("name", GROUND)
def test_each_view_cuts_captchas_of_the_style_of_its_name(name: str, cli: Cli) -> None:
    length = "length=5" if name == "lines" else "length=4"
    code, out, err = cli("render", "sheet=true", f"style={name}", f"view={name}", length, "count=200")
    assert code == 0, err
    counted = int(out.partition("found in ")[2].partition(" of")[0].replace(",", ""))
    assert counted >= {"clean": 150, "gradient": 150, "overlap": 50}.get(name, 200), out


def test_the_sheet_draws_boxes_on_the_last_picture_of_a_chain(tmp_path: Path) -> None:
    white = np.full((20, 80), 255, np.uint8)
    bare = pictures.chains(tmp_path / "bare.png", [Chain([white] * 3, [], "", WRONG)], ["a", "b"], "")
    boxed = [Chain([white] * 3, [[2, 18, 5, 30], [2, 18, 40, 70]], "", WRONG)]
    drawn = pictures.chains(tmp_path / "drawn.png", boxed, ["a", "b"], "")
    without, within = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (bare, drawn))
    assert without.shape == within.shape
    _, columns = np.nonzero(np.abs(without - within).sum(axis=2))
    assert columns.min() > 0.66 * within.shape[1]


def test_the_sheet_shows_the_pictures_of_the_view() -> None:
    """Check that the last step's picture is the one that is cut into pieces."""
    image = np.full((20, 80, 3), 255, np.uint8)
    image[4:16, 6:12] = image[4:16, 46:52] = 0
    image[0, 70] = 0
    clean = [Threshold(at=99, invert=True), Specks(area=3)]
    view = Characters(channel="grey", clean=clean, cut="components", boxes=None, size=[12, 6])
    *_, last = view.steps(image)
    picture, pieces = view.pieces(image, 2)
    assert (picture == last).all()
    assert pieces == Pieces([[4, 16, 6, 12], [4, 16, 46, 52]], 2)
    assert view(image, 2).min() == 255


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["view=strokes"],
            "view: is used only with sheet=true, which shows how images are cleaned and cut; add sheet=true",
        ),
        (["sheet=true", "data=csv", "data.root=."], "data: needs a view for a sheet of cleaned images; add one"),
        (["sheet=true", "view=whole"], "view._target_: capbench.data.views.Whole is not a Characters"),
        (["sheet=true", "view=strokes", "view.cutt=equal"], "view.cutt: is not a setting"),
        (["sheet=true", "view=strokes", "data=csv", "data.root=none"], "data.root: none does not exist"),
        (["sheet=true", "view=strokes", "style=strokes", "length=5"], "view.boxes: has 4 boxes"),
    ],
)
def test_a_mistake_in_a_sheet_is_one_line(arguments: list[str], message: str, cli: Cli) -> None:
    code, _, err = cli("render", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_the_sheet_refuses_or_skips_a_bad_file(cli: Cli) -> None:
    save(Path("bars"), "1234", "5678")
    Path("bars/1.png").write_bytes(b"no image")
    command = ("render", "sheet=true", "data=csv", "data.root=bars", *BARS)
    code, _, err = cli(*command)
    assert code == 2
    assert "bars/labels.csv:3: 1.png is not an image of a known format" in err
    code, out, err = cli(*command, "data.on_bad=skip")
    assert code == 0, err
    assert out.startswith("4 characters found in 1 of 1 images\n")
