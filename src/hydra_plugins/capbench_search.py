"""Sweeper hydra/sweeper=search: Optuna chooses the settings of each job from the results of earlier jobs.

The search space is written as Hydra's sweeps: choice(…), range(…), interval(…), optionally within tag(log, …).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from capbench.errors import Mistake
from capbench.settings import check
from capbench.sweep import results
from capbench.sweep import study as search
from capbench.types import Count, CountOrZero, Seed
from capbench.utils.overrides import quoted

RETRIED = "retries"  # user attribute of a trial: the failed trial that it repeats


class Asked(NamedTuple):
    """Trial to be run as a job."""

    number: int
    params: dict[str, Any]


class Search(Sweeper):
    """Sweeper that runs `trials` jobs in all, earlier calls included; a failed job does not stop the others."""

    def __init__(
        self,
        *,
        trials: Count,
        at_once: Count,
        at_random: CountOrZero,
        spared: CountOrZero,
        seed: Seed,
        storage: str | None,
        params: dict[str, str],
    ) -> None:
        self.trials, self.at_once, self.at_random, self.seed = trials, at_once, at_random, seed
        self.spared, self.storage, self.params = spared, storage, params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        own: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
        check(own, type(self), "hydra.sweeper")
        search.optuna()
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the search over the overrides that are sweeps; raise an error that lists the failed jobs, if any."""
        assert self.hydra_context is not None and self.config is not None and self.launcher is not None
        given = [*(f"{key}={space}" for key, space in self.params.items()), *arguments]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = {override.get_key_element(): override for override in parser.parse_overrides(given)}
        space = {key: distribution(o) for key, o in overrides.items() if o.is_sweep_override()}
        if not space:
            raise Mistake("hydra.sweeper.params: is empty; add a key with choice(…), range(…) or interval(…)")
        fixed = [str(override.input_line) for key, override in overrides.items() if key not in space]
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / results.PLAN)
        results.hold(folder)
        if self.config.group is None:
            fixed.append(quoted("group", search.name_of(folder)))
        study = search.study(folder, self.storage)
        failures: list[results.Failure] = []
        for batch in self._batches(study, space):
            jobs = [
                [*(f"{k}={v}" for k, v in trial.params.items()), *fixed, f"trial={trial.number}"] for trial in batch
            ]
            self.validate_batch_is_legal(jobs)
            for trial, returned in zip(batch, self.launcher.launch(jobs, batch[0].number), strict=True):
                try:
                    reached = returned.return_value
                except Exception as error:
                    study.tell(trial.number, state=search.optuna().trial.TrialState.FAIL)
                    failures.append(_failure(error, folder, trial))
                else:
                    _tell(study, trial.number, reached)
        print(summary(study), flush=True)
        if failures:
            raise results.failure_report(failures, resumable=True)

    def _batches(self, study: Any, space: dict[str, Any]) -> Iterator[list[Asked]]:
        """Yield the trials to run together: unfinished ones first, then repeats of failed ones, then new ones."""
        states = search.optuna().trial.TrialState
        known = study.get_trials(deepcopy=False)
        done = sum(trial.state in (states.COMPLETE, states.PRUNED) for trial in known)
        missing = max(self.trials - done, 0)
        for trial in [trial for trial in known if trial.state == states.RUNNING][:missing]:
            missing -= 1
            yield [Asked(trial.number, trial.params)]  # one at a time: a launcher numbers its jobs from the first
        retried = {trial.user_attrs.get(RETRIED) for trial in known}
        failed = [trial for trial in known if trial.state == states.FAIL and trial.number not in retried]
        for trial in failed[:missing]:
            study.enqueue_trial(trial.params, user_attrs={RETRIED: trial.number})
        while missing:
            batch = [self._ask(study, space) for _ in range(min(self.at_once, missing))]
            missing -= len(batch)
            yield batch

    def _ask(self, study: Any, space: dict[str, Any]) -> Asked:
        # Each trial has its own seed, so that a resumed search does not sample the same settings again.
        draw = random.Random(f"{self.seed} {len(study.get_trials(deepcopy=False))}").getrandbits(32)
        study.sampler = search.optuna().samplers.TPESampler(n_startup_trials=self.at_random, seed=draw)
        try:
            trial = study.ask(space)
        except ValueError as error:
            raise Mistake(f"hydra.sweeper.params: does not fit what was searched before ({error})") from error
        return Asked(trial.number, trial.params)


def distribution(override: Override) -> Any:
    """Return the Optuna distribution for a sweep in Hydra's notation."""
    kinds = search.optuna().distributions
    key, sweep = override.get_key_element(), override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    if tags - {"log"}:
        raise Mistake(f"{key}: tag {', '.join(sorted(tags - {'log'}))} is unknown; log is the only one")
    log = "log" in tags
    try:
        if isinstance(sweep, IntervalSweep):
            whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
            kind = kinds.IntDistribution if whole else kinds.FloatDistribution
            return kind(sweep.start, sweep.end, log=log)
        if isinstance(sweep, RangeSweep):
            values = sorted(sweep.range())
            step = 1 if len(values) < 2 else values[1] - values[0]
            kind = kinds.IntDistribution if isinstance(values[0], int) else kinds.FloatDistribution
            return kind(values[0], values[-1], log=log, step=None if log and kind is kinds.FloatDistribution else step)
    except (ValueError, IndexError) as error:
        raise Mistake(f"{override.input_line}: is not a range to search ({error})") from error
    return kinds.CategoricalDistribution(list(override.sweep_string_iterator()))


def summary(study: Any) -> str:
    """Return the counts of finished, pruned and failed trials, and the best trial."""
    by_state = itertools.groupby(sorted(study.trials, key=lambda t: t.state.name), key=lambda t: t.state.name)
    numbers = {state: [trial.number for trial in trials] for state, trials in by_state}
    complete = len(numbers.get("COMPLETE", []))
    counts = [f"{complete} finished"]
    for state, what in (("PRUNED", "stopped early by the median of the others"), ("FAIL", "failed")):
        if state in numbers:
            counts.append(f"{len(numbers[state])} {what} ({', '.join(map(str, sorted(numbers[state])))})")
    lines = [f"trials: {'; '.join(counts)}"]
    if complete:
        best = study.best_trial
        settings = " ".join(f"{key}={value}" for key, value in best.params.items())
        lines.append(f"best:   {best.number}, {best.value:.4f} on validation: {settings}")
    return "\n".join(["", *lines])


def _tell(study: Any, number: int, reached: float) -> None:
    trial = next(trial for trial in study.get_trials(deepcopy=False) if trial.number == number)
    if search.PRUNED in trial.user_attrs:
        study.tell(number, state=search.optuna().trial.TrialState.PRUNED)
    else:
        study.tell(number, reached)


def _failure(error: Exception, folder: Path, trial: Asked) -> results.Failure:
    """Return the failure of one trial; a launcher's error may list several jobs."""
    shown = " ".join(f"{key}={value}" for key, value in trial.params.items())
    listed = error.failures if isinstance(error, results.Failed) else []
    reasons = [failure.reason for failure in listed if failure.number == trial.number]
    return results.Failure(
        str(folder), trial.number, shown, reasons[0] if reasons else f"{type(error).__name__}: {error}"
    )
