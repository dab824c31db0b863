"""Verb predict: readings of any number of images by a run.

While it runs, answers are appended to a file beside the output, one line each, with a digest of the image's content. A
restarted predict reuses the answers of images that are still asked for. When all answers are known, they are written to
the output in order.
"""

from __future__ import annotations

import csv
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from capbench.data.store import CHUNK, WORTH_A_POOL
from capbench.decoding.search import Search
from capbench.decoding.sums import value_of
from capbench.decoding.told import Told
from capbench.errors import Mistake
from capbench.images import Frames
from capbench.images.folder import image_names
from capbench.inference.preprocess import FilePreprocessing, Preprocessed, preprocess_files, start_worker
from capbench.inference.reader import Reader
from capbench.runs import RunFolder
from capbench.settings import check
from capbench.text import Alphabet, Length, Reading
from capbench.utils import processes
from capbench.utils.atomic import replacing
from capbench.utils.locks import claim
from capbench.utils.portable import cores

NOTHING = Reading("", 0.0, ())

Answer = dict[str, Any]


def schema(
    *,
    run: str,
    images: str,
    out: str,
    alphabet: Alphabet | None = None,
    length: Length | None = None,
    solve: bool = False,
    frames: Frames | None = None,
) -> None:
    """Names and types of the verb's settings; `check` reads this signature."""


def run(settings: dict[str, Any]) -> str:
    """Read all images with the run, write the answers, and return a summary line."""
    check(settings, schema)
    out, folder = Path(settings["out"]), RunFolder.named(settings["run"])
    if out.suffix not in WRITERS:
        raise Mistake(f"out: {out} does not name a file of answers; end the name in {' or '.join(WRITERS)}")
    if out.is_dir():
        raise Mistake(f"out: {out} is a folder; name a file")
    reader = Reader.of(folder)
    told = Told.of(settings.get("alphabet"), settings.get("length"))
    search, preprocess = reader.search(told), reader.preprocess.seeing(settings.get("frames"))
    files, names = image_names(settings["images"], "images")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _Kept.beside(out, _digest(folder, told, settings.get("frames"))) as kept:
            wanted = FilePreprocessing(files, preprocess, frozenset(kept.places))
            places, before = array("Q"), 0
            for answers in _answers(reader, search, wanted, names):
                places.extend(kept.take(answers))
                before += sum(answer is None for _, answer in answers)
            found: Iterable[Answer] = map(kept.answer, names, places)
            if settings.get("solve"):
                found = map(_with_value, found)
            with replacing(out) as file:
                bad = WRITERS[out.suffix](file, found)
    except OSError as error:
        raise Mistake(
            f"out: {out} cannot be written ({error.strerror}); finished readings are kept, start again"
        ) from error
    again = f", {before:,} of them before" if before else ""
    failed = f"; {bad:,} could not be read, see their rows" if bad else ""
    return f"{len(names):,} images{again}: answers in {out}{failed}"


class _Kept:
    """Answers so far, keyed by image content; independent of file names and of the other images."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self.places: dict[str, int] = {}
        """File offset of each image's answer, in bytes, by the digest of the image's content."""
        file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):  # incomplete: the process was stopped while writing it
                break
            self._remember(json.loads(line)["image"], line)
        file.truncate(self._end)

    @classmethod
    @contextmanager
    def beside(cls, out: Path, digest: str) -> Iterator[_Kept]:
        """Open and lock the answers of what `digest` stands for; delete their file unless an exception occurs."""
        path = out.with_name(f".{out.name}.{digest[:16]}.part")
        with path.open("a+b") as file:
            claim(file, f"out: another predict is writing {path}; wait until it ends")
            yield cls(file)
            path.unlink()

    def take(self, answers: Iterable[tuple[str, Answer | None]]) -> list[int]:
        """Store new answers, each with its image's digest; return the file offset of each answer, old or new."""
        places = []
        for digest, answer in answers:
            if answer is None:
                places.append(self.places[digest])
            else:
                places.append(self._end)
                line = json.dumps({"image": digest} | answer).encode() + b"\n"
                self._file.write(line)
                self._remember(digest, line)
        self._file.flush()  # handed to the operating system, so that a killed process loses nothing
        return places

    def answer(self, name: str, place: int) -> Answer:
        """Return the answer at offset `place`, as that of the file `name`."""
        self._file.seek(place)
        answer = json.loads(self._file.readline())
        del answer["image"]
        return {"filename": name} | answer

    def _remember(self, digest: str, line: bytes) -> None:
        if digest:  # unreadable files have no digest and are tried again
            self.places[digest] = self._end
        self._end += len(line)


def _digest(folder: RunFolder, told: Told, frames: Frames | None) -> str:
    """Return a digest of all that decides the answers besides the images."""
    run = folder.fingerprint()
    return hashlib.sha256(f"{run} {told} {frames}".encode()).hexdigest() if told or frames else run


def _answers(
    reader: Reader, search: Search | None, preprocess: FilePreprocessing, names: Sequence[str]
) -> Iterator[list[tuple[str, Answer | None]]]:
    """Yield a list of digests and answers for each chunk of images, in order; answers are None for digests known before.

    With many images, helper processes decode the next images while the network reads.
    """
    size = min(CHUNK, reader.batch)  # large views take memory before the network does
    chunks = [names[start : start + size] for start in range(0, len(names), size)]
    if len(names) < WORTH_A_POOL:
        preprocessed: Iterable[Preprocessed] = map(preprocess, chunks)
    else:
        preprocessed = processes.in_order(preprocess_files, chunks, cores(), start_worker, (preprocess,))
    with tqdm(desc="reading", total=len(names), unit="img", leave=False, delay=0.5) as bar:
        for chunk, seen in zip(chunks, preprocessed, strict=True):
            readings = iter(()) if seen.views is None else reader.read_views(seen.views, search)
            answers: list[tuple[str, Answer | None]] = []
            for name, digest in zip(chunk, seen.digests, strict=True):
                if digest in preprocess.known:
                    answers.append((digest, None))
                elif name in seen.faults:
                    answers.append((digest, _answer(NOTHING, seen.faults[name])))
                else:
                    answers.append((digest, _answer(next(readings), "")))
            yield answers
            bar.update(len(chunk))


def _answer(reading: Reading, error: str) -> Answer:
    return {
        "text": reading.text,
        "confidence": round(reading.confidence, 6),
        "characters": [round(sure, 6) for sure in reading.characters],
        "error": error,
    }


def _with_value(answer: Answer) -> Answer:
    """Return the answer with the value of its text as a sum; an image that could not be read has none."""
    value, error = (None, None) if answer["error"] else value_of(answer["text"])
    return answer | {"value": value or "", "value_error": error or ""}


def _write_csv(file: IO[str], answers: Iterable[Answer]) -> int:
    rest = iter(answers)
    first = next(rest)  # there is at least one image
    columns = [column for column in first if column != "characters"]
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    bad = 0
    for answer in chain([first], rest):
        writer.writerow(answer | {"confidence": f"{answer['confidence']:.6f}"})
        bad += bool(answer["error"])
    return bad


def _write_lines(file: IO[str], answers: Iterable[Answer]) -> int:
    bad = 0
    for answer in answers:
        file.write(json.dumps(answer, ensure_ascii=False) + "\n")
        bad += bool(answer["error"])
    return bad


WRITERS = {".csv": _write_csv, ".jsonl": _write_lines}
"""Functions by file suffix: write the answers, return the number of images that could not be read."""
