"""Composition of settings by Hydra, with its errors rewritten as one line each."""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from capbench.errors import DISK_FULL, Mistake, nearest
from capbench.settings import conf_dir
from capbench.sweep.results import Failure, failure_report
from capbench.utils.overrides import for_shell

PRESETS = ("recognizer", "experiment", "debug", "hparams_search")


def run(config_name: str, task: Callable[[DictConfig], Any], arguments: list[str]) -> None:
    """Compose `conf/<config_name>.yaml` with the overrides and call `task` with it, or with each job of a sweep."""
    flags, overrides = parted(arguments)
    # Hydra reads sys.argv, flags before overrides; so does Lightning when it starts other processes.
    sys.argv[1:] = [*flags, *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise exceptions instead of printing them
    ends: list[Mistake | BrokenPipeError] = []
    failures: list[Failure] = []

    def guarded(config: DictConfig) -> Any:
        try:
            with _room_on_disk():
                return task(config)
        except (Mistake, BrokenPipeError) as end:
            if sweeping():
                failures.append(_failure(str(end)))
                raise
            ends.append(end)  # raised after Hydra returns, since Hydra would print lines of its own
            return None
        except Exception as error:
            if sweeping():
                traceback.print_exc()
                failures.append(_failure(f"{type(error).__name__}: {error}"))
            raise

    # CapBench's submitit_slurm replaces that of hydra-submitit-launcher, which may be installed too.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/submitit_slurm' is validated against ConfigStore")
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(guarded)()
    except (HydraException, OmegaConfBaseException) as error:
        raise Mistake(explain(error, config_name, overrides)) from error
    except Exception as error:
        if not failures:
            raise
        # Hydra raises the first job's exception again when all jobs have run.
        raise failure_report(failures, resumable=config_name == "train") from error
    if ends:
        raise ends[0]


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Turn the error of a full disk into a Mistake."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise Mistake(f"{where}no room on the disk ({error.strerror}); make room and start again") from error


def _failure(reason: str) -> Failure:
    own = HydraConfig.get()
    return Failure(own.sweep.dir, own.job.num, " ".join(own.overrides.task), reason)


def sweeping() -> bool:
    """Return True if Hydra runs several jobs."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the flags and the overrides among the arguments; the presets among the overrides lose their plus."""
    overrides = [a for a in arguments if not a.startswith("-") and ("=" in a or a.startswith("~"))]
    flags = [a for a in arguments if a not in overrides]
    # The plus adds a group to the defaults list. The presets are in that list, so that Hydra would refuse the group as
    # given twice; yet +experiment=NAME is the spelling that scripts rely on.
    return flags, [o.lstrip("+") if o.lstrip("+").partition("=")[0] in PRESETS else o for o in overrides]


def explain(error: BaseException, config_name: str, overrides: list[str]) -> str:
    """Return Hydra's error message as one line that names the key and the nearest valid ones."""
    message = " ".join(str(error).split()) or (
        explain(error.__cause__, config_name, overrides) if error.__cause__ else ""
    )
    option = re.search(
        r"Could not find '([\w/.@-]+)/([^/']+)' Available options in '[^']+': (.*?)(?: Config search path|$)", message
    )
    if option:
        group, wrong, options = option[1], option[2], option[3].split()
        return f"{group}={wrong}: is no option; {nearest(wrong, options)}"
    key = re.search(
        r"Could not (?:override|append to config\. An item is already at|delete from config\.) '?([\w/.@-]+)'?", message
    )
    if key:
        return _about_key(key[1], message, config_name, overrides)
    unread = re.match(
        r"LexerNoViableAlt|no viable alternative|mismatched input|extraneous input|token recognition|Error parsing",
        message,
    )
    if unread:
        reason = re.sub(
            r"LexerNoViableAlt.*|Error parsing override '.*?' (?=\S)|HydraException while evaluating '.*?': | See https.*",
            "",
            message,
        )
        return _unread(reason or "it holds symbols that need quotes", overrides)
    folder = re.search(r"Primary config .* not found|Additional config directory .* not found", message)
    return folder[0] if folder else message


def _unread(reason: str, overrides: list[str]) -> str:
    """Return a message about the first override that Hydra's grammar rejects."""
    parser = OverridesParser.create()
    for override in overrides:
        try:
            parser.parse_override(override)
        except HydraException:
            key, equals, value = override.partition("=")
            return f"{override}: cannot be read ({reason}); " + (
                f"if it is text, write {for_shell(key, value)}" if equals else "write key=value"
            )
    return f"{' '.join(overrides)}: cannot be read ({reason}); write key=value"


def _about_key(key: str, message: str, config_name: str, overrides: list[str]) -> str:
    if "already at" in message:
        return f"{key}: is there already; drop the + before it"
    if "Multiple values" in message:
        return f"{key}: is given more than once; give it once"
    value = next((o.partition("=")[2] for o in overrides if o.lstrip("+~").startswith(f"{key}=")), "")
    known = list(known_keys(config_name))
    return f"{key}: is no setting (value {value!r}); {nearest(key, known)}"


def known_keys(config_name: str) -> Iterator[str]:
    """Yield every key of the configuration without overrides, and the name of every group."""
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = hydra.compose(config_name)
    yield from (path.name for path in conf_dir().iterdir() if path.is_dir() and path.name not in PRESETS)

    def keys(node: Any, prefix: str) -> Iterator[str]:
        for key in node:
            yield f"{prefix}{key}"
            if isinstance(node._get_node(key), DictConfig) and not OmegaConf.is_missing(node, key):
                yield from keys(node[key], f"{prefix}{key}.")

    yield from keys(config, "")
