"""Description of a graph from a stranger: its view is a class of CapBench, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from capbench.data.views import View, Whole
from capbench.errors import Mistake
from capbench.export.description import Description

WHOLE = {"_target_": "capbench.data.views.Whole", "channel": "grey", "size": None, "fit": "pad"}
FILES = {"_target_": "capbench.data.sources.file_names.FileNames", "root": "/"}


def seen(view: dict[str, Any]) -> View:
    return Description.model_construct(view=view).seen()


def test_a_view_of_capbench_is_built_from_a_description() -> None:
    assert seen(WHOLE) == Whole(channel="grey", size=None, fit="pad")


@pytest.mark.parametrize(
    ("view", "match"),
    [
        ({}, r"^view: \{\} is not accepted"),
        (FILES, r"^view\._target_: capbench\.data\.sources\.file_names\.FileNames is not a View"),
        (WHOLE | {"channel": FILES}, r"^view\.channel\._target_: .*FileNames is not accepted"),
        (WHOLE | {"_partial_": True}, r"^view\._partial_: True is not accepted"),
        (WHOLE | {"_target_": "capbench.data.views.View"}, r"^view\._target_: .*View is abstract"),
    ],
    ids=range(5),
)
def test_anything_but_a_view_of_capbench_is_refused(view: dict[str, Any], match: str) -> None:
    with pytest.raises(Mistake, match=match):
        seen(view)
