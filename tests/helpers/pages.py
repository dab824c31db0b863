"""Pages of the documentation: their fenced blocks, commands, links and anchors."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.repository import ROOT
from tools.docs.markdown import NOTE

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
WRITTEN = [page for page in DOCS if page.read_text(encoding="utf-8").startswith(NOTE)]
"""Pages that `make reference` writes."""
PAGES = [README, *DOCS]
"""Pages whose commands are run."""
ALL = [
    *sorted(ROOT.glob("*.md")),
    *DOCS,
    *(page for folder in ("experiments", "examples") for page in sorted((ROOT / folder).rglob("*.md"))),
]
"""Pages whose links are followed."""

FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """Return the page's path below the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks that are marked with one of the languages; "" is the mark of those without any."""
    return [block for language, block in FENCED.findall(page.read_text(encoding="utf-8")) if language in languages]


def lines_of_shell(page: Path) -> list[str]:
    """Return the lines of the page's shell blocks, with continued lines joined."""
    return [line for block in blocks(page, "sh", "bash") for line in block.replace("\\\n", " ").splitlines()]


def commands(page: Path) -> list[str]:
    """Return the commands of the page's shell blocks, without comments."""
    return [command for line in lines_of_shell(page) if (command := line.partition("  #")[0].strip())]


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of the page's links and pictures that stay in the repository, such as `a.md#anchor`."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(page)))
    return [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
