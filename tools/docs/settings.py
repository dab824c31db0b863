"""Reference of the settings: pages written from the files of conf/ and from the signatures that check the settings."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from capbench.__main__ import VERBS
from capbench.cli.comments import Described, Setting, inherited
from capbench.cli.help import merged
from capbench.cli.presets import PRESETS
from capbench.cli.verbs import ROOMS
from capbench.settings import conf_dir
from tools.docs.accepted import parameters
from tools.docs.markdown import code, page, plain, table

HEAD = ("setting", "default", "meaning", "accepts")
PARTS = ("data", "alphabet", "style", "view", "augment", "model", "optim", "trainer", "logger", "callbacks", "label")
SCHEMAS = ROOMS | {
    "train": "capbench.train.experiment",
    "evaluate": "capbench.inference.evaluate",
    "serve": "capbench.serve.server",
}


def pages() -> dict[str, str]:
    """Return the pages by their path below docs/reference/settings/."""
    return {
        "verbs.md": _verbs(),
        **{f"{part}.md": _part(part) for part in PARTS},
        "presets.md": _presets(),
        "jobs.md": _jobs(),
    }


def _verbs() -> str:
    sections = [part for verb, what in VERBS.items() for part in _verb(verb, what)]
    before = "Each verb's own settings, with their defaults. `???` must be given. A part is a group: `part=option` chooses a file of conf/."
    return page("Settings of the verbs", before, *sections)


def _verb(verb: str, what: str) -> Iterator[str]:
    files = list(inherited([conf_dir()], verb))
    yield f"## {verb}"
    yield f"{plain(what[0].upper() + what[1:])}."
    groups = [group for file in files for group in file.groups if "@" not in group.key and group.key in PARTS]
    yield table(
        ("part", "option", "meaning"),
        ((f"[{code(group.key)}]({group.key}.md)", code(group.value), plain(group.comment)) for group in groups),
    )
    accepts = parameters(importlib.import_module(SCHEMAS[verb]).schema)
    rows = merged(files).values()
    yield table(HEAD, (_row(one, accepts.get(one.key, "")) for one in rows if one.key.partition(".")[0] not in PARTS))


def _part(part: str) -> str:
    folders = [folder for folder in (conf_dir() / part, *sorted((conf_dir() / part).iterdir())) if folder.is_dir()]
    sections = [text for folder in folders for text in _options(folder)]
    return page(
        f"Settings of {part}",
        f"`{part}=OPTION` chooses an option; `{part}.SETTING=VALUE` sets one of its settings.",
        *sections,
    )


def _presets() -> str:
    sections = [text for group in PRESETS for text in (f"## {group}", _abouts(conf_dir() / group))]
    return page("Presets", "`group=option` changes several settings at once. Each is a file of conf/.", *sections)


def _jobs() -> str:
    folders = [conf_dir() / "hydra" / "launcher", conf_dir() / "hydra" / "sweeper"]
    before = "Where and how the jobs of a sweep run: `hydra/launcher=OPTION`, and `hydra/sweeper=search` for a search."
    return page("Settings of sweeps", before, *(text for folder in folders for text in _options(folder)))


def _abouts(folder: Path) -> str:
    options = [(path.stem, next(iter(inherited([folder], path.stem))).about) for path in sorted(folder.glob("*.yaml"))]
    return table(("option", "what it is"), ((code(name), plain(about)) for name, about in options))


def _options(folder: Path) -> Iterator[str]:
    """Yield a section for each file of a folder."""
    group = folder.relative_to(conf_dir()).as_posix()
    key = {"label/engine": "label.engines.NAME"}.get(group, group.replace("/", "."))
    for path in sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != "default", path.stem)):
        own, *bases = inherited([folder], path.stem)
        yield f"## {group}={path.stem}"
        taken = " and ".join(f"`{base}`" for base in own.bases)
        about = plain(own.about) if own.about else ""
        yield about
        yield f"Takes over the settings of {taken}, with these differences." if taken else ""
        yield table(HEAD, _rows(folder, path.stem, own, bases, key))


def _rows(folder: Path, option: str, own: Described, bases: Iterable[Described], key: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each setting that the file writes."""
    comments = merged([own, *bases])
    loaded = _loaded(folder, option)
    for one in own.settings:
        *above, name = one.key.split(".")
        block = loaded
        for step in above:
            block = block[step]
        accepts = _of_class(block).get(name, "")
        yield _row(Setting(f"{key}.{one.key}", one.value, comments[one.key].comment), accepts)


def _row(setting: Setting, accepts: str) -> tuple[str, ...]:
    return code(setting.key), code(setting.value), plain(setting.comment), plain(accepts)


def _loaded(folder: Path, option: str) -> dict[str, Any]:
    """Return an option's settings over those that it takes over."""
    written = yaml.safe_load((folder / f"{option}.yaml").read_text(encoding="utf-8")) or {}
    below: dict[str, Any] = {}
    for base in written.pop("defaults", []):
        if isinstance(base, str) and base != "_self_":
            below |= _loaded(folder, base)
    return below | written


def _of_class(block: Mapping[str, Any]) -> dict[str, str]:
    """Return what the settings of a block accept, from the class that the block names."""
    if "_target_" not in block:
        return {}
    module, _, name = block["_target_"].rpartition(".")
    return parameters(getattr(importlib.import_module(module), name))
