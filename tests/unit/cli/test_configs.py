"""Files under conf/: each is composed, built and run (data/split by test_folds.py), and misspelt keys are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from capbench.cli.presets import PRESETS
from capbench.errors import Mistake
from capbench.settings import check, conf_dir
from capbench.train import experiment
from tests.helpers.protocols import Cli, Train
from tests.helpers.settings import BUNDLED, FAST, composed

LABELLING = "label"  # composed by another verb: tests/unit/label runs it
OPTIONS = sorted(
    path.relative_to(conf_dir()).with_suffix("").as_posix()
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name != LABELLING
)
GROUPS = sorted({option.split("/")[0] for option in OPTIONS})

NEEDS_ROOT = {
    "data/csv",
    "data/folder",
    "data/ocr",
    "data/filenames",
    "experiment/folder",
    "experiment/knn_33",
    "experiment/self_train",
}
SEVERAL_PROCESSES = {"trainer/ddp", "trainer/ddp_cpu"}  # test_ddp.py runs them
HEAVY = {
    "model/resnet",
    "model/resnet_article",
    "model/ensemble_article",
    "model/trunk_article",
    "model/cnn_article",
    "experiment/resnet_62",
    "experiment/resnet_62_gpu",
}
NEED_A_GPU = {"trainer/gpu", "experiment/resnet_62_gpu"}
NAMED_BY_THE_USER = {
    "callbacks"
}  # its keys are names; tests/unit/train/test_lightning.py misspells settings below them
MEANT_FOR_ONE_CHARACTER = {"model/mlp", "model/mlp_article", "model/knn"}


def overrides_of(option: str, root: Path) -> list[str]:
    group, _, name = option.partition("/")
    overrides = [f"{group}={name}"]
    if option in NEEDS_ROOT:
        overrides += [f"data.root={root}"]
    if option == "data/filenames":
        overrides += [f"data.root={root}/images", "alphabet=digits"]
    if option == "alphabet/auto":
        overrides += ["data=csv", f"data.root={root}"]
    if option.startswith("callbacks/"):
        overrides += ["logger=csv"]
    if option == "callbacks/device_stats":
        overrides += ["callbacks.device_stats.cpu_stats=false"]  # those of the CPU need another package
    if option == "view/lines":
        overrides += ["data.length=5"]
    if option == "style/wild":
        overrides += [BUNDLED, "view.size=[24,64]", "view.fit=pad"]
    if option == "experiment/universal":
        overrides += [BUNDLED, "view.size=[24,64]"]
    if option in HEAVY:
        overrides += ["view.size=[30,80]"]
    if option in MEANT_FOR_ONE_CHARACTER:
        overrides += ["view=characters"]
    return overrides


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_trains(option: str, labelled: Path, train: Train) -> None:
    if option in SEVERAL_PROCESSES:
        pytest.skip("starts several processes: test_ddp.py runs it")
    if option in NEED_A_GPU and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    if option == "trainer/mps" and not torch.backends.mps.is_available():
        pytest.skip("no GPU of Apple on this machine")
    # The tested option keeps its settings; the others are made small.
    small = [*FAST]
    if option.startswith("debug/"):
        small = ["trainer.progress=false", "trainer.limit_batches=2", "optim.epochs=1"]
    folder = train(*small, *overrides_of(option, labelled))
    result = folder.read_result()
    assert 0 <= result["test/exact"] <= 1
    assert result["test/images"] in (16, 32)
    assert {path.name for path in folder.pictures.iterdir()} == {
        "inputs.png",
        "curves.png",
        "confusion.png",
        "errors.png",
    }


def test_every_verb_has_its_config_file() -> None:
    from capbench.__main__ import VERBS

    shared = {"verb", "training"}
    assert {path.stem for path in conf_dir().glob("*.yaml")} - shared == set(VERBS)


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in {*PRESETS, *NAMED_BY_THE_USER}])
def test_a_misspelt_key_in_any_group_is_refused(group: str) -> None:
    settings = composed()
    settings[group]["seeed"] = 1
    with pytest.raises(Mistake, match=rf"^{group}\.seeed: is not a setting \(value 1\); "):
        check(settings, experiment.schema)


@pytest.mark.parametrize("group", PRESETS)
def test_a_misspelt_key_in_a_preset_is_refused(group: str, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine" / group).mkdir(parents=True)
    (tmp_path / "mine" / group / "typo.yaml").write_text("# @package _global_\noptim: {lerning_rate: 1}\n")
    code, _, err = cli("--config-dir", str(tmp_path / "mine"), f"{group}=typo")
    assert code == 2
    assert "optim.lerning_rate: is not a setting" in err


def test_every_config_file_is_short() -> None:
    for path in conf_dir().glob("**/*.yaml"):
        lines = path.read_text().splitlines()
        most = 160 if path.stem == "wild" else 54  # a mixture names a hundred variants
        assert len(lines) <= most, f"{path.name} has grown long"
