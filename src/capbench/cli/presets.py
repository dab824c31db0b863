"""Presets: the groups that may be written with a plus, as `+experiment=NAME`, or without."""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

PRESETS = ("recognizer", "experiment", "debug", "hparams_search")


def without_plus(override: str) -> str:
    """Return the override `key=value`, or a key alone; if it is a preset, without its plus.

    The plus adds a group to the defaults list. The presets are in that list, so that Hydra would refuse the group as
    given twice; yet +experiment=NAME is the spelling that scripts rely on.
    """
    plain = override.lstrip("+")
    return plain if plain.partition("=")[0] in PRESETS else override


class SweptPresets(Callback):
    """Hydra callback that takes the plus from presets which a configuration file sweeps over, as `+recognizer: cnn,knn`."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        params = OmegaConf.select(config, "hydra.sweeper.params")
        if params:
            with read_write(config.hydra.sweeper):
                config.hydra.sweeper.params = {without_plus(key): value for key, value in params.items()}
