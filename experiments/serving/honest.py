"""Honest client, in a process of its own: python experiments/serving/honest.py PORT SECONDS RATE FOLDER.

It sends the files of FOLDER, each a whole request, at RATE per second, one at a time, each in a connection of its own.
In the end it prints a line of JSON for each request: number of the file, seconds from when the request was due, status,
and response. A request is due even while the one before it waits for a response, so a slow server makes later requests
late, too.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import socket
import sys
import time
from pathlib import Path

PATIENCE = 30  # seconds to wait for a response


def main(port: int, seconds: float, rate: float, folder: Path) -> None:
    """Send the requests and print the results."""
    requests = [(int(path.name), path.read_bytes()) for path in sorted(folder.iterdir())]
    random.shuffle(requests)
    start = (
        time.monotonic() + random.random() / rate
    )  # a random start, since clients that all send at the same moment would wait for each other
    answers = []
    for turn, (number, content) in enumerate(itertools.cycle(requests)):
        due = start + turn / rate
        if due >= start + seconds or time.monotonic() > start + seconds + PATIENCE:
            break
        time.sleep(max(0.0, due - time.monotonic()))
        status, answer = ask(port, content)
        answers.append([number, time.monotonic() - due, status, answer])
    for one in answers:
        print(json.dumps(one))


def ask(port: int, content: bytes) -> tuple[int | None, str]:
    """Return status and body of a response, or None and the reason where there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
            line.sendall(content)
            answer = http.client.HTTPResponse(line)
            answer.begin()
            return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
