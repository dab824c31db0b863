"""Command line that is killed at a chosen function call, at the same point of its work on any machine.

`python -m tests.helpers.killed 3 capbench.utils.atomic:replacing ARGUMENTS` ends by SIGKILL at the third call of that
function.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
import subprocess
import sys
from typing import Any

from tests.helpers.repository import ROOT, python_path
from tests.helpers.waiting import DEADLINE, wait_for_end_of_group


def kill_at_call(number: int, function: str, *arguments: str) -> None:
    """Run the command line until call `number`, counted from 1, of a function written as module:name."""
    command = [sys.executable, "-m", "tests.helpers.killed", str(number), function, *arguments]
    environment = os.environ | {"PYTHONPATH": python_path(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, start_new_session=True)
    assert process.wait(timeout=DEADLINE) == -signal.SIGKILL, f"{function} was called less than {number} times"
    wait_for_end_of_group(process.pid)  # helper processes must end by themselves


def main(number: int, function: str, arguments: list[str]) -> None:
    """Run the command line in this process, with a function replaced by one that kills the process at call `number`."""
    module, _, path = function.partition(":")
    *way, name = path.split(".")
    owner = functools.reduce(getattr, way, importlib.import_module(module))
    whole = getattr(owner, name)
    calls = itertools.count(1)

    @functools.wraps(whole)
    def deadly(*given: Any, **named: Any) -> Any:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*given, **named)

    setattr(owner, name, deadly)
    sys.argv = ["capbench", *arguments]
    from capbench.__main__ import main as command_line

    command_line()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
