"""Reference pages that are written from the source: they are up to date, and leave nothing out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from annotated_types import Ge, Len, Lt

pytest.importorskip("starlette", reason="needs the extra serve: make test installs it")

from capbench.cli.comments import described
from capbench.settings import conf_dir, target_class
from tests.helpers import pages
from tools.docs import reference
from tools.docs.accepted import accepted, parameters
from tools.docs.markdown import plain

WRITTEN = reference.pages()
OPTIONS = [
    path
    for path in sorted(conf_dir().rglob("*.yaml"))
    if "\n_target_: capbench." in f"\n{path.read_text(encoding='utf-8')}" and not described(path).bases
]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_page_is_what_make_reference_writes(name: str) -> None:
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == WRITTEN[name], "run make reference"


def test_no_page_is_left_of_what_is_no_longer_written() -> None:
    assert {page.relative_to(reference.FOLDER).as_posix() for page in pages.WRITTEN} == set(WRITTEN)


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_conf_has_every_setting_of_a_class(path: Path) -> None:
    """A parameter that no file of conf/ writes would be a setting that nobody finds."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    from_groups = {group.key.rpartition("@")[2].partition(".")[0] for group in described(path).groups}
    assert set(parameters(target_class(settings))) <= set(settings) | from_groups


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("settings/")])
def test_every_setting_has_a_meaning(name: str) -> None:
    rows = [line.replace(r"\|", "").split(" | ") for line in WRITTEN[name].splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if len(row) == 4 and not row[2].strip()] == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "integer"),
        (bool | None, "true, false or null"),
        (Literal["a", "b"] | None, "a, b or null"),
        (Annotated[float, Ge(0), Lt(1)], "number ≥ 0, < 1"),
        (Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)], "list of integer ≥ 1 (length 2)"),
        (dict[str, int], "integer, by name"),
        (Any, "any value"),
    ],
)
def test_a_type_is_told_in_words(hint: Any, words: str) -> None:
    assert accepted(hint) == words


def test_text_of_a_comment_is_no_markdown() -> None:
    assert plain("a | b: [x](y) *n* {_target_: z} `q`") == r"a \| b: \[x\](y) \*n\* {\_target\_: z} \`q\`"
