"""SLURM cluster of two nodes on this machine for a test, with daemons, ports and folders of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.helpers.waiting import wait_until

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
CREDENTIAL_SECONDS = 5  # lifetime of a credential, which a requeued job waits for; SLURM's minimum
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire={expire}
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
MpiDefault=none
KillWait=10
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=tests Nodes=ALL Default=YES State=UP
"""


def missing() -> str | None:
    """Return the reason why no cluster can run on this machine, or None."""
    if os.geteuid():
        return "SLURM's daemons want root"
    absent = [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]
    return f"{', '.join(absent)} not installed: make system installs SLURM" if absent else None


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """Yield the environment in which SLURM's commands reach the cluster."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, because the path of a socket is limited
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "MASTER_ADDR": "127.0.0.1"}
    environment.pop("LOCAL_RANK", None)  # left over from an earlier test
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(folder=folder, ports=_free_ports(3), expire=CREDENTIAL_SECONDS)
    )
    for name in ("state", *NODES):
        (folder / name).mkdir()
    key = folder / "key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        stack.callback(_kill_what_is_left, environment["SLURM_CONF"])
        of_munge = {"key": "key-file", "munge": "socket", "seed": "seed-file", "munged.pid": "pid-file"}
        commands = [
            ["munged", "--foreground", "--force", *(f"--{what}={folder / name}" for name, what in of_munge.items())],
            ["slurmctld", "-D", "-i"],
            *(["slurmd", "-D", "-N", node] for node in NODES),
        ]
        daemons = []
        for command in commands:
            said = stack.enter_context((folder / f"{command[0]}.out").open("ab"))
            daemon = subprocess.Popen(command, env=environment, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
            stack.callback(_stop, daemon)
            daemons.append(daemon)
            if command[0] == "munged":
                _await((folder / "munge").exists, "the socket of munged", daemons, folder)
        _await(lambda: _states(environment) == ["idle"] * len(NODES), "SLURM's idle nodes", daemons, folder)
        yield environment


def _states(environment: dict[str, str]) -> list[str]:
    asked = ["sinfo", "--noheader", "--Node", "--format=%T"]
    return subprocess.run(asked, env=environment, capture_output=True, text=True).stdout.split()


def _await(ready: Callable[[], bool], what: str, daemons: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait for what the daemons should do; fail with the ends of their logs."""

    def ready_or_failed() -> bool:
        assert all(daemon.poll() is None for daemon in daemons), f"{what}: a daemon of SLURM has ended"
        return ready()

    try:
        wait_until(ready_or_failed, what)
    except AssertionError as error:
        for log in sorted(folder.glob("*.out")):
            error.add_note(f"{log.name}:\n{log.read_text()[-2000:]}")
        raise


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _kill_what_is_left(configuration: str) -> None:
    """Kill jobs and job steps that outlived the daemons; the configuration in their environment identifies them."""
    ours = f"SLURM_CONF={configuration}\0".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if ours in path.read_bytes():
                os.kill(int(path.parent.name), 9)
