"""Links, anchors, Python and quoted messages of the documentation; no command is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capbench.__main__ import VERBS
from tests.helpers import pages
from tests.helpers.repository import ROOT

MOST_OF_README = 7 * 1024  # bytes
MOST_OF_PAGE = 8 * 1024  # bytes
VARIES = re.compile(r"…|[;,]| or |'[^']*'|\(PNG.*?\)|\(value|\d[\d.×]*|runs/\S*|labels\.csv|^modle|model\?|^onnx ")
FAILURES = ROOT / "docs" / "when-it-does-not-work.md"


@pytest.mark.parametrize("page", pages.ALL, ids=pages.name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in pages.anchors(target), link


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in pages.links(index)}
    assert set(pages.DOCS) - {index} <= linked


def test_the_readme_and_the_pages_are_short() -> None:
    assert pages.README.stat().st_size <= MOST_OF_README
    for page in set(pages.DOCS) - set(pages.WRITTEN):
        assert page.stat().st_size <= MOST_OF_PAGE, page


def test_the_two_commands_stand_first_in_the_readme() -> None:
    assert pages.commands(pages.README)[:2] == ["make run", "make test"]


def test_every_python_block_compiles() -> None:
    sources = [block for page in pages.PAGES for block in pages.blocks(page, "python")]
    assert len(sources) >= 3
    for source in sources:
        compile(source, "page", "exec")


def test_every_experiment_stands_in_its_table() -> None:
    table = (ROOT / "docs" / "reference" / "experiments.md").read_text(encoding="utf-8")
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        assert f"| `{path.stem}`" in table


def test_every_verb_stands_in_the_table_of_commands() -> None:
    table = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    for verb, what in VERBS.items():
        assert f"| `{verb}` | {what} |" in table


def test_messages_on_the_page_of_failures_are_those_of_the_program() -> None:
    """Each quoted message stands in the source, apart from what varies."""
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)  # a message may go on in the next line of the source
    quoted = [line for block in pages.blocks(FAILURES, "") for line in block.splitlines()]
    quoted = [line.removeprefix("capbench: ") for line in quoted if line.startswith("capbench: ")]
    assert len(quoted) > 10
    for line in quoted:
        fixed = VARIES.split(line)
        parts = [part for piece in fixed if len(part := piece.strip(" :")) > 12]
        assert parts, line
        for part in parts:
            assert part in joined, (part, line)


def test_the_drawn_tree_is_the_tree() -> None:
    page = ROOT / "docs" / "explanation" / "architecture.md"
    (tree,) = (block for block in pages.blocks(page, "") if block.startswith("conf/"))
    place: list[str] = []
    for line in tree.splitlines():
        if line.lstrip().startswith("·"):  # modules, which test_house.py looks at
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip())[0].split()
        for name in names:
            path = ROOT.joinpath(*place[:depth], name.rstrip("/"))
            assert path.exists(), path
        place[depth:] = [names[0].rstrip("/")]
