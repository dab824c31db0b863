"""Verb compare: which recogniser reads better, by how much, with what certainty, at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capbench.compare import screen
from capbench.compare.comparison import compare
from capbench.compare.folders import Pictures
from capbench.settings import check
from capbench.utils.locks import alone


def schema(
    *,
    runs: str,
    where: dict[str, Any] | None,
    by: str,
    group: str | list[str] | None,
    strength: bool,
    pictures: Pictures,
    out: str | None,
) -> None:
    """Names and types of the verb's settings; `check` reads this signature."""


def run(settings: dict[str, Any]) -> None:
    """Print the comparison as a table, and write its page and files."""
    check(settings, schema)
    comparison = compare(Path(settings["runs"]), settings["where"], settings["by"], settings["group"])
    captchas = []
    if settings["strength"]:
        from capbench.compare.strength import analysis as strength
        from capbench.compare.strength import tables

        captchas = strength.captchas(comparison.runs)
        print(tables.screen(captchas), flush=True)
    else:
        print(screen.table(comparison), flush=True)
    if settings["out"] is None:
        return
    from capbench.compare import page, paper  # not needed for the table on screen

    out = Path(settings["out"])
    out.mkdir(parents=True, exist_ok=True)
    with alone(out, "compare"):
        paper.write_csv(out / "runs.csv", comparison)
        paper.write_markdown(out / "report.md", comparison)
        page.write(out / "index.html", comparison, settings["pictures"])
        if captchas:
            from capbench.compare.strength import page as strength_page

            tables.write_csv(out / "strength.csv", captchas)
            tables.write_markdown(out / "strength.md", captchas)
            strength_page.write(out / "strength.html", comparison.folder, captchas, settings["pictures"])
    if captchas:
        print(
            f"\npage: {out / 'strength.html'}; the runs: index.html beside it; for a paper: strength.md, strength.csv"
        )
    else:
        print(f"\npage: {out / 'index.html'}; for a paper: report.md and runs.csv beside it")
