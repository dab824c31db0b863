"""Reading of a stranger's files: only regular ones of bounded size, and only plain data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from capbench.errors import Mistake
from capbench.utils import bounded
from tests.helpers.settings import composed


@pytest.mark.parametrize(
    "data",
    [
        composed(),
        {"a": [1, -2, 3.5, 1e-9, True, None, "", "é", "*", "&a", "1:30", "2024-01-01", "0x1f", "<<", "null"]},
        {"2024-01-01": {"nested": [[{"x": []}], {}]}},
        None,
    ],
    ids=range(4),
)
def test_yaml_and_json_are_read_back_as_written(data: Any) -> None:
    assert bounded.from_yaml(yaml.safe_dump(data, sort_keys=False, allow_unicode=True)) == data
    assert bounded.from_json(json.dumps(data)) == data


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "- ? - "])
def test_deep_yaml_is_refused(opening: str) -> None:
    with pytest.raises(ValueError, match="more than 32 deep"):
        bounded.from_yaml(opening * 100_000)


@pytest.mark.parametrize("alias", ["[&a [], *a]", "{a: &a [], b: *a}", "a: &a {b: 1}\nc:\n  <<: *a", "- &1 x\n- *1"])
def test_a_yaml_alias_is_refused(alias: str) -> None:
    with pytest.raises(ValueError, match="holds an alias"):
        bounded.from_yaml(alias)


@pytest.mark.parametrize("content", ["[" * 40 + "]" * 40, "[" * 100_000, "1" * 65, "{"])
def test_deep_oversized_or_invalid_json_is_refused(content: str) -> None:
    with pytest.raises(ValueError):
        bounded.from_json(content)


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("four")
    assert bounded.text(path, most=4) == "four"
    with pytest.raises(Mistake, match=r"file has over 3 bytes"):
        bounded.text(path, most=3)
    with pytest.raises(Mistake, match="zero: cannot be read .is not a regular file"):
        bounded.text(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Mistake, match="pipe: cannot be read .is not a regular file"):
        bounded.text(tmp_path / "pipe")
    with pytest.raises(Mistake, match="cannot be read .Is a directory"):
        bounded.text(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Mistake, match="loop: cannot be read .Too many levels"):
        bounded.text(tmp_path / "loop")
    with pytest.raises(Mistake, match="cannot be read .File name too long"):
        bounded.text(tmp_path / ("x" * 300))


def test_yaml_and_json_over_the_limit_of_values_are_refused() -> None:
    most = bounded.MOST_VALUES
    for separated in (
        "a: [" + "1," * (most + 1) + "1]",
        "\n".join(f"k{n}: 1" for n in range(most + 2)),
        "- 1\n" * (most + 1),
    ):
        with pytest.raises(ValueError, match="over 5,000 values"):
            bounded.from_yaml(separated)
    for nested in ([1] * (most + 1), {"a": [[1] * 10] * 500}, {str(n): n for n in range(most + 1)}):
        with pytest.raises(ValueError, match="over 5,000 values"):
            bounded.from_json(json.dumps(nested))
