"""Command line of the verb evaluate: one run on one source, or a sweep over runs and sources."""

from __future__ import annotations

from omegaconf import DictConfig

from capbench.cli import compose
from capbench.settings import plain


def main(arguments: list[str]) -> None:
    """Compose the settings from the arguments, and evaluate one run or each of a sweep."""
    compose.run("evaluate", job, arguments)


def job(config: DictConfig) -> None:
    """Evaluate one run on one source; in a sweep, print why a run cannot read its source, and continue."""
    from hydra.core.hydra_config import HydraConfig

    settings = plain(config)
    overrides = HydraConfig.get().overrides.task
    source = " ".join(given for given in overrides if not given.startswith(("run=", "out=", "cache="))) or "as it is"
    from capbench.inference import evaluate  # torch: seconds to import

    if not compose.sweeping():
        print(evaluate.run(settings, source))
        return
    print(f"{settings['run']} on {source}", flush=True)
    try:
        evaluate.run(settings, source)
    except evaluate.Unfit as reason:  # the other pairs of run and source may fit
        print(f"  {reason}")
