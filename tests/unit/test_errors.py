"""Output of a stranger's text: control characters are escaped, and each line has a bounded length."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from capbench.errors import MOST_IN_LINE, MOST_SHOWN, BadImage, Mistake, lines, printable
from capbench.sweep.results import Failed, Failure
from tests.helpers.captchas import save_captchas
from tests.helpers.protocols import Cli

ORDERS = (
    "\x1b]0;owned\x07\n\r\u202e\x9b2J"  # for a terminal: set a title, begin lines, write backwards, clear the screen
)
HUGE = ORDERS + "x" * 100_000


def test_control_characters_are_escaped() -> None:
    assert printable(ORDERS) == r"\x1b]0;owned\x07\n\r\u202e\x9b2J"
    assert printable("größe 験 \ud800") == r"größe 験 \ud800"
    assert printable(5) == "5"


def test_long_text_is_cut_in_the_middle() -> None:
    assert printable("a" * MOST_SHOWN) == "a" * MOST_SHOWN
    cut = printable("a" * 10**6 + "b")
    assert len(cut) == MOST_SHOWN and cut.startswith("aaa") and "…" in cut and cut.endswith("b")
    assert len(printable("\x1b" * 10**6)) == MOST_SHOWN
    assert printable(cut) == cut


def test_a_message_stays_one_line_of_bounded_length() -> None:
    assert lines(["one\ntwo", "three"]) == "one\\ntwo\nthree"
    for kind in (Mistake, BadImage):
        told = kind(f"here: {HUGE}")
        assert str(told).startswith(r"here: \x1b]0;owned") and len(str(told)) == MOST_IN_LINE
        assert str(pickle.loads(pickle.dumps(told))) == str(told)
    failed = Failed(["1 job failed", f"  0: {ORDERS}"], [Failure("sweep", 0, "", "")])
    assert str(failed).splitlines() == ["1 job failed", r"  0: \x1b]0;owned\x07\n\r\u202e\x9b2J"]


@pytest.fixture
def hostile(trained: Path, tmp_path: Path) -> Path:
    """Run that works, with control characters wherever its folder holds a text."""
    run = Path(shutil.copytree(trained, tmp_path / "runs" / f"run{ORDERS}"))
    settings, result = yaml.safe_load((run / "config.yaml").read_text()), json.loads((run / "result.json").read_text())
    settings |= {"name": HUGE, "group": HUGE, "tags": [HUGE], ORDERS: HUGE, f"long{ORDERS}" + "k" * 3000: 1}
    result |= {"name": HUGE, "run": HUGE, "source": HUGE, "test/truth": HUGE, "test/confused": [[ORDERS, ORDERS, 1]]}
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    (run / "result.json").write_text(json.dumps(result))
    return run


def written(told: tuple[int, str, str]) -> str:
    """Check that the output of a verb holds no control characters and no long line, and return it."""
    for text in told[1:]:
        for line in re.split(r"[\n\r\t]", text):  # a progress bar uses \r, and a sweep's output has tabs
            assert line.isprintable() and len(line) <= MOST_IN_LINE, line[:200]
    assert "\nowned" not in told[1]
    return told[1] + told[2]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Labelled folder of four images and a bad file; two names hold control characters."""
    folder = tmp_path / "images"
    text = save_captchas(folder, 4)[0]
    good, bad = (f"images/{n}{ORDERS}.png" for n in range(2))
    (folder / f"images/0_{text}.png").rename(folder / good)
    (folder / bad).write_bytes(b"nothing")
    table = (folder / "labels.csv").read_text().replace(f"images/0_{text}.png", f'"{good}"')
    (folder / "labels.csv").write_text(f'{table}"{bad}",1234,0\n', newline="")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "run=run", "data=csv", "data.root=images", "data.on_bad=skip", "part=all"),
        ("evaluate", "-m", "run=run", "data=csv", "data.root=images", "data.on_bad=skip", "part=all", "data.exif=ignore,turn"),
        ("predict", "run=run", "images=images", "out=answers.csv"),
        ("export", "run=run", "out=model.onnx"),
        ("label", "images=images", "out=labels.csv", "alphabet=digits"),
        ("data=csv", "data.root=images", "data.on_bad=skip", "data.split={val:1,test:1}", "optim.epochs=1", "optim.epoch_images=null", "logger=none", "hydra.run.dir=new"),
        ("compare", "runs=runs", "out=report"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_no_verb_prints_control_characters_of_a_strangers_files(
    arguments: tuple[str, ...], hostile: Path, images: Path, cli: Cli
) -> None:
    if arguments[0] == "label":
        pytest.importorskip("rapidocr", reason="needs the engines: make test installs them")
    if arguments[0] != "compare":
        hostile.rename("run")
    code, out, err = cli(*arguments)
    assert code == 0, err
    written((code, out, err))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", {ORDERS: 1, "_target_": "capbench.models.cnn.CNN"}),
        ("model", {"k" * 300_000: 1, "_target_": "capbench.models.cnn.CNN"}),
        ("model", {"_target_": f"capbench.{HUGE}"}),
        ("model", {"_target_": "capbench.models.cnn.CNN", "_partial_": HUGE}),
        ("model", HUGE),
        ("view", [1] * 100),
        ("view", {"_target_": "capbench.data.views.Whole", "channel": HUGE}),
        ("alphabet", {"_target_": "capbench.text.Alphabet", "symbols": "01", "fold": HUGE}),
    ],
    ids=range(8),
)  # fmt: skip
def test_an_error_shows_little_of_a_strangers_settings(key: str, value: Any, trained: Path, cli: Cli) -> None:
    shutil.copytree(trained, "run")
    config = Path("run/config.yaml")
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {key: value}))
    code, out, err = cli("predict", "run=run", "images=run", "out=answers.csv")
    assert code == 2 and err.startswith(f"capbench: run/config.yaml: {key}")
    assert len(err.splitlines()) == 1 and len(written((code, out, err))) < 1_000
