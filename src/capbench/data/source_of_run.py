"""Source of a finished run, built again from its settings; those of a stranger may name any file."""

from __future__ import annotations

from typing import Any, Literal

from capbench.data.sources.base import Source
from capbench.data.sources.rendered import Synthetic
from capbench.errors import Mistake
from capbench.render.faces import bundled_fonts
from capbench.runs import RunFolder
from capbench.settings import build, check, target_class

Which = Literal["rendered", "all"]
"""Sources that may be built: `rendered` allows those that CapBench draws itself, `all` also those that read images."""


def source_of(run: RunFolder, which: Which) -> Source:
    """Return the source that the run was trained on.

    Raise Mistake where its settings cannot be built, or where `which` is `rendered` and the source would open other
    files.
    """
    data: Any = run.settings().get("data")
    check({"data": data}, _any)
    if which == "rendered":
        if target_class(data) is not Synthetic:
            raise Mistake("data: only captchas that CapBench renders are drawn here; this source may name any file")
        fonts = data["style"]["fonts"] or []
        if fonts != "installed" and not set(fonts) <= bundled_fonts().keys():
            raise Mistake("data.style.fonts: only bundled fonts are used here; these may be any file")
    return build(data)


def _any(*, data: Source) -> None:
    """Declare the part of a run's settings that is built here; `check` reads this signature."""
