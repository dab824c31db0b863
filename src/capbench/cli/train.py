"""Command line of the verb train: a new training, a resumed one, or a sweep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.errors import Mistake
from capbench.settings import plain
from capbench.sweep import results

if TYPE_CHECKING:
    from capbench.runs import RunFolder


def main(arguments: list[str]) -> None:
    """Start a new training or sweep, or resume the one that `resume=` or `resume_sweep=` names."""
    resumed = next((argument for argument in arguments if argument.startswith(("resume=", "resume_sweep="))), None)
    if resumed is None:
        compose.run("train", job, [*arguments, *_one_folder(arguments)])
        return
    what, _, path = resumed.partition("=")
    if len(arguments) > 1:
        others = ", ".join(argument for argument in arguments if argument != resumed)
        whose = "sweep" if what == "resume_sweep" else "run"
        raise Mistake(f"{resumed}: a resumed {whose} keeps its own settings; drop {others}")
    if what == "resume_sweep":
        compose.run("train", job, results.arguments(Path(path)))
        return
    from capbench.runs import RunFolder

    folder = RunFolder(Path(path))
    _train(folder.settings(), folder, resumed=True)


def job(config: DictConfig) -> float:
    """Train one run; return its score: exact accuracy on validation, or on test where folds leave no validation."""
    from hydra.core.hydra_config import HydraConfig

    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        settings: dict[str, Any] = plain(config)
        if compose.sweeping():
            results.hold(Path(HydraConfig.get().sweep.dir))
        # A job that an earlier call of this sweep has begun is resumed.
        resumed = compose.sweeping() and results.begun(folder, settings)
        # Imported late, since torch takes seconds to import.
        from capbench.runs import RunFolder

        return _train(settings, RunFolder(folder), resumed=resumed, sweeping=compose.sweeping())
    except BaseException:
        _remove_if_empty(folder)
        raise


def _train(settings: dict[str, Any], folder: RunFolder, *, resumed: bool, sweeping: bool = False) -> float:
    if settings.get("self_train"):
        from capbench.train import self_training

        return self_training.run(settings, folder, resumed=resumed)
    from capbench.train import experiment

    return experiment.run(settings, folder, resumed=resumed, sweeping=sweeping)


def _one_folder(arguments: list[str]) -> list[str]:
    """Return the override that gives all tasks of a SLURM job one run folder; no override outside of SLURM.

    Otherwise each task would name its folder by the time at which the task started.
    """
    if int(os.environ.get("SLURM_NTASKS", 1)) == 1 or any("hydra.run.dir=" in argument for argument in arguments):
        return []
    job, step = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_STEP_ID", "")
    return [f"hydra.run.dir=runs/${{name}}/slurm-{job}-{step}"]


def _remove_if_empty(folder: Path) -> None:
    """Remove the run folder and its parents if empty: Hydra creates the folder before the settings are checked."""
    for empty in (folder, *folder.parents[:2]):
        try:
            empty.rmdir()
        except FileNotFoundError:  # a run that is refused removes its own folder
            continue
        except OSError:
            return
