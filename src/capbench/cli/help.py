"""Help of a verb: the settings that matter most on one screen, or all of them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from capbench.cli.comments import Described, Setting, inherited
from capbench.settings import conf_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig

WIDTH = 100
MOST_IMPORTANT = {  # settings, and an example
    "train": (
        ("experiment", "data", "alphabet", "model", "optim.epochs"),
        "data=csv data.root=DIR alphabet=auto model=resnet",
    ),
    "evaluate": (("run", "data", "alphabet", "style", "part"), "run=RUN data=csv data.root=DIR"),
    "predict": (("run", "images", "out", "alphabet", "length"), "run=RUN images=DIR out=answers.csv"),
    "serve": (("run", "port", "host", "token", "threads"), "run=RUN port=8000"),
    "label": (("images", "out", "alphabet", "length", "corrections"), "images=DIR alphabet=digits length=4"),
    "export": (("run", "out", "int8", "images"), "run=RUN out=model.onnx"),
    "compare": (("runs", "where", "by", "group", "out"), "runs=runs by=test/cer out=report"),
    "render": (("style", "alphabet", "length", "count", "out"), "style=lines count=1000 out=captchas"),
    "bench": (("only", "rounds", "images", "read.sets", "out"), "only=render"),
}
NOT_FOR_HYDRA = ("-h", "--help", "--help-all", "-m", "--multirun")
ONE_RUN = ("hydra.mode=RUN", "hydra.run.dir=.")  # composes the settings once, and makes no folder


def answer(verb: str, what: str, arguments: list[str]) -> None:
    """Print the help that the arguments ask for; `what` says in one line what the verb does."""
    if "--help-all" not in arguments:
        print(page(verb, what))
        return
    from capbench.cli import compose  # imports Hydra, which is slow

    def show(config: DictConfig) -> None:
        print(everything(verb, what, config))

    others = [argument for argument in arguments if argument not in NOT_FOR_HYDRA]
    compose.run(verb, show, [*others, *ONE_RUN])


def page(verb: str, what: str) -> str:
    """Return the help of a verb that fits one screen."""
    names, example = MOST_IMPORTANT[verb]
    known = settings_of(verb)
    heads = [f"  {name}={known[name].value}" for name in names]
    width = max(map(len, heads)) + 2
    command = f"python -m capbench {verb}"
    return "\n".join(
        [
            f"capbench {verb}: {what}",
            "",
            f"usage: {command} [SETTING=VALUE ...]",
            "",
            "settings that matter most, with their defaults (???: must be given)",
            *(_beside(head.ljust(width), known[name].comment) for name, head in zip(names, heads, strict=True)),
            "",
            "example",
            f"  {command} {example}",
            "",
            f"  {command} --help-all   every choice and every setting, with its meaning",
            f"  {command} --cfg job    the settings as composed, in YAML",
        ]
    )


def everything(verb: str, what: str, config: DictConfig) -> str:
    """Return the help with every choice, and with every setting as the command line composes it."""
    from hydra.core.hydra_config import HydraConfig

    from capbench.cli.presets import PRESETS

    runtime = HydraConfig.get().runtime
    folders = [Path(source.path) for source in runtime.config_sources if source.schema == "file"]
    lines = [f"capbench {verb}: {what}"]
    groups = {choice.partition("@")[0].partition("/")[0] for choice in runtime.choices} - {"hydra"}
    if groups - set(PRESETS):
        lines += ["", "Choices (group=option):"]
        lines += [f"  {group}: {', '.join(options)}" for group, options in _options(folders, groups)]
    comments = {key: setting.comment for key, setting in merged(inherited([conf_dir()], verb)).items()}
    for choice, option in runtime.choices.items():
        group, _, package = choice.partition("@")
        package = package or group.replace("/", ".")
        files = inherited([folder / group for folder in folders], option)
        comments |= {f"{package}.{one.key}": one.comment for one in merged(files).values()}
    shown = [(f"  {key}={value}", comments.get(key, "")) for key, value in _leaves(config, comments)]
    lines += ["", "Settings (key=value):"]
    lines += [f"{head:<34}  # {comment}" if comment else head for head, comment in shown]
    return "\n".join(lines)


def settings_of(verb: str) -> dict[str, Setting]:
    """Return the groups and the settings that the files of a verb write, and those of the options that the groups choose."""
    files = list(inherited([conf_dir()], verb))
    groups = {group.key: group for file in files for group in file.groups if "@" not in group.key}
    below = {
        f"{group.key}.{key}": setting
        for group in groups.values()
        for key, setting in merged(inherited([conf_dir() / group.key], group.value)).items()
    }
    return below | merged(files) | groups


def merged(files: Iterable[Described]) -> dict[str, Setting]:
    """Return the settings of files of which the first wins; a setting without a comment has that of a later file."""
    found: dict[str, Setting] = {}
    for file in files:
        for setting in file.settings:
            first = found.get(setting.key, setting)
            found[setting.key] = replace(first, comment=first.comment or setting.comment)
    return found


def _beside(head: str, comment: str) -> str:
    """Return the comment behind the head, in lines of WIDTH."""
    wrapped = textwrap.wrap(comment, WIDTH - len(head), break_on_hyphens=False)
    return f"\n{' ' * len(head)}".join([head + wrapped[0], *wrapped[1:]])


def _options(folders: list[Path], groups: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups, and the groups within them, each with its options."""
    files = [
        path.relative_to(folder) for folder in folders for group in groups for path in folder.glob(f"{group}/**/*.yaml")
    ]
    for group in sorted({file.parent for file in files}):
        yield group.as_posix(), sorted({file.stem for file in files if file.parent == group})


def _leaves(config: DictConfig, comments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield keys with their values as YAML in one line; a block with a comment of its own is one value."""

    def walk(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
        for name, value in settings.items():
            key = f"{prefix}{name}"
            if isinstance(value, Mapping) and value and not comments.get(key):
                yield from walk(value, f"{key}.")
            else:
                dumped = yaml.safe_dump(
                    value, default_flow_style=True, width=sys.maxsize, allow_unicode=True, sort_keys=False
                )
                yield key, dumped.removesuffix("...\n").rstrip()

    from omegaconf import OmegaConf

    settings: Any = OmegaConf.to_container(config)
    yield from walk(settings, "")
