"""Rows of a ranking: runs that differ only in their seed share one, and the best is first."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.compare import folders, ranking
from capbench.compare.folders import Run
from capbench.errors import Mistake
from capbench.metrics import wilson
from capbench.runs import RunFolder


def run(name: str, exact: float, settings: dict, **result: float) -> Run:
    return Run(RunFolder(Path(name)), name, settings, {"test/exact": exact, "test/images": 100, **result})


CNN = {"model": "CNN", "model.dropout": 0.1, "optim.lr": 0.1, "cache": "here"}
KNN = {"model": "KNN", "model.k": 3, "optim.lr": 0.1, "cache": "there"}
RUNS = [
    run("a", 0.8, {**CNN, "seed": 1, "data.seed": 1}),
    run("b", 0.9, {**CNN, "seed": 2, "data.seed": 2}),
    run("c", 0.99, {**KNN, "seed": 1, "data.seed": 1}),
    run("d", 0.5, {**CNN, "seed": 1, "data.seed": 1, "model.dropout": 0.3}, params=7),
]


def test_rows_are_distinguished_only_by_differing_settings() -> None:
    # Every KNN has the same model.k.
    assert ranking.keys(RUNS, None) == ["model", "model.dropout"]
    assert set(ranking.differing(RUNS)) == {"model", "model.dropout", "cache", "seed", "data.seed"}
    assert ranking.keys(RUNS[:2], None) == []


@pytest.mark.parametrize("damaged", [{"val/exact": -1.0}, {"val/exact": 2}, {"data/val": 0.0}, {"data/val": 1e-320}])
def test_an_impossible_share_has_no_interval(damaged: dict[str, float]) -> None:
    (row,) = ranking.rows([run("a", 0.8, CNN, **{"val/exact": 0.5, "data/val": 10, **damaged})], [], "val/exact")
    assert row.interval is None


def test_rows_are_ranked_and_seeds_share_a_row() -> None:
    rows = ranking.rows(RUNS, ["model", "model.dropout"], "test/exact")
    assert [row.values for row in rows] == [("KNN", "null"), ("CNN", "0.1"), ("CNN", "0.3")]
    assert rows[1].mean == pytest.approx(0.85)
    assert rows[1].spread == pytest.approx(0.0707, abs=1e-4)
    assert rows[1].interval == pytest.approx(wilson(85, 100))
    assert rows[0].spread is None


def test_lower_cost_ranks_first_and_unknown_cost_last() -> None:
    runs = [*RUNS[:3], run("e", 0.1, {"model": "MLP"}, params=3), RUNS[3]]
    rows = ranking.rows(runs, ["model", "model.dropout"], "params")
    assert [row.mean for row in rows] == [3, 7, None, None]
    assert rows[0].interval is None


def test_rows_are_grouped_by_the_given_setting() -> None:
    rows = ranking.rows(RUNS, ranking.keys(RUNS, "model"), "test/exact")
    assert [(row.values, len(row.runs)) for row in rows] == [(("KNN",), 1), (("CNN",), 3)]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (None, "abcd"),
        ({"model": "cnn"}, "abd"),
        ({"model": "CNN", "seed": [1, 3]}, "ad"),
        ({"model.k": 3}, "c"),
        ({"model.dropout": None}, "c"),
    ],
)
def test_where_selects_runs_by_their_settings(where: dict | None, names: str) -> None:
    assert "".join(found.name for found in ranking.chosen(RUNS, where)) == names


def test_unknown_settings_values_and_measures_are_named() -> None:
    with pytest.raises(Mistake, match=r"^where: modle is not a setting that these runs have; did you mean model"):
        ranking.chosen(RUNS, {"modle": "CNN"})
    with pytest.raises(Mistake, match=r"^where: matches none of the 4 runs; their model is CNN, KNN$"):
        ranking.chosen(RUNS, {"model": "MLP"})
    with pytest.raises(Mistake, match=r"^group: modle is not a setting"):
        ranking.keys(RUNS, ["modle"])
    with pytest.raises(Mistake, match=r"^by: test/exakt is not a number that these runs have; did you mean test/exact"):
        ranking.rows(RUNS, [], "test/exakt")


def test_values_of_settings_are_shown_as_in_yaml() -> None:
    assert [folders.shown(value) for value in (None, True, 0.1, "a", 3)] == ["null", "true", "0.1", "a", "3"]
