"""Harness that opens inputs one after another in a child process, with limits on time and memory.

Input n of a door is a function of the door, the seed and n. A door must accept it, or refuse it with a Mistake or a
BadImage of one line. Anything else is a fault; its report contains the command that reproduces it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol

from capbench.errors import BadImage, Mistake

ROOT = Path(__file__).parents[2]
DOORS = ("settings", "safetensors", "onnx", "yaml", "zip", "image", "http", "svg", "font")
SECONDS = 10  # of CPU time, for one input
MEBIBYTES = 256  # of additional memory for one input …
OF_NETWORKS = 1024  # … and where a network runs, or a font is drawn in the largest size
LARGE = ("settings", "safetensors", "onnx", "svg", "font")
HANGING = 600  # seconds of the clock: the child may wait for a processor, and the server for a client
FEWEST = 6  # characters of a refusal
MOST_FAULTS = 20
TOLD = 12  # the most frequent reasons of refusals that the figures list


class Door(Protocol):
    """Interface of the class `door(folder, seed)` that each module offers."""

    pid: int
    """Process to measure: the child itself, or one that it started."""
    sound: list[bytes]
    """Valid inputs, which the door must accept."""

    def made(self, number: int) -> bytes: ...

    def open(self, content: bytes) -> None:
        """Return where the input is accepted; raise Mistake or BadImage where it is refused."""

    def close(self) -> None: ...


def mebibytes(door: str) -> int:
    """Return the additional memory that one input of a door may take, in MiB."""
    return OF_NETWORKS if door in LARGE else MEBIBYTES


@dataclass
class Figures:
    """Counts, maxima and faults of a door's inputs."""

    door: str
    seed: int
    first: int
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: tuple[float, int] = (0.0, -1)
    """The largest CPU time, in seconds, and the number of its input."""
    mebibytes: tuple[float, int] = (0.0, -1)
    """The largest additional memory, in MiB, and the number of its input."""
    reasons: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """Add the child's report about one input."""
        number = told["number"]
        self.inputs += 1
        self.accepted += told["outcome"] == "accepted"
        self.refused += told["outcome"] == "refused"
        self.seconds = max(self.seconds, (told["seconds"], number))
        self.mebibytes = max(self.mebibytes, (told["mebibytes"], number))
        if told["outcome"] == "refused":
            self.reasons[told["reason"]] += 1
        elif told["outcome"] == "fault":
            self.fault(number, told["reason"])
        if told["seconds"] > SECONDS:
            self.fault(number, f"took {told['seconds']:.1f} seconds of the processor")
        if told["mebibytes"] > mebibytes(self.door):
            self.fault(number, f"took {told['mebibytes']:.0f} MiB")

    def fault(self, number: int, what: str) -> None:
        """Add a fault with the command that reproduces it."""
        again = f"python -m tests.fuzz {self.door} first={number} count=1 seed={self.seed}"
        self.faults.append(f"input {number}: {what}\n  again: {again}")

    def summary(self) -> str:
        """Return the figures as JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("reasons", "faults")}
        return json.dumps(plain | {"reasons": dict(self.reasons.most_common(TOLD)), "faults": len(self.faults)})


def run(door: str, count: int, seed: int, first: int = 0, tell: Callable[[Figures], None] = lambda _: None) -> Figures:
    """Open inputs `first` to `first + count - 1` of a door, and return the figures.

    An input that ends the child is a fault; another child continues with the next input.
    """
    figures = Figures(door, seed, first)
    following = first
    while following < first + count and len(figures.faults) < MOST_FAULTS:
        begun = following
        with (
            tempfile.TemporaryDirectory(prefix="capbench-fuzz-") as folder,
            _child(door, seed, begun, first + count - begun, Path(folder)) as child,
        ):
            for told in _lines(child):
                figures.add(told)
                following = told["number"] + 1
                tell(figures)
                if len(figures.faults) >= MOST_FAULTS:
                    child.kill()
            ended = child.wait()
            assert child.stderr is not None
            said = _tail(child.stderr)
        if ended and len(figures.faults) < MOST_FAULTS:
            if following == begun and "ready" not in said:
                raise RuntimeError(f"the door {door} cannot be tried: {said}")
            figures.fault(following, f"ended the process with {_ending(ended)}: {said}")
            following += 1
    return figures


class _child(subprocess.Popen[str]):
    def __init__(self, door: str, seed: int, first: int, count: int, folder: Path) -> None:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
            "CAPBENCH_CACHE": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, "-m", "tests.fuzz.harness", door, str(seed), str(first), str(count), str(folder)]
        said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 read after the child has ended
        super().__init__(command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=folder, env=environment)
        self.stderr = said


def _lines(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the child's reports until it ends, or kill it after HANGING seconds without one."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        rest = ""
        while waiting.select(HANGING):
            more = os.read(child.stdout.fileno(), 1 << 16).decode()
            if not more:
                return
            *lines, rest = (rest + more).split("\n")
            yield from map(json.loads, lines)
        child.kill()


def _tail(said: IO[str]) -> str:
    said.seek(0)
    return said.read()[-1500:].strip()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else str(code)


def _opened(door: Door, number: int, most: int) -> Iterator[dict[str, Any]]:
    content = door.made(number)
    _limit(door.pid, most)
    signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)  # the signal has no handler, so it ends the process
    with _measured(door.pid) as measured:
        try:
            door.open(content)
            outcome, reason = "accepted", ""
        except (Mistake, BadImage) as refusal:
            outcome, reason = _refused(refusal)
        except Exception:
            outcome, reason = "fault", traceback.format_exc(limit=-6)
    signal.setitimer(signal.ITIMER_PROF, 0)
    yield {"number": number, "outcome": outcome, "reason": reason, **measured.figures()}


def _refused(refusal: Exception) -> tuple[str, str]:
    reason = str(refusal)
    causes = list(_causes(refusal))
    if any(isinstance(cause, MemoryError) or "allocate memory" in str(cause) for cause in causes):
        return "fault", f"was refused by the limit on memory alone: {reason[:300]}"
    if not reason.isprintable() or len(reason) < FEWEST:
        return "fault", f"is refused without a line that says why: {reason[:300]!r}"
    plain = re.sub(r"/\S*/|'[^']*'|\"[^\"]*\"", "…", reason)
    return "refused", " ".join(re.sub(r"[\d×.,-]+", "#", plain).split()[:9])[:120]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _measured:
    """Context manager that measures CPU time and peak memory of a process within a block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> _measured:
        self._before = _status(self._pid)["VmRSS"]
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # resets the peak
        self._begun = self._processor()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = self._processor() - self._begun
        self._peak = _status(self._pid)["VmHWM"]

    def figures(self) -> dict[str, float]:
        return {"seconds": round(self._seconds, 3), "mebibytes": round((self._peak - self._before) / 1024, 1)}

    def _processor(self) -> float:
        if self._pid == os.getpid():
            return time.process_time()
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int) -> dict[str, int]:
    """Return the memory sizes of a process, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines) if name.startswith("Vm")
    }


def _limit(pid: int, most: int) -> None:
    """Limit the address space of a process to twice the allowed memory, so that a bomb cannot exhaust the machine."""
    size = _status(pid)["VmSize"] * 1024 + 2 * most * 2**20
    resource.prlimit(pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def _serve(name: str, seed: int, numbers: Iterable[int], folder: Path) -> None:
    door: Door = import_module(f"tests.fuzz.{name}").door(folder, seed)
    try:
        for content in door.sound:
            door.open(content)  # must not raise; also loads late imports before the measurements
        print("ready", file=sys.stderr, flush=True)
        for number in numbers:
            for told in _opened(door, number, mebibytes(name)):
                print(json.dumps(told), flush=True)
    finally:
        door.close()


if __name__ == "__main__":
    _, _name, _seed, _first, _count, _folder = sys.argv
    _serve(_name, int(_seed), range(int(_first), int(_first) + int(_count)), Path(_folder))
