"""Presets: which of them wins, either spelling, alone and in sweeps, with presets of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain
from tests.conftest import composed

MINE = {
    "recognizer/mine": "defaults: [override /model: knn, override /style: clean]\nname: recognizer\ntags: [recognizer]\n",
    "experiment/mine": "defaults: [override /model: mlp, override /style: lines]\nname: experiment\noptim: {lr: 0.1}\n",
    "debug/mine": "defaults: [override /model: crnn]\nname: debug\noptim: {lr: 0.2}\n",
    "experiment/other": "name: other\n",
    "experiment/served": "port: 9999\n",
}


class Composed(NamedTuple):
    """Settings of one job, and the folder and the overrides that Hydra gives to it."""

    settings: dict[str, Any]
    folder: str
    overrides: list[str]


@pytest.fixture
def mine(tmp_path: Path) -> str:
    for name, text in MINE.items():
        path = tmp_path / "mine" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# @package _global_\n{text}")
    return str(tmp_path / "mine")


def jobs(*arguments: str, verb: str = "train") -> list[Composed]:
    """Return what the command line composes, for each job of a sweep, without running it."""
    found = []

    def task(config: DictConfig) -> None:
        own = HydraConfig.get()
        found.append(Composed(plain(config), own.runtime.output_dir, list(own.overrides.task)))

    compose.run(verb, task, list(arguments))
    return found


@pytest.mark.parametrize("plus", ["", "+"])
@pytest.mark.parametrize("order", [("recognizer", "experiment", "debug"), ("debug", "experiment", "recognizer")])
@pytest.mark.parametrize("verb", ["train", "bench"])
def test_debug_wins_over_experiment_and_experiment_over_recognizer(
    verb: str, order: tuple[str, ...], plus: str, mine: str
) -> None:
    presets = [f"{plus}{group}=mine" for group in order]
    ((settings, _, _),) = jobs(*presets, "--config-dir", mine, verb=verb)
    assert settings["name"] == "debug"
    assert settings["optim"]["lr"] == 0.2
    assert settings["model"]["_target_"].endswith(".CRNN")
    assert settings["style"]["width"] == 200  # the style lines, of the experiment
    assert settings["tags"] == ["recognizer"]


@pytest.mark.parametrize("preset", ["experiment=mine", "+experiment=mine", "++experiment=mine"])
@pytest.mark.parametrize("preset_first", [True, False])
def test_a_typed_value_wins_over_a_preset(preset: str, preset_first: bool, mine: str) -> None:
    typed = ["optim.lr=0.3", "model=knn"]
    line = [preset, *typed] if preset_first else [*typed, preset]
    ((settings, _, _),) = jobs("--config-dir", mine, *line)
    assert (settings["optim"]["lr"], settings["name"]) == (0.3, "experiment")
    assert settings["model"]["_target_"].endswith(".KNN")


def test_a_preset_wins_over_the_settings_of_bench_itself() -> None:
    ((settings, _, _),) = jobs("debug=fast", verb="bench")
    assert settings["data"]["split"]["train"] == 48


@pytest.mark.parametrize("plus", ["", "+"])
def test_a_preset_of_ones_own_serves_every_verb(plus: str, mine: str) -> None:
    ((settings, _, _),) = jobs("run=RUN", "--config-dir", mine, f"{plus}experiment=served", verb="serve")
    assert settings["port"] == 9999


@pytest.mark.parametrize("plus", ["", "+"])
def test_several_presets_are_laid_over_each_other(plus: str) -> None:
    settings = composed(f"{plus}experiment=[cnn_4,mlp_36]")
    assert (settings["name"], settings["data"]["split"]["train"]) == ("mlp_36", 18000)


def test_a_run_is_named_after_its_experiment(mine: str) -> None:
    ((_, folder, overrides),) = jobs("--config-dir", mine, "+experiment=other", "seed=2")
    assert Path(folder).parent == Path.cwd() / "runs" / "other"
    assert overrides == ["experiment=other", "seed=2"]


@pytest.mark.parametrize("plus", ["", "+"])
def test_a_sweep_over_presets_has_a_job_for_each(plus: str, mine: str) -> None:
    line = ["-m", f"{plus}experiment=mine,other", "seed=1,2", "--config-dir", mine, "~hydra.callbacks.report"]
    swept = jobs(*line, "hydra.sweep.dir=sweep")
    assert [(s["name"], s["seed"]) for s, _, _ in swept] == [
        ("experiment", 1),
        ("experiment", 2),
        ("other", 1),
        ("other", 2),
    ]
    assert [Path(folder).name for _, folder, _ in swept] == ["0", "1", "2", "3"]


def test_a_swept_recognizer_is_fixed_by_the_command_line() -> None:
    fixed = ["recognizer=knn", "style.without=null", "data.train_size=9,10", "~hydra.callbacks.report"]
    swept = jobs("+experiment=strength", *fixed, "hydra.sweep.dir=sweep")
    assert len(swept) == 2
    assert {job.settings["model"]["_target_"] for job in swept} == {"capbench.models.knn.KNN"}


def test_a_file_that_sweeps_over_a_preset_may_have_a_plus(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "# @package _global_\ndefaults: [strength]\n"
        "hydra: {sweeper: {params: {+recognizer: 'knn,mlp', style.without: 'null', data.train_size: '9'}}}\n"
    )
    swept = jobs("experiment=own", "--config-dir", "mine", "~hydra.callbacks.report", "hydra.sweep.dir=sweep")
    assert [job.settings["model"]["_target_"].rpartition(".")[2] for job in swept] == ["KNN", "MLP"]


def test_a_ready_search_fits_any_experiment() -> None:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    from capbench.settings import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        given = ["hparams_search=cnn", "experiment=quickstart"]
        config = hydra_compose("train", given, return_hydra_config=True)
        same = hydra_compose("train", ["experiment=search_cnn_4"], return_hydra_config=True)
    assert config.name == "quickstart"
    assert config.hydra.sweeper.trials == same.hydra.sweeper.trials == 24
    assert config.hydra.sweeper.params == same.hydra.sweeper.params


def test_only_presets_lose_their_plus_and_flags_come_first() -> None:
    arguments = ["debug=fast", "+seed=1,2", "-m", "++experiment=cnn_4", "~x", "--config-dir", "mine", "+experimental=1"]
    assert compose.parted(arguments) == (
        ["-m", "--config-dir", "mine"],
        ["debug=fast", "+seed=1,2", "experiment=cnn_4", "~x", "+experimental=1"],
    )
