"""Journal of readings: an append-only file, so that no engine reads an image twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from capbench.errors import Mistake
from capbench.text import Reading
from capbench.utils.locks import claim


class Answer(NamedTuple):
    """Reading of one image by one engine, or the reason why there is none."""

    image: str
    """Digest of the file's content."""
    engine: str
    """Hash of the engine's settings and version, and of the alphabet."""
    reading: Reading
    seconds: float
    fault: str


class Journal:
    """All answers so far, by image and engine, in memory and in the file; locked against other processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[tuple[str, str], Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        claim(self._file, f"out: another labelling is writing {path}; wait until it ends")
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1  # a last line without an end was cut off by a crash
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                self._remember(_parsed(json.loads(line)))
            except ValueError as error:
                raise Mistake(f"{path}:{number}: is damaged; remove the line, and its image is read again") from error
        self._file.truncate(whole)

    def add(self, answers: Iterable[Answer]) -> None:
        """Append answers to the file."""
        for answer in answers:
            self._file.write(json.dumps(_plain(answer), ensure_ascii=False).encode() + b"\n")
            self._remember(answer)
        self._file.flush()  # the operating system has the bytes now: a killed process loses nothing

    def close(self) -> None:
        """Close the file, which ends the lock."""
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
