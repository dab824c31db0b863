"""Latency and memory of a server that answers honest requests while it is attacked."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from attacks import ATTACKS
from known import same
from tqdm import tqdm
from wire import bare

from capbench.export.graph import Read
from capbench.serve.process import Served

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from study import put, write  # noqa: E402

CLIENTS, RATE = 4, 5.0  # honest clients, and requests per second of each
ANSWERED = 0.95  # least share of honest requests that must be answered in time
MEMORY = 2**30  # bytes that the server may take
ALONE = 1 / 20  # duration of a single attack, as a share of the duration of all attacks together


@dataclass
class Trial:
    """Results of honest requests under some attacks."""

    attacks: Sequence[str]
    requests: int
    within: float
    """Seconds within which each request should be answered."""
    soon: float
    """Share of the requests with a right answer in that time."""
    p50: float
    p95: float
    p99: float
    """Seconds, like the other quantiles, of the requests with a right answer."""
    refused: dict[str, int]
    """Counts of other statuses and of missing responses, by status or reason."""
    memory: int
    """Peak memory of the server, in bytes."""
    did: dict[str, dict[str, int]]
    """Connections and bytes of each attack."""
    faults: list[str]

    def row(self) -> dict[str, Any]:
        """Return the row of results.csv."""
        return {
            "attack": called(self.attacks),
            "requests": self.requests,
            "within_s": self.within,
            "soon": round(self.soon, 4),
            "p50_ms": round(self.p50 * 1000, 1),
            "p95_ms": round(self.p95 * 1000, 1),
            "p99_ms": round(self.p99 * 1000, 1),
            "not_read": self.refused,
            "memory_mib": round(self.memory / 2**20),
            "connections": sum(did["connections"] for did in self.did.values()),
            "sent_mib": round(sum(did["sent"] for did in self.did.values()) / 2**20),
        }


def attacked(
    path: Path, files: list[bytes], reads: list[Read], seconds: float, within: float, strength: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return rows for no attack, for each attack alone and for all together, and the faults.

    All attacks together last `seconds`. Honest requests should be answered `within` a number of seconds; `strength` is
    the share of its connections that each attack opens.
    """
    plans: list[tuple[Sequence[str], float]] = [((), seconds * ALONE)]
    plans += [((name,), seconds * ALONE) for name in ATTACKS]
    plans.append((tuple(ATTACKS), seconds))
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            (Path(folder) / f"{number}").write_bytes(bare(file))
        trials = []
        for names, lasts in tqdm(plans, desc="attacked", unit="trial", leave=False):
            trials.append(tried(path, Path(folder), reads, names, lasts, within, strength))
            tqdm.write(json.dumps(trials[-1].row()), file=sys.stderr)
    return [trial.row() for trial in trials], [fault for trial in trials for fault in trial.faults]


def tried(
    path: Path,
    requests: Path,
    reads: list[Read],
    attacks: Sequence[str],
    seconds: float,
    within: float,
    strength: float,
) -> Trial:
    """Run the honest clients against a server under these attacks, and return the results."""
    with Served(path) as server, ExitStack() as running:

        def start(script: str, *given: object) -> subprocess.Popen[str]:
            command = [sys.executable, str(HERE / script), str(server.port), *map(str, given)]
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            running.callback(process.kill)
            return process

        attackers = start("attacks.py", seconds, strength, *attacks)
        assert attackers.stdout is not None
        attackers.stdout.readline()  # waits until all attacks are prepared
        clients = [start("honest.py", seconds, RATE, requests) for _ in range(CLIENTS)]
        told = [client.communicate()[0] for client in clients]
        did: dict[str, dict[str, int]] = json.loads(attackers.communicate()[0])
        answers = [json.loads(line) for lines in told for line in lines.splitlines()]
        memory = highest(server.process.pid)
        faults = [f"{one.args[1]} ended with {one.returncode}" for one in (attackers, *clients) if one.returncode]
        faults += [f"{name}: opened no connection" for name, of in did.items() if not of["connections"]]
        code = server.stop()
        log = server.logged()
    if code:
        faults.append(f"the server ended with {code}")
    if "Traceback" in log:
        faults.append(f"the log has a traceback: {log[log.index('Traceback') :][:2000]}")
    if memory > MEMORY:
        faults.append(f"the server took {memory / 2**20:,.0f} MiB")
    return judged(answers, reads, attacks, within, memory, did, faults)


def judged(
    answers: list[tuple[int, float, int | None, str]],
    reads: list[Read],
    attacks: Sequence[str],
    within: float,
    memory: int,
    did: dict[str, dict[str, int]],
    faults: list[str],
) -> Trial:
    """Return the results of the honest requests, with a fault for each wrong answer and for too many late ones."""
    right: list[float] = []
    refused: Counter[str] = Counter()
    for number, seconds, status, answer in answers:
        if status != 200:
            refused[str(status or answer.partition(":")[0])] += 1
        elif same(json.loads(answer)["images"][0], reads[number]):
            right.append(seconds)
        else:
            faults.append(f"another answer than without a server: {answer[:500]}")
    soon = sum(seconds <= within for seconds in right) / max(1, len(answers))
    if soon < ANSWERED:
        faults.append(f"{soon:.1%} of the honest requests were answered within {within:g} s; {ANSWERED:.0%} are wanted")
    p50, p95, p99 = np.quantile(right or [np.nan], (0.5, 0.95, 0.99)).tolist()
    faults = [f"{called(attacks)}: {fault}" for fault in faults]
    return Trial(attacks, len(answers), within, soon, p50, p95, p99, dict(refused), memory, did, faults)


def called(attacks: Sequence[str]) -> str:
    """Return the name of a combination of attacks."""
    return "all together" if len(attacks) > 1 else "".join(attacks) or "none"


def highest(process: int) -> int:
    """Return the peak memory of a process, in bytes."""
    (line,) = (one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def record(rows: list[dict[str, Any]]) -> None:
    """Write results.csv and the table of README.md."""
    write(HERE / "results.csv", rows)
    lines = [
        "| attack | connections | MiB sent | honest requests | answered within 1 s | p50, p95, p99 in ms | server's MiB |"
    ]
    lines.append("|---" * 7 + "|")
    for row in rows:
        cells = [
            row["attack"],
            f"{row['connections']:,}",
            f"{row['sent_mib']:,}",
            f"{row['requests']:,}",
            f"{row['soon']:.2%}",
            f"{row['p50_ms']:.0f}, {row['p95_ms']:.0f}, {row['p99_ms']:.0f}",
            f"{row['memory_mib']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    put(HERE / "README.md", lines)
