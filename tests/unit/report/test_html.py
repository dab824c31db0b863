"""A page in a single file: whatever comes from data is escaped, and no variable is forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest

from capbench.report.html import single_file

PAGE = """{% extends "layout.html.jinja" %}
{% block title %}{{ title }}{% endblock %}
{% block body %}<script type="application/json">{{ data | tojson }}</script>{% endblock %}
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "page.css").write_text("a > b {}")
    (tmp_path / "page.js").write_text('const sign = "<&";')
    path = tmp_path / "page.html.jinja"
    path.write_text(PAGE)
    return path


def rendered(page: Path, **values: object) -> str:
    return single_file(page, page.with_name("page.css"), [page.with_name("page.js")], "img-src data:", **values)


def test_data_is_escaped_and_style_and_script_are_not(page: Path) -> None:
    nasty = "</script></title><script>alert('&')</script>"
    content = rendered(page, title=nasty, data={"b": nasty, "a": None})
    assert content.count("<script") == 2
    assert content.count("</title>") == 1
    assert "a > b {}" in content and 'const sign = "<&";' in content
    embedded = json.loads(content.partition('json">')[2].partition("</script>")[0])
    assert list(embedded.items()) == [("b", nasty), ("a", None)]


def test_a_missing_variable_is_an_error(page: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        rendered(page, data={})


def test_a_number_that_json_lacks_is_an_error(page: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        rendered(page, title="", data=float("nan"))


def test_a_name_that_is_no_utf_8_can_be_written(page: Path) -> None:
    rendered(page, title="\udcff", data="\udcff").encode()
