"""Metrics and losses of a user's own: measured, recorded, ranked by, and trained with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from capbench import trust
from capbench.compare.comparison import compare
from capbench.errors import Mistake
from capbench.models import PerCharacter
from capbench.runs import RunFolder
from capbench.settings import build, check
from capbench.train import experiment
from tests.helpers import own_parts
from tests.helpers.own_parts import FIRST_RIGHT, HALVED, NETWORK
from tests.helpers.settings import FAST, composed
from tests.helpers.tables import read_csv


@pytest.fixture(autouse=True)
def trusted() -> Iterator[None]:
    with own_parts.importable(), trust.trusting(["own_parts"]):
        yield


def train(folder: Path, *overrides: str, **parts: Any) -> RunFolder:
    """Train with parts of the settings replaced."""
    run = RunFolder(folder)
    experiment.run(composed(*FAST, "logger=none", "optim.label_smoothing=0", *overrides) | parts, run, resumed=False)
    return run


def first_right(run: RunFolder) -> float:
    rows = run.read_predictions()
    return sum(row.text[0] == row.answer[0] for row in rows) / len(rows)


def test_a_metric_lands_in_the_curves_and_the_result_and_ranks_runs(tmp_path: Path) -> None:
    run = train(tmp_path / "runs" / "own", metrics={"first": FIRST_RIGHT})
    result = run.read_result()
    assert {"train/first", "val/first", "test/first"} <= result.keys()
    assert result["test/first"] == first_right(run)
    assert result["val/first"] == result["val/position_1"]
    assert all(0 <= float(row["val/first"]) <= 1 for row in read_csv(run.metrics))
    assert compare(run.path.parent, None, "test/first", None).by == "test/first"


def test_a_metric_is_measured_over_folds(tmp_path: Path, labelled: Path) -> None:
    folds = {"_target_": "capbench.data.splits.Folds", "folds": 2, "val": None}
    data = composed("data=csv", f"data.root={labelled}")["data"] | {"split": folds}
    run = train(tmp_path / "run", data=data, metrics={"first": FIRST_RIGHT})
    assert run.read_result()["test/first"] == first_right(run)


@pytest.mark.parametrize("name", ["exact", "loss", "position_1", "images", "seconds", "truth"])
def test_a_metric_with_the_name_of_another_number_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=rf"^metrics\.{name}: is a name that CapBench uses; choose another"):
        train(tmp_path / "run", metrics={name: FIRST_RIGHT})
    assert not (tmp_path / "run").exists()


def test_wrong_metrics_are_refused() -> None:
    for metrics, match in (
        (
            {"first": FIRST_RIGHT | {"cuont": 2}},
            r"^metrics\.first\.cuont: is not a setting .* did you mean .*\.count\?",
        ),
        ({"first": NETWORK}, r"^metrics\.first\._target_: own_parts\.Network is no(t a)? Metric"),
        ({"first": 1}, r"^metrics: .* is not accepted"),
        ({"first": {"_target_": "other.Metric"}}, r"trust=other"),
    ):
        with pytest.raises(Mistake, match=match):
            check(composed() | {"metrics": metrics}, experiment.schema)


def test_a_model_is_trained_with_its_own_loss(tmp_path: Path) -> None:
    whole = ("optim.kind=sgd", "optim.lr=1e-9", "optim.momentum=null", "optim.weight_decay=0", "optim.clip=0")
    usual = train(tmp_path / "usual", *whole, model=NETWORK).read_result()
    halved = train(tmp_path / "halved", *whole, model=HALVED).read_result()
    assert halved["val/loss"] == pytest.approx(usual["val/loss"] / 2, rel=1e-4)


def test_a_model_of_one_character_has_its_own_loss_over_all_of_them() -> None:
    torch.manual_seed(1)
    model = build(HALVED, (1, 4, 4), 1, 10)
    views, targets = torch.rand(3, 5, 1, 4, 4), torch.randint(10, (3, 5))
    loss = PerCharacter(model).loss(PerCharacter(model)(views), targets)
    alone = [
        model.loss(model(view[None]), target.view(1, 1))
        for view, target in zip(views.flatten(0, 1), targets.flatten(), strict=True)
    ]
    assert loss is not None
    assert loss.item() == pytest.approx(torch.stack(alone).mean().item())
