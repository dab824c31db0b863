"""Journal of readings: a file that only grows, so that nothing is read twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from capbench.errors import Mistake
from capbench.text import Reading
from capbench.utils.locks import claim


def digest_of(content: bytes) -> str:
    """An image's address: of the file's content, so that a renamed image, or a second copy, is the same one."""
    return hashlib.sha256(content).hexdigest()[:32]


class Answer(NamedTuple):
    """What one engine made of one image: a reading, or why there is none."""

    image: str
    """the digest of the file's content"""
    engine: str
    """of the engine's settings and version"""
    reading: Reading
    seconds: float
    fault: str


class Journal:
    """Every answer that was given, by image and engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[tuple[str, str], Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        claim(self._file, f"out: another label is at work on {path}; wait for its end")
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1  # a line without an end was being written when all stopped
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                self._remember(_parsed(json.loads(line)))
            except ValueError as error:
                raise Mistake(f"{path}:{number}: is damaged; remove the line, what it held is read again") from error
        self._file.truncate(whole)

    def add(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self._file.write(json.dumps(_plain(answer), ensure_ascii=False).encode() + b"\n")
            self._remember(answer)
        self._file.flush()  # with the system from here on: a killed process loses nothing

    def close(self) -> None:
        self._file.close()

    def _remember(self, answer: Answer) -> None:
        self.answers[answer.image, answer.engine] = answer


def _plain(answer: Answer) -> dict[str, object]:
    reading = answer.reading
    return {
        "image": answer.image,
        "engine": answer.engine,
        "text": reading.text,
        "confidence": round(reading.confidence, 6),
        "characters": [round(sure, 6) for sure in reading.characters],
        "seconds": round(answer.seconds, 6),
        "fault": answer.fault,
    }


def _parsed(line: dict) -> Answer:
    reading = Reading(line["text"], line["confidence"], tuple(line["characters"]))
    return Answer(line["image"], line["engine"], reading, line["seconds"], line["fault"])
