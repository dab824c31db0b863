"""Searches by hydra/sweeper=search: Optuna chooses, Hydra's launchers run, and a study file keeps the trials."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from capbench.errors import Mistake
from tests.helpers.command import capbench
from tests.helpers.protocols import Cli
from tests.helpers.sweeps import finished
from tests.helpers.tables import read_csv

optuna = pytest.importorskip("optuna", reason="needs the extra search: make test installs it")

from optuna import Study  # noqa: E402

from capbench.sweep import study as search  # noqa: E402
from hydra_plugins.capbench_search import distribution, summary  # noqa: E402

SMALL = ("-m", "hydra/sweeper=search", "debug=fast", "trainer.progress=false", "hydra.sweep.dir=sweep")


def studied() -> Study:
    return search.study(Path("sweep"), None)


def states() -> list[str]:
    return [trial.state.name for trial in studied().trials]


def results() -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(Path().glob("sweep/*/result.json"))}


@pytest.mark.parametrize(
    ("written", "drawn_from"),
    [
        ("k=a,null,[8,16]", optuna.distributions.CategoricalDistribution(["a", "null", "[8,16]"])),
        ("k=1,2", optuna.distributions.CategoricalDistribution(["1", "2"])),
        ("k=range(2,9,3)", optuna.distributions.IntDistribution(2, 8, step=3)),
        ("k=range(0.0,1.0,0.25)", optuna.distributions.FloatDistribution(0.0, 0.75, step=0.25)),
        ("k=interval(0,1)", optuna.distributions.FloatDistribution(0.0, 1.0)),
        ("k=int(interval(8,64))", optuna.distributions.IntDistribution(8, 64)),
        ("k=tag(log,interval(1e-3,1e-1))", optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True)),
        ("k=tag(log,int(interval(8,64)))", optuna.distributions.IntDistribution(8, 64, log=True)),
    ],
)
def test_search_ranges_are_parsed_from_sweep_syntax(written: str, drawn_from: Any) -> None:
    assert distribution(OverridesParser.create().parse_override(written)) == drawn_from


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("k=tag(log,interval(0,1))", "k=tag.log,interval.0,1..: is not a range to search"),
        ("k=range(5,1)", "k=range.5,1.: is not a range to search"),
        ("k=tag(lin,interval(0,1))", "k: tag lin is unknown; log is the only one"),
    ],
)
def test_an_invalid_search_range_is_an_error_of_one_line(written: str, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        distribution(OverridesParser.create().parse_override(written))


@pytest.mark.slow
def test_a_resumed_search_runs_only_begun_and_failed_trials(cli: Cli, labelled: Path) -> None:
    """Run a search of which two trials fail, and resume it with one more begun trial."""
    Path("there").symlink_to(labelled)
    space = ("data.root=choice(there,away)", "model.dropout=interval(0,0.5)")
    code, out, err = cli(
        *SMALL, "data=csv", "alphabet=digits", *space, "hydra.sweeper.trials=4", "hydra.sweeper.at_once=2"
    )
    before = studied().trials
    failed = [trial.number for trial in before if trial.params["data.root"] == "away"]
    assert len(failed) == 2  # the seed is chosen so
    assert code == 2
    assert "2 jobs of sweep failed; continue with resume_sweep=sweep" in err
    assert f"{failed[0]}: data.root=away" in err and "data.root: away" in err
    assert states() == ["FAIL" if trial.number in failed else "COMPLETE" for trial in before]
    assert f"trials: 2 finished; 2 failed ({failed[0]}, {failed[1]})" in out
    kept = finished(Path("sweep"))
    assert len(kept) == 2
    for number, result in results().items():
        assert (result["trial"], result["pruned"]) == (int(number), None)
        assert result["group"] == f"{Path.cwd().name}/sweep"

    kinds = optuna.distributions
    begun = studied().ask(  # as a trial that was begun before the search was stopped
        {
            "data.root": kinds.CategoricalDistribution(["there", "away"]),
            "model.dropout": kinds.FloatDistribution(0, 0.5),
        }
    )
    Path("away").symlink_to(labelled)
    code, out, err = cli("resume_sweep=sweep")
    assert code == 0, err
    after = studied().trials
    assert [trial.state.name for trial in after[4:]] == ["COMPLETE", "COMPLETE"]
    assert [trial.params for trial in after[4:]] == [begun.params, before[failed[0]].params]
    assert kept.items() <= finished(Path("sweep")).items()

    code, out, err = cli("compare", "runs=sweep", "group=group")
    assert code == 0, err
    assert "4 runs in 1 row\n" in out


def test_a_poor_trial_is_pruned_and_stays_pruned_when_resumed(cli: Cli) -> None:
    Path("sweep").mkdir()
    study = studied()
    for _ in range(2):  # two trials that no other can equal: every reading right after each epoch
        values = {1: 1.0, 2: 1.0, 3: 1.0}
        drawn_from = {"model.dropout": optuna.distributions.FloatDistribution(0.0, 0.5)}
        params = {"model.dropout": 0.1}
        study.add_trial(
            optuna.create_trial(value=1.0, params=params, distributions=drawn_from, intermediate_values=values)
        )
    own = ("hydra.sweeper.trials=3", "hydra.sweeper.at_random=2", "hydra.sweeper.spared=2", "optim.epochs=3")
    code, out, err = cli(*SMALL, *own, "model.dropout=interval(0,0.5)")
    assert code == 0, err
    assert states() == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert sorted(studied().trials[2].intermediate_values) == [1, 2]
    assert (results()["2"]["trial"], results()["2"]["pruned"], results()["2"]["train/epochs"]) == (2, 2, 2)
    assert [row["epoch"] for row in read_csv(Path("sweep/2/metrics.csv"))] == ["1", "2"]
    assert "stopped early after epoch 2" in out
    assert "trials: 2 finished; 1 stopped early by the median of the others (2)" in out

    Path("sweep/2/result.json").unlink()  # as if it were stopped before its result was written: it must not train on
    code, _, err = cli("resume=sweep/2")
    assert code == 0, err
    assert (results()["2"]["pruned"], results()["2"]["train/epochs"]) == (2, 2)


def test_the_summary_of_a_search_names_the_best_trial() -> None:
    study = optuna.create_study(direction="maximize")
    for value in (0.25, 0.75, 0.5):
        study.add_trial(
            optuna.create_trial(
                value=value,
                params={"a": value},
                distributions={"a": optuna.distributions.FloatDistribution(0.0, 1.0)},
            )
        )
    assert summary(study) == "\ntrials: 3 finished\nbest:   1, 0.7500 on validation: a=0.75"


def test_a_mistake_in_a_search_is_one_line_and_runs_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, said in (
        ("optim.lr=0.01", "hydra.sweeper.params: is empty; add a key with choice(…), range(…)"),
        ("hydra.sweeper.trials=0", "hydra.sweeper.trials: 0 is not accepted"),
        ("optim.sped=interval(0,1)", "optim.sped: is not a setting"),
    ):
        code, _, err = cli(*SMALL, wrong)
        assert (code, said in err) == (2, True), err
    code, _, err = cli("trial=3", "debug=fast", "hydra.run.dir=alone")
    assert code == 2 and "lies in no search's folder; set trial=null" in err
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = cli(*SMALL, "optim.lr=interval(0.1,0.2)")
    assert (code, err) == (
        2,
        "capbench: hydra/sweeper: Optuna is not installed; python -m pip install 'capbench[search]'\n",
    )
    assert not list(Path().rglob("result.json"))


@pytest.mark.slow
def test_search_trials_run_in_own_processes_and_more_can_be_added(tmp_path: Path) -> None:
    """Run two trials at once, then ask the same search for four: only the missing two are run."""
    search_4 = ("+experiment=search_cnn_4", "hydra/launcher=processes", "hydra.launcher.at_once=2", *SMALL[2:])
    done = capbench(*search_4, "hydra.sweeper.trials=2")
    assert done.returncode == 0, done.stderr
    assert sorted(results()) == ["0", "1"]
    kept = finished(Path("sweep"))
    done = capbench(*search_4, "hydra.sweeper.trials=4")
    assert done.returncode == 0, done.stderr
    assert sorted(results()) == ["0", "1", "2", "3"]
    assert kept.items() <= finished(Path("sweep")).items()
    assert states() == ["COMPLETE"] * 4
    drawn = [tuple(trial.params.values()) for trial in studied().trials]
    assert len(set(drawn)) == 4
    assert "trials: 4 finished\nbest: " in done.stdout
