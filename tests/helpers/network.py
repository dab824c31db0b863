"""Recorder of all network access of a command: packets and Python calls, in a network namespace of its own.

`python -m tests.helpers.network SCRATCH COMMAND …`, started by `unshare`, routes all addresses to the namespace's
loopback device. So packets of native code are recorded as well, and none of them arrives anywhere.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

from tests.helpers.repository import ROOT, python_path
from tests.helpers.waiting import DEADLINE

UNSHARE = ("unshare", "--map-root-user", "--net")
EVERYTHING = 3  # ETH_P_ALL of linux/if_ether.h
SET_FLAGS, ADD_ROUTE, UP, LOOPBACK, GOES_OUT = 0x8914, 0x890B, 1, 8, 4  # of linux/sockios.h, if.h, if_packet.h
QUIET_AFTER = 0.5  # seconds without a packet that end the recording
NAMES = 53  # port of DNS servers

SITE = """
import os, sys

def _seen(event, given):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = given[1]
        if not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1"):
            return
        told = f"{event} {address}"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if given[0] in (None, "", "127.0.0.1", "::1", "localhost"):
            return
        told = f"{event} {given[0]!r}"
    else:
        return
    file = os.open(os.environ["NETWORK_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (told + "\\n").encode())
    os.close(file)

sys.addaudithook(_seen)
"""


def missing() -> str | None:
    """Return the reason why no network namespace can be made here, or None."""
    if shutil.which("unshare") is None:
        return "unshare is not installed (util-linux)"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    return f"no network namespace can be made here ({tried.stderr.strip()})" if tried.returncode else None


def reached(scratch: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Return a finished command, and the hosts other than this machine that it looked up or sent anything to."""
    told = scratch / "told.json"
    watched = [*UNSHARE, sys.executable, "-m", "tests.helpers.network", str(scratch), *command]
    done = subprocess.run(
        watched,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "PYTHONPATH": python_path(ROOT)},
    )
    assert told.exists(), done.stderr
    return done, json.loads(told.read_text())


def main(scratch: Path, command: Sequence[str]) -> int:
    """Run a command in this namespace, write the accesses to told.json, and return its exit code."""
    (scratch / "sitecustomize.py").write_text(SITE)
    calls = scratch / "calls"
    with _listening() as wire:
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": python_path(scratch), "NETWORK_CALLS": str(calls)}, check=False
        )
        sent = dict.fromkeys(_sent(wire))
    called = dict.fromkeys(calls.read_text().splitlines() if calls.exists() else [])
    (scratch / "told.json").write_text(json.dumps([*sent, *called]))
    return done.returncode


def _listening() -> socket.socket:
    """Return a socket that receives all packets sent in this namespace from now on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        fcntl.ioctl(plain, SET_FLAGS, struct.pack("16sH22x", b"lo", UP | LOOPBACK))
        device = ctypes.create_string_buffer(b"lo")
        anywhere = struct.pack("HH4s8x", socket.AF_INET, 0, bytes(4))
        route = struct.pack(
            "L16s16s16sHhLPhPLLH", 0, *(anywhere,) * 3, UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0
        )
        fcntl.ioctl(plain, ADD_ROUTE, route.ljust(128, b"\0"))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    wire.bind(("lo", 0))
    return wire


def _sent(wire: socket.socket) -> Iterator[str]:
    """Yield the receivers of packets other than this machine, and the names of DNS look-ups."""
    wire.settimeout(QUIET_AFTER)
    while True:
        try:
            packet, (_, _, direction, *_) = wire.recvfrom(1 << 16)
        except TimeoutError:
            return
        if direction != GOES_OUT:
            continue
        if packet[0] >> 4 == 4:
            protocol, target, rest = packet[9], ip_address(packet[16:20]), packet[(packet[0] & 15) * 4 :]
        else:
            protocol, target, rest = packet[6], ip_address(packet[24:40]), packet[40:]
        port = struct.unpack("!H", rest[2:4])[0] if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP) else None
        asked = f", who is asked for {_name(rest)}" if port == NAMES and protocol == socket.IPPROTO_UDP else ""
        if not target.is_loopback or port == NAMES:
            yield f"packet of protocol {protocol} to {target} port {port}{asked}"


def _name(datagram: bytes) -> str:
    """Return the name in a DNS query: labels, each after its length, behind a UDP and a DNS header."""
    parts, at = [], 8 + 12
    while at < len(datagram) and (length := datagram[at]):
        parts.append(datagram[at + 1 : at + 1 + length].decode(errors="replace"))
        at += 1 + length
    return ".".join(parts)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
