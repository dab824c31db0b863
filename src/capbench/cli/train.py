"""The verb train on the command line: a new training, a resumed one, or a sweep."""

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
    resumed = next((argument for argument in arguments if argument.startswith(("resume=", "resume_sweep="))), None)
    if resumed is None:
        compose.run("train", job, [*arguments, *_one_folder(arguments)])
        return
    what, _, path = resumed.partition("=")
    if len(arguments) > 1:
        others = ", ".join(argument for argument in arguments if argument != resumed)
        whose = "sweep" if what == "resume_sweep" else "run"
        raise Mistake(f"{resumed}: goes on with the {whose}'s own settings; drop {others}")
    if what == "resume_sweep":
        compose.run("train", job, results.arguments(Path(path)))
        return
    from capbench.runs import RunFolder

    folder = RunFolder(Path(path))
    _train(folder.settings(), folder, resumed=True)


def job(config: DictConfig) -> float:
    """One training; what it returns is what a sweeper maximises: exact accuracy on validation."""
    from hydra.core.hydra_config import HydraConfig

    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        settings: dict[str, Any] = plain(config)
        if compose.sweeping():
            results.hold(Path(HydraConfig.get().sweep.dir))
        # A sweep that is run again goes on with the jobs that it had begun.
        resumed = compose.sweeping() and results.begun(folder, settings)
        # From here on torch is needed, which takes seconds to import.
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
    """Tasks that SLURM started side by side fill one folder, though each looks at the clock at a moment of its own."""
    if int(os.environ.get("SLURM_NTASKS", 1)) == 1 or any("hydra.run.dir=" in argument for argument in arguments):
        return []
    job, step = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_STEP_ID", "")
    return [f"hydra.run.dir=runs/${{name}}/slurm-{job}-{step}"]


def _remove_if_empty(folder: Path) -> None:
    """Hydra makes the folder before the settings are checked; a mistake in them leaves nothing behind."""
    for empty in (folder, *folder.parents[:2]):
        try:
            empty.rmdir()
        except OSError:
            return
