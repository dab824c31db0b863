"""Values of settings: plain data, or a class of CapBench where the type hint names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Len

from capbench import settings
from capbench.data.clean import Step
from capbench.data.cut import Cutter
from capbench.data.views import View
from capbench.errors import Mistake
from capbench.text import Alphabet

THRESHOLD = {"_target_": "capbench.data.clean.Threshold", "at": 3}
WHOLE = {"_target_": "capbench.data.views.Whole", "channel": "grey", "size": None, "fit": "pad"}
EQUAL = {"_target_": "capbench.data.cut.Equal"}
FILES = {"_target_": "capbench.data.sources.file_names.FileNames", "root": "/", "pattern": "(a*)*b"}
PLAIN = [
    Any,
    object,
    str,
    str | None,
    Literal["grey", "colour"],
    Literal["grey"] | None,
    Annotated[str, Len(1)],
    Annotated[Any, Len(1)],
    list[Any],
    list[list[Any]],
    dict[str, Any],
    dict[str, dict[str, Any]],
    list[dict[str, Any]] | None,
    Callable[..., Any],
    Callable[..., str] | None,
]
AS_VALUES: list[Callable[[Any], Any]] = [
    lambda built: built,
    lambda built: built | {"_partial_": True},
    lambda built: [built],
    lambda built: [built, "grey"],
    lambda built: {"a": built},
    lambda built: {"a": built, "b": "grey"},
    lambda built: [[built]],
    lambda built: {"a": [{"b": [built | {"_partial_": True}]}]},
]


def check(hint: Any, value: Any) -> None:
    def takes(*, it: Any) -> None: ...

    takes.__annotations__["it"] = hint
    settings.check({"it": value}, takes)


def refused(hint: Any, value: Any, match: str) -> None:
    with pytest.raises(Mistake, match=match) as told:
        check(hint, value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("wrapped", AS_VALUES, ids=range(len(AS_VALUES)))
@pytest.mark.parametrize("hint", PLAIN, ids=str)
def test_a_target_in_plain_data_is_refused_without_an_import(
    hint: Any, wrapped: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def imported(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(settings.importlib, "import_module", imported)
    refused(
        hint, wrapped(FILES), r"^it[.\w]*\._target_: capbench\.data\.sources\.file_names\.FileNames is not accepted; it"
    )


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (View, WHOLE),
        (View | None, WHOLE),
        (View | None, None),
        (Annotated[View, "any"], WHOLE),
        (Annotated[View | None, "any"] | str, WHOLE),
        (Literal["equal"] | Cutter, EQUAL),
        (Literal["equal"] | Cutter, "equal"),
        (Cutter | View, WHOLE),
        (list[Step], [THRESHOLD, THRESHOLD]),
        (Annotated[list[Annotated[Step, "any"]], Len(1)] | None, [THRESHOLD]),
        (dict[str, View], {"a": WHOLE, "b": WHOLE}),
        (dict[str, list[Step]], {"a": [THRESHOLD]}),
        (Callable[..., View], WHOLE | {"_partial_": True}),
        (Callable[..., View] | None, WHOLE | {"_partial_": True}),
        (list[Callable[..., View]], [WHOLE | {"_partial_": True}]),
        (View, WHOLE | {"_partial_": False}),
        (dict[str, Any], {"a": [{"b": 1}]}),
    ],
    ids=range(17),
)
def test_a_class_is_accepted_where_the_hint_names_it(hint: Any, value: Any) -> None:
    check(hint, value)


@pytest.mark.parametrize(
    ("hint", "value", "match"),
    [
        (View, THRESHOLD, r"^it\._target_: capbench\.data\.clean\.Threshold is not a View"),
        (Cutter | View, THRESHOLD, r"^it\._target_: capbench\.data\.clean\.Threshold is not a Cutter or View"),
        (View, FILES, r"^it\._target_: capbench\.data\.sources\.file_names\.FileNames is not a View"),
        (View, {"_target_": "capbench.data.views.View"}, r"^it\._target_: capbench\.data\.views\.View is abstract"),
        (Alphabet, None, r"^it: None is not accepted; input should be an instance of Alphabet"),
        (Alphabet | None, "digits", r"^it: 'digits' is not accepted"),
        (list[Alphabet], [{"symbols": "1"}], r"^it: \[\{'symbols': '1'\}\] is not accepted"),
        (View, WHOLE["_target_"], r"^it: 'capbench\.data\.views\.Whole' is not accepted"),
        (View, [WHOLE], r"^it\.0\._target_: capbench\.data\.views\.Whole is not accepted"),
        (list[Step], THRESHOLD, r"^it\._target_: capbench\.data\.clean\.Threshold is not accepted"),
        (list[Step], {"a": THRESHOLD}, r"^it\.a\._target_: .* is not accepted"),
        (dict[str, Step], [THRESHOLD], r"^it\.0\._target_: .* is not accepted"),
        (list[Step], [THRESHOLD, 3], r"^it\.1: 3 is not accepted"),
        (list[Step], [[THRESHOLD]], r"^it\.0\.0\._target_: .* is not accepted"),
        (View, WHOLE | {"channel": FILES}, r"^it\.channel\._target_: .*FileNames is not accepted"),
        (View, WHOLE | {"size": [FILES, 3]}, r"^it\.size\.0\._target_: .*FileNames is not accepted"),
        (View, WHOLE | {"_partial_": True}, r"^it\._partial_: True is not accepted"),
        (Callable[..., View], WHOLE, r"^it\._partial_: None is not accepted"),
        (Callable[..., View], THRESHOLD | {"_partial_": True}, r"^it\._target_: .*Threshold is not a View"),
        (View, {"_target_": "capbench.data.views.Size"}, r"^it\._target_: .* is not a class that CapBench builds"),
        (View, {"_target_": "pathlib.Path"}, r"^it\._target_: pathlib\.Path is not a class that CapBench builds"),
        (View, {"_target_": "capbench"}, r"^it\._target_: capbench is not a class that CapBench builds"),
        (View, {"_target_": "capbench..x"}, r"^it\._target_: .* is not a class that CapBench builds"),
        (View, {"_target_": "capbench.\0.x"}, r"^it\._target_: .* is not a class that CapBench builds"),
        (View, {"_target_": "capbench." + "a." * 10**5 + "x"}, r"^it\._target_: .* is not a class that CapBench builds"),
        (View, {"_target_": None}, r"^it\._target_: None is not a class that CapBench builds"),
        (View, {"_target_": ["capbench.data.views.Whole"]}, r"^it\._target_: .* is not a class that CapBench builds"),
    ],
    ids=range(27),
)  # fmt: skip
def test_a_class_that_the_hint_does_not_name_is_refused(hint: Any, value: Any, match: str) -> None:
    refused(hint, value, match)


@pytest.mark.parametrize("given", [5, None, ["a"], "text"])
def test_settings_that_are_no_mapping_are_refused_by_their_key(given: Any) -> None:
    def schema(*, a: int) -> None: ...

    with pytest.raises(Mistake, match=r"clean: .* is not accepted; give keys and values"):
        settings.check(given, schema, "clean")
