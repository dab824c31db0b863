"""SECURITY.md: each promise names the tests that check it."""

from __future__ import annotations

import re

from tests.helpers.repository import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
PROMISED = PAGE.partition("## Promised")[2].partition("\n## ")[0]


def test_every_promise_of_security_md_names_tests_that_exist() -> None:
    rows = [line for line in PROMISED.splitlines() if line.startswith("| ") and not line.startswith("| of ")]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"no test holds: {row}"
        for path, name in named:
            assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{path}::{name} does not exist"


def test_the_readme_links_to_security_md() -> None:
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text()
