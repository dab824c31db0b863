"""Packages that the user trusts: their classes are built and checked as CapBench's own, and nothing else is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from capbench import settings, trust
from capbench.data.augment import Augment, AugmentStep
from capbench.data.clean import Step
from capbench.data.cut import Cutter
from capbench.data.sources.base import Source
from capbench.data.views import View
from capbench.errors import Mistake
from capbench.label.engines.base import Engine
from capbench.models import Model
from capbench.render.ingredient import Ingredient
from capbench.train.loggers import Logging
from tests.helpers import own_parts
from tests.helpers.own_parts import BLOTS, CUTTER, ENGINE, LOGGER, NETWORK, SCRATCHES, STEP, VIEW, own, written


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    with own_parts.importable():
        yield


def check(value: Any, hint: Any) -> None:
    def takes(*, it: Any) -> None: ...

    takes.__annotations__["it"] = hint
    settings.check({"it": value}, takes)


KINDS: dict[str, tuple[Mapping[str, Any], Any]] = {
    "model": (NETWORK, Model),
    "view": (VIEW, View),
    "step": (STEP, Step),
    "augment step": (BLOTS, AugmentStep | dict[str, Any]),
    "ingredient": (SCRATCHES, Ingredient),
    "cutter": (CUTTER, Cutter),
    "engine": (ENGINE, Engine),
    "logger": (LOGGER, Logging),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_a_trusted_package_is_checked_as_ours_is(kind: str) -> None:
    value, hint = KINDS[kind]
    (name,) = value.keys() - {"_target_"}
    with trust.trusting(["own_parts"]):
        check(value, hint)
        with pytest.raises(Mistake, match=rf"^it\.{name}s: is not a setting \(value .*\); did you mean it\.{name}\?"):
            check({"_target_": value["_target_"], f"{name}s": value[name]}, hint)
        with pytest.raises(Mistake, match=rf"^it\.{name}: \[\] is not accepted"):
            check({**value, name: []}, hint)
        with pytest.raises(Mistake, match=rf"^it\.{name}: must be given; \w+ needs it"):
            check({"_target_": value["_target_"]}, hint)
        with pytest.raises(Mistake, match=r"^it\._target_: own_parts\.\w+ is no(t an?)? Augment"):
            check(value, Augment)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_refused_without_an_import_until_its_package_is_trusted(kind: str) -> None:
    value, hint = KINDS[kind]
    for trusted in ([], ["own", "own_part", "own_parts_more", "parts", "capbench", "Own_Parts"]):
        with trust.trusting(trusted), pytest.raises(Mistake, match=r", or trust its package: trust=own_parts$"):
            check(value, hint)
    assert "own_parts" not in sys.modules


def test_a_source_may_have_settings_of_its_own_classes(tmp_path: Path) -> None:
    source = written(tmp_path / "texts")
    with trust.trusting(["own_parts"]):
        check(source, Source)
        with pytest.raises(Mistake, match=r"^it\.shades\.darker: is not a setting .* did you mean it\.shades\.dark "):
            check({**source, "shades": own("Shades", darker=0, light=255)}, Source)
        with pytest.raises(Mistake, match=r"^it\.shades\._target_: own_parts\.Half is no(t a)? Shades"):
            check({**source, "shades": VIEW}, Source)
        with pytest.raises(
            Mistake, match=r"^it\.file\._target_: own_parts\.Half is not accepted; it\.file takes plain"
        ):
            check({**source, "file": VIEW}, Source)


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ("own_parts.Nothing", r"\(module 'own_parts' has no attribute 'Nothing'\)$"),
        ("own_parts.more.Network", r"\(No module named 'own_parts\.more'.*\)$"),
        ("own_parts.nn.Module", r"\(No module named 'own_parts\.nn'.*\)$"),
        ("own_parts.Model", r"it is defined in capbench\.models\.base$"),
        ("own_parts.Path", r"choose an option of it=$"),
        ("own_parts.nn", r"choose an option of it=$"),
        ("own_parts", r"choose an option of it=$"),
        ("own_parts.", r"is not a class that CapBench builds"),
        (".own_parts.Network", r"is not a class that CapBench builds"),
        (" own_parts.Network", r"is not a class that CapBench builds"),
        ("own_parts..Network", r"is not a class that CapBench builds"),
    ],
)
def test_a_name_that_is_no_class_of_the_trusted_package_itself_is_refused(target: str, match: str) -> None:
    with trust.trusting(["own_parts"]), pytest.raises(Mistake, match=rf"^it\._target_: .*{match}") as told:
        check({"_target_": target, "width": 8}, Model)
    assert "\n" not in str(told.value)


def test_a_type_that_cannot_be_found_is_named() -> None:
    def takes(*, it: Any) -> None: ...

    takes.__annotations__["it"] = "Unheard"
    with pytest.raises(
        Mistake, match="the type of a setting cannot be found .*'Unheard' is not defined.*TYPE_CHECKING"
    ):
        settings.check({"it": 1}, takes)


def test_trust_ends_with_its_block_and_does_not_reach_other_threads_or_processes() -> None:
    with trust.trusting(["a"]):
        with trust.trusting(["b"]):
            assert trust.trusted() == {"capbench", "a", "b"}
        assert trust.trusted() == {"capbench", "a"}
        assert not os.environ.get(trust.VARIABLE)
    assert trust.trusted() == {"capbench"}


def test_trust_of_the_command_line_reaches_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "a, b,")
    asked = [sys.executable, "-c", "from capbench import trust; print(*sorted(trust.trusted()))"]
    with trust.trusting_everywhere(["c"]):
        assert trust.trusted() == {"capbench", "a", "b", "c"}
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "a b c capbench\n"
        assert (trust.variable(), trust.arguments()) == (["CAPBENCH_TRUST=a,b,c"], ["trust=[a,b,c]"])
    assert trust.trusted() == {"capbench", "a", "b"}


@pytest.mark.parametrize("name", ["a.b", "a-b", "a b", "*", "a/b", "../a", "1a", "[a", "os", "builtins", "subprocess"])
def test_only_top_level_packages_besides_those_of_python_can_be_trusted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Mistake, match=r"^trust: .* is not a package of yours; "), trust.trusting([name]):
        pass
    monkeypatch.setenv(trust.VARIABLE, name)
    with pytest.raises(Mistake, match=r"^CAPBENCH_TRUST: .* is not a package of yours; "):
        trust.trusted()


def test_a_single_text_is_not_a_list_of_packages() -> None:
    with pytest.raises(Mistake, match=r"^trust: 'own_parts' is one text; give a list"), trust.trusting("own_parts"):
        pass


def test_trust_is_taken_from_the_arguments_and_never_composed() -> None:
    given = ["model=cnn", "trust=[a, b]", "+trust=c", "trust=[]", "data.trust=d", "--help"]
    packages, others = trust.parted(given)
    assert [package.strip() for package in packages] == ["a", "b", "c", ""]
    assert others == ["model=cnn", "data.trust=d", "--help"]
