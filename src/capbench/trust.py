"""Packages of the user's own whose classes settings may name, besides those of CapBench.

Only the user says which: by `trust=mypackage` on the command line, by the environment variable CAPBENCH_TRUST, or by
`capbench.load(run, trust=("mypackage",))`. No file says it, so that a stranger's run cannot.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from capbench.errors import Mistake, printable

VARIABLE = "CAPBENCH_TRUST"
OWN = frozenset({"capbench"})

_in_block: ContextVar[frozenset[str]] = ContextVar("packages trusted in this block", default=frozenset())


def trusted() -> frozenset[str]:
    """Return the names of the trusted packages, CapBench's own among them."""
    return OWN | _in_block.get() | _packages(os.environ.get(VARIABLE, "").split(","), VARIABLE)


def package_of(name: str) -> str:
    """Return the top-level package of a dotted name."""
    return name.partition(".")[0]


def is_trusted(name: str) -> bool:
    """Return True if the dotted name lies in a trusted package; nothing is imported."""
    return package_of(name) in trusted()


def can_be_trusted(name: str) -> bool:
    """Return True if a user may trust a top-level package of this name."""
    return name.isidentifier() and name not in sys.stdlib_module_names


@contextmanager
def trusting(packages: Iterable[str]) -> Iterator[None]:
    """Trust the packages until the end of the block, in this thread only."""
    mark = _in_block.set(_in_block.get() | _packages(packages, "trust"))
    try:
        yield
    finally:
        _in_block.reset(mark)


@contextmanager
def trusting_everywhere(packages: Iterable[str]) -> Iterator[None]:
    """Trust the packages until the end of the block, in this process and in those that it starts."""
    before = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = ",".join(sorted(_packages(before.split(","), VARIABLE) | _packages(packages, "trust")))
    try:
        yield
    finally:
        os.environ[VARIABLE] = before


def variable() -> list[str]:
    """Return the assignment of CAPBENCH_TRUST that stands before a command in a shell; nothing where it is not needed."""
    packages = trusted() - OWN
    return [f"{VARIABLE}={','.join(sorted(packages))}"] if packages else []


def arguments() -> list[str]:
    """Return the arguments that make another command trust the same packages."""
    packages = trusted() - OWN
    return [f"trust=[{','.join(sorted(packages))}]"] if packages else []


def parted(given: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the packages that `trust=` names among the arguments of a command line, and the other arguments.

    `trust=` is no setting: it is in no composed settings, and so in no run's folder and in no plan of a sweep.
    """
    packages, others = [], []
    for argument in given:
        key, equals, value = argument.partition("=")
        if equals and key.lstrip("+") == "trust":
            packages += value.strip("[] ").split(",")
        else:
            others.append(argument)
    return packages, others


def _packages(names: Iterable[str], where: str) -> frozenset[str]:
    """Return the names without spaces around them; raise Mistake where one is not the name of a top-level package."""
    if isinstance(names, str):
        raise Mistake(f"{where}: {printable(repr(names))} is one text; give a list of packages, such as ('mypackage',)")
    packages = frozenset(name.strip() for name in names) - {""}
    for name in sorted(packages):
        if not can_be_trusted(name):
            raise Mistake(
                f"{where}: {printable(repr(name))} is not a package of yours; give its first name, as in mypackage"
            )
    return packages
