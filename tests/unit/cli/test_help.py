"""Help of the verbs: one screen of what matters most, and every setting with the comment that conf/ has for it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from capbench.__main__ import VERBS
from capbench.cli.comments import described
from capbench.cli.help import MOST_IMPORTANT, merged, page, settings_of
from capbench.settings import conf_dir
from tests.helpers.protocols import Cli

LINES, COLUMNS = 24, 100


def every_key(verb: str, cli: Cli, *overrides: str) -> set[str]:
    """Return the keys and groups that --help-all shows."""
    code, out, _ = cli(verb, "--help-all", *overrides)
    assert code == 0
    return set(re.findall(r"^  ([\w./]+)[=:]", out, flags=re.MULTILINE))


def leaves(settings: dict[str, object], prefix: str = "") -> set[str]:
    """Return the keys of settings that hold no further settings."""
    found: set[str] = set()
    for key, value in settings.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}"}
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_one_screen(verb: str, cli: Cli) -> None:
    code, out, err = cli(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"capbench {verb}: {VERBS[verb]}\n")
    assert len(out.splitlines()) <= LINES
    assert max(map(len, out.splitlines())) <= COLUMNS


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_names_only_settings_that_exist(verb: str, cli: Cli) -> None:
    names, _ = MOST_IMPORTANT[verb]
    assert 1 < len(names) <= 5
    assert {*names} <= every_key(verb, cli)
    shown = page(verb, "")
    for name in names:
        assert f"\n  {name}={settings_of(verb)[name].value} " in shown
        assert settings_of(verb)[name].comment


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_composes(verb: str, cli: Cli) -> None:
    _, example = MOST_IMPORTANT[verb]
    assert f"\n  python -m capbench {verb} {example}\n" in page(verb, "")
    code, _, err = cli(verb, "--cfg", "job", *shlex.split(example))
    assert (code, err) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_all_shows_every_setting(verb: str, cli: Cli) -> None:
    code, out, _ = cli(verb, "--cfg", "job")
    assert code == 0
    shown = every_key(verb, cli)
    for key in leaves(yaml.safe_load(out)):  # a block with a comment of its own is shown as one value
        assert {key, key.rpartition(".")[0]} & shown, key


def test_help_all_shows_choices_and_settings_with_their_comments(cli: Cli) -> None:
    code, out, _ = cli("--help-all", "model=resnet", "optim.lr=0.5", "-m", "+hparams_search=cnn")
    assert code == 0
    assert "\n  model: auto, cnn, cnn_article, committee, crnn" in out
    assert "\n  data/split: few, folds, leave_one_out, parts\n" in out
    assert re.search(r"\n  optim\.lr=0\.5 +# highest learning rate\n", out)
    assert "\n  model._target_=capbench.models.resnet.Timm\n" in out
    _, out, _ = cli("export", "--help-all")
    assert "Choices" not in out


def test_help_all_shows_comments_of_the_file_that_an_option_takes_over(cli: Cli) -> None:
    _, out, _ = cli("render", "--help-all", "style=lines", "view=lines")
    assert re.search(r"\n  style\.width=200 +# pixels, 8 to 1024\n", out)
    assert re.search(r"\n  style\.text=\{.*\} +# hue: own \| text\n", out)


def test_help_all_knows_files_of_the_user(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine" / "style").mkdir(parents=True)
    (tmp_path / "mine" / "style" / "own.yaml").write_text("defaults: [lines]\nwidth: 99  # how wide mine are\n")
    _, out, _ = cli("render", "--help-all", "style=own", "--config-dir", str(tmp_path / "mine"))
    assert re.search(r"\n  style: .*\bown\b", out)
    assert re.search(r"\n  style\.width=99 +# how wide mine are\n", out)
    assert re.search(r"\n  style\.height=50 +# pixels, 8 to 1024\n", out)


def test_help_all_leaves_no_files(cli: Cli, tmp_path: Path) -> None:
    cli("--help-all")
    assert not list(tmp_path.iterdir())


def test_comments_stand_behind_values_and_behind_the_keys_of_blocks() -> None:
    style = merged([described(conf_dir() / "style" / "default.yaml")])
    assert style["noise"].comment.startswith("layers of Specks")
    assert style["noise"].value.startswith("[{_target_: ")
    assert style["text"].comment == "hue: own | text"
    assert "_target_" not in style
    split = described(conf_dir() / "data" / "synthetic.yaml").settings
    assert [one.key for one in split][-1] == "train_size"
    assert "split.train" in [one.key for one in split]


def test_the_comment_at_the_top_of_a_file_is_what_it_is_about() -> None:
    assert described(conf_dir() / "debug" / "fast.yaml").about.startswith("Check in a minute")
    assert described(conf_dir() / "model" / "cnn.yaml").about == ""
    assert described(conf_dir() / "data" / "ocr.yaml").bases == ["csv"]
