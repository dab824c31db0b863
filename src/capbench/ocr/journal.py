"""Answers as they come, one line each in a file that only grows: what is in it is never asked for again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from capbench.text import Reading


class Answer(NamedTuple):
    """What one engine made of one image: a reading, or why there is none."""

    image: str
    """of the file's content, so that a renamed image, or a second copy, is not read again"""
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
        whole = 0
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1  # a line without an end was being written when all stopped
            for line in content[:whole].splitlines():
                self._remember(_parsed(json.loads(line)))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
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
