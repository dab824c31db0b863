"""Reading of all images by all engines in several processes; resumes where it was stopped."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
from tqdm import tqdm

from capbench import images
from capbench.data.corrections import digest_of
from capbench.images import Exif, Frames
from capbench.images.folder import Files
from capbench.label.engines.base import Engine, Read, Unread
from capbench.label.journal import Answer, Journal
from capbench.text import Alphabet, Reading
from capbench.utils import processes
from capbench.utils.portable import cores

CHUNK = 8  # images in one task of a worker process
NOTHING = Reading("", 0.0, ())


@dataclass(frozen=True)
class Question:
    """Images to read, the engines that read them, and the alphabet of the answers."""

    files: Files
    names: Sequence[str]
    engines: Mapping[str, Engine]
    alphabet: Alphabet

    def keys(self) -> dict[str, str]:
        """Return for each engine a hash of everything that decides its answers: settings, version and alphabet."""
        return {name: _hash(repr((engine, engine.version, self.alphabet))) for name, engine in self.engines.items()}


class Answers(NamedTuple):
    """Readings of all readable images, and the reasons for missing ones."""

    readings: dict[str, dict[str, Reading]]
    """Readings by file name, then by engine."""
    faults: dict[str, dict[str, str]]
    """Reasons why an engine has no answer, by file name, then by engine."""
    seconds: dict[str, list[float]]
    """Seconds of each answer, by engine; known readings that took no call are left out."""
    bad: dict[str, str]
    """Reasons why a file cannot be read as an image, by file name."""


class Task(NamedTuple):
    """One image and the engines that have not read it yet."""

    digest: str
    name: str
    engines: tuple[str, ...]


def ask(question: Question, journal: Journal, agree: Callable[[Mapping[str, Reading]], bool]) -> Answers:
    """Return every engine's reading of every image, from the journal where it is there already.

    Files with the same bytes count as one image. New answers are added to the journal as they come; `agree` says
    whether the readings of one image make a label, for the progress bar.
    """
    keys = question.keys()
    digests, bad = _digests(question)
    once: dict[str, str] = {}
    for name, digest in digests.items():
        once.setdefault(digest, name)
    shared = [name for name, engine in question.engines.items() if not engine.one_process]
    alone = [name for name, engine in question.engines.items() if engine.one_process]
    unreadable: dict[str, str] = {}
    for group in [shared, *([name] for name in alone)]:
        tasks = [
            Task(digest, name, missing)
            for digest, name in once.items()
            if digest not in unreadable
            and (missing := tuple(e for e in group if (digest, keys[e]) not in journal.answers))
        ]
        workers = 1 if group is not shared else min(cores(), -(-len(tasks) // CHUNK))
        with tqdm(
            desc="labelling", total=len(once), initial=len(once) - len(tasks), unit="img", leave=False, delay=0.5
        ) as bar:
            tally = _Tally(keys, agree)
            for answers, refused in _answers(question, keys, tasks, workers):
                journal.add(answers)
                unreadable |= refused
                tally.count(journal, answers)
                bar.set_postfix_str(tally.summary, refresh=False)
                bar.update(len({answer.image for answer in answers}) + len(refused))
    bad |= {name: unreadable[digest] for name, digest in digests.items() if digest in unreadable}
    found = {
        name: {e: journal.answers[digest, key] for e, key in keys.items()}
        for name, digest in digests.items()
        if digest not in unreadable
    }
    return Answers(
        {name: {e: answer.reading for e, answer in answers.items()} for name, answers in found.items()},
        {name: {e: answer.fault for e, answer in answers.items() if answer.fault} for name, answers in found.items()},
        {e: [s for d in once if d not in unreadable and (s := journal.answers[d, k].seconds)] for e, k in keys.items()},
        bad,
    )


def add_known(question: Question, journal: Journal, known: Mapping[str, Mapping[str, Reading]]) -> None:
    """Add known readings to the journal, by engine and file name, without running an engine."""
    keys = question.keys()
    digests, _ = _digests(question) if known else ({}, {})
    journal.add(
        Answer(digests[name], keys[engine], reading, 0.0, "")
        for engine, readings in known.items()
        for name, reading in readings.items()
        if name in digests and (digests[name], keys[engine]) not in journal.answers
    )


@dataclass
class _Tally:
    """Count of the images that all engines have read, and of those that they agree on."""

    keys: Mapping[str, str]
    agree: Callable[[Mapping[str, Reading]], bool]
    agreed: int = 0
    seen: set[str] = field(default_factory=set)

    def count(self, journal: Journal, answers: Sequence[Answer]) -> None:
        for image in {answer.image for answer in answers} - self.seen:
            known = {e: journal.answers.get((image, key)) for e, key in self.keys.items()}
            readings = {e: answer.reading for e, answer in known.items() if answer is not None}
            if len(readings) == len(self.keys):
                self.seen.add(image)
                self.agreed += self.agree(readings)

    @property
    def summary(self) -> str:
        return f"agreed={self.agreed / len(self.seen):.3f}" if self.seen else ""


def _digests(question: Question) -> tuple[dict[str, str], dict[str, str]]:
    """Return the digest of each file's content by name, and by name the reasons why other files cannot be read."""
    digests, bad = {}, {}
    for name in question.names:
        try:
            digests[name] = digest_of(question.files.read(name))
        except images.BadImage as error:
            bad[name] = str(error)
    return digests, bad


Given = tuple[list[Answer], dict[str, str]]
"""Answers to a chunk of tasks, and by digest the reasons why images cannot be read."""


def _answers(question: Question, keys: Mapping[str, str], tasks: list[Task], workers: int) -> Iterator[Given]:
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    if workers < 2:
        worker = _Worker(question, keys)
        yield from map(worker.answer, chunks)
        return
    yield from processes.in_order(_answer, chunks, workers, _start, (question, keys))


class _Opened(NamedTuple):
    read: Read
    decoding: tuple[Exif, Frames]


class _Worker:
    """Worker that opens each engine once, when the first image needs it."""

    def __init__(self, question: Question, keys: Mapping[str, str]) -> None:
        self._question = question
        self._keys = keys
        self._all_opened: dict[str, _Opened] = {}

    def answer(self, tasks: Sequence[Task]) -> Given:
        answers, refused = [], {}
        for task in tasks:
            opened = {engine: self._opened(engine) for engine in task.engines}
            try:
                content = self._question.files.read(task.name)
                if digest_of(content) != task.digest:
                    raise images.BadImage("was changed while it was read; run label again")
                decodings = {each.decoding for each in opened.values()}
                pictures = {(exif, frames): images.decode(content, exif, frames=frames) for exif, frames in decodings}
            except images.BadImage as error:
                refused[task.digest] = str(error)
                continue
            for engine, (read, decoding) in opened.items():
                start = time.perf_counter()
                reading, fault = NOTHING, ""
                try:
                    reading = read(pictures[decoding])
                except Unread as reason:
                    fault = str(reason)
                answers.append(Answer(task.digest, self._keys[engine], reading, time.perf_counter() - start, fault))
        return answers, refused

    def _opened(self, name: str) -> _Opened:
        if name not in self._all_opened:
            engine = self._question.engines[name]
            self._all_opened[name] = _Opened(engine.open(self._question.alphabet), (engine.exif, engine.frames))
        return self._all_opened[name]


_worker: _Worker


def _start(question: Question, keys: Mapping[str, str]) -> None:
    """Set up a new worker process."""
    global _worker
    cv2.setNumThreads(1)
    _worker = _Worker(question, keys)


def _answer(tasks: Sequence[Task]) -> Given:
    return _worker.answer(tasks)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
