"""Optuna study of a search for settings: stored in the sweep's folder, and reported to by the trials while they train.

Imports no torch, and Optuna only when a search begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from capbench.errors import Mistake
from capbench.sweep.results import PLAN

JOURNAL = "search.journal"
PRUNED = "pruned"  # user attribute of a trial: the epoch after which it was pruned


def optuna() -> Any:
    """Return the optuna module; raise Mistake if it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise Mistake("hydra/sweeper: Optuna is not installed; python -m pip install 'capbench[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def name_of(folder: Path) -> str:
    """Return the study's name in a shared database: the last two parts of the folder's path."""
    return "/".join(folder.absolute().parts[-2:])


def study(folder: Path, url: str | None, **options: Any) -> Any:
    """Return the study of the sweep in this folder, created if there is none; `options` are its sampler and pruner."""
    storages = optuna().storages
    if url is None:
        storage = storages.JournalStorage(storages.journal.JournalFileBackend(str(folder / JOURNAL)))
    else:
        storage = storages.get_storage(url)
    name = "search" if url is None else name_of(folder)
    return optuna().create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True, **options)


class Trial:
    """Trial of a search, as seen from the run that carries it out."""

    def __init__(self, run: Path, number: int) -> None:
        plans = [parent for parent in run.absolute().parents if (parent / PLAN).exists()]
        if not plans:
            raise Mistake(f"trial: {run} lies in no search's folder; set trial=null")
        own = OmegaConf.load(plans[0] / PLAN).hydra.sweeper
        searched = study(
            plans[0],
            own.storage,
            sampler=optuna().samplers.RandomSampler(),  # the cheapest one: a running trial samples nothing
            pruner=optuna().pruners.MedianPruner(n_startup_trials=own.at_random, n_warmup_steps=own.spared),
        )
        known = [trial for trial in searched.get_trials(deepcopy=False) if trial.number == number]
        if not known:
            raise Mistake(f"trial: {number} is none of the search in {plans[0]}; set trial=null")
        self.number = number
        self._trial = optuna().Trial(searched, known[0]._trial_id)

    @property
    def pruned(self) -> int | None:
        """Epoch after which the search pruned the run, or None."""
        return self._trial.user_attrs.get(PRUNED)

    def goes_on(self, epoch: int, value: float) -> bool:
        """Report the value after this epoch; return False if the search prunes the run."""
        self._trial.report(value, epoch)
        if self._trial.should_prune():
            self._trial.set_user_attr(PRUNED, epoch)
        return self.pruned is None
