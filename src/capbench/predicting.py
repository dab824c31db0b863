"""The verb predict: what a trained run reads in any number of images.

Answers are kept as they come, a line each, in a file beside the wanted one. It takes that one's place when all are
there; until then whoever starts anew goes on with it.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from capbench import processes, sight
from capbench.data.files import Files, image_names
from capbench.data.store import CHUNK, WORTH_A_POOL
from capbench.errors import Mistake
from capbench.files import replacing
from capbench.reader import Reader
from capbench.runs import RunFolder
from capbench.settings import check
from capbench.sight import Eyes, Seen
from capbench.text import Reading

COLUMNS = ("filename", "text", "confidence", "error")
NOTHING = Reading("", 0.0, ())


def schema(*, run: str, images: str, out: str) -> None:
    """The settings of the verb, by name and type; the check reads this signature."""


def predict(settings: dict[str, Any]) -> str:
    """Read all images with the run, write down what came of it, and tell how it went."""
    check(settings, schema)
    out, folder = Path(settings["out"]), RunFolder(Path(settings["run"]))
    if out.suffix not in WRITERS:
        raise Mistake(f"out: {out} is no name for answers; end it in {' or '.join(WRITERS)}")
    reader = Reader.of(folder)
    files, names = image_names(settings["images"], "images")
    # Answers of another run, or to other images, are not to be gone on with.
    key = hashlib.sha256(repr((folder.weights.read_bytes(), folder.settings(), files.root.resolve())).encode())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _kept(out.with_name(f".{out.name}.{key.hexdigest()[:16]}.part")) as kept:
            done = {line["filename"] for line in _lines(kept)}
            missing = [name for name in names if name not in done]
            for answers in _answers(reader, files, missing, len(names)):
                kept.writelines(json.dumps(answer).encode() + b"\n" for answer in answers)
                kept.flush()  # with the system from here on: a killed process loses nothing
            with replacing(out) as file:
                bad = WRITERS[out.suffix](file, _lines(kept))
    except OSError as error:
        raise Mistake(f"out: {out} cannot be written ({error.strerror}); what was read is kept, start again") from error
    except BrokenProcessPool as error:
        raise Mistake("a helper process came to a sudden end; what was read is kept, start again") from error
    before = f", {len(names) - len(missing):,} of them before" if len(missing) < len(names) else ""
    failed = f"; {bad:,} could not be read, their rows say why" if bad else ""
    return f"{len(names):,} images{before}: answers in {out}{failed}"


@contextmanager
def _kept(path: Path) -> Iterator[IO[bytes]]:
    """The answers so far, to read and to add to; gone when all went well."""
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Mistake(f"out: another predict is at work on {path}; wait for its end") from error
        # A line without an end was being written when all stopped.
        file.seek(0)
        file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
        yield file
        path.unlink()


def _lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    file.seek(0)
    yield from map(json.loads, file)


def _answers(reader: Reader, files: Files, names: Sequence[str], total: int) -> Iterator[list[dict[str, Any]]]:
    """Some images' answers after the other. Helpers decode the next images while the network reads."""
    chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    if len(names) < WORTH_A_POOL:
        eyes = Eyes(files, reader.sight)
        looked: Iterable[Seen] = map(eyes.look, chunks)
    else:
        helpers = len(os.sched_getaffinity(0))
        looked = processes.in_order(sight.look, chunks, helpers, sight.begin, (files, reader.sight))
    with tqdm(desc="reading", total=total, initial=total - len(names), unit="img", leave=False, delay=0.5) as bar:
        for chunk, seen in zip(chunks, looked, strict=True):
            readings = iter(()) if seen.views is None else reader.read_views(seen.views)
            yield [
                _answer(name, NOTHING, seen.faults[name]) if name in seen.faults else _answer(name, next(readings), "")
                for name in chunk
            ]
            bar.update(len(chunk))


def _answer(name: str, reading: Reading, error: str) -> dict[str, Any]:
    return {
        "filename": name,
        "text": reading.text,
        "confidence": round(reading.confidence, 6),
        "characters": [round(sure, 6) for sure in reading.characters],
        "error": error,
    }


def _write_csv(file: IO[str], answers: Iterable[dict[str, Any]]) -> int:
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    bad = 0
    for answer in answers:
        writer.writerow(answer | {"confidence": f"{answer['confidence']:.6f}"})
        bad += bool(answer["error"])
    return bad


def _write_lines(file: IO[str], answers: Iterable[dict[str, Any]]) -> int:
    bad = 0
    for answer in answers:
        file.write(json.dumps(answer, ensure_ascii=False) + "\n")
        bad += bool(answer["error"])
    return bad


WRITERS = {".csv": _write_csv, ".jsonl": _write_lines}
"""By the ending of the file: writes the answers, tells how many are none."""
