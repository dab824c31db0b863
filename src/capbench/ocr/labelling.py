"""From a folder of images to labels: ask the engines, apply the rule, merge what a person said, tell how it went."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import Any

from capbench import images, metrics
from capbench.data.files import Files
from capbench.errors import Mistake, nearest
from capbench.files import replacing
from capbench.ocr.agreement import Decision
from capbench.ocr.asking import Asked, Question, ask, tell
from capbench.ocr.journal import Journal
from capbench.ocr.panel import PERSON, Panel
from capbench.report import disputes
from capbench.runs import provenance
from capbench.settings import build, check
from capbench.text import Alphabet, Codec, Length, Reading, bounds

ANY_LENGTH = (1, 99)


def schema(
    *,
    images: str,
    out: str,
    length: Length | None,
    corrections: str | None,
    gold: str | None,
    prompt: bool,
    alphabet: Alphabet,
    label: Panel,
) -> None:
    """The settings of the verb, by name and type; the check reads this signature."""


def label(settings: dict[str, Any], known: Mapping[str, Mapping[str, Reading]] | None = None) -> str:
    """Write labels.csv and, in a folder beside it, all that led to it; tell the report.

    `known` are readings by engine and file name that need no asking.
    """
    check(settings, schema)
    panel: Panel = build(settings["label"])
    alphabet: Alphabet = build(settings["alphabet"]).known()
    shortest, longest = ANY_LENGTH if settings["length"] is None else bounds(settings["length"], "length")
    out = Path(settings["out"])
    if out.suffix != ".csv":
        raise Mistake(f"out: {out} is no name of a CSV file; give one, such as labels.csv")
    folder = out.with_suffix("")
    files = Files(settings["images"], "images")
    names = files.images
    if not names:
        raise Mistake(f"images: {settings['images']} holds no image; accepted are {', '.join(sorted(images.SUFFIXES))}")
    gold = _read_labels(Path(settings["gold"]), "gold") if settings["gold"] else {}
    codec = Codec(alphabet, shortest, longest, "positions")
    said = _Corrections(folder / "corrections.csv", codec, frozenset(names))
    if settings["corrections"]:
        said.merge(Path(settings["corrections"]))

    def decide(readings: Mapping[str, Reading]) -> Decision:
        return panel.agree.decide(readings, shortest, longest)

    with closing(Journal(folder / "readings.jsonl")) as journal:
        question = Question(files, names, panel.engines, alphabet)
        tell(question, journal, known or {})
        asked = ask(question, journal, lambda readings: bool(decide(readings).label))
    decisions = {name: decide(readings) for name, readings in asked.readings.items()}
    if settings["prompt"]:
        said.prompt_for((files.root / name, name, asked.readings[name]) for name, d in decisions.items() if not d.label)
    decisions |= {
        name: Decision(text, 1.0, (PERSON,), "" if text else "a person left it out")
        for name, text in said.texts.items()
        if name in asked.readings
    }
    _write(out, folder, decisions, asked, panel)
    disputes.page(folder / "disputed.html", files, decisions, asked.readings)
    report = _report(decisions, asked, panel, {name: alphabet.folded(text) for name, text in gold.items()})
    with replacing(folder / "report.json") as file:
        json.dump({"settings": settings, **report, **provenance()}, file, indent=1, ensure_ascii=False)
    return "\n".join([*_told(report), "", f"labels in {out}; what led to them in {folder}/"])


def _read_labels(path: Path, key: str) -> dict[str, str]:
    """Texts by file name from a CSV with the columns filename and label."""
    try:
        table = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        columns = table.fieldnames or []
        for column in ("filename", "label"):
            if column not in columns:
                raise Mistake(f"{path}: has no column {column!r}; {nearest(column, columns)}")
        return {PurePosixPath(row["filename"]).as_posix(): (row["label"] or "").strip() for row in table}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Mistake(f"{key}: {path} cannot be read as a CSV file ({error})") from error


class _Corrections:
    """What a person said: lines are added, and none is ever changed or removed."""

    def __init__(self, path: Path, codec: Codec, names: frozenset[str]) -> None:
        self._path, self._codec, self._names = path, codec, names
        self.texts: dict[str, str] = {}
        if path.exists():
            self._take(path)

    def merge(self, path: Path) -> None:
        """Take another file's corrections and keep them, where there is none yet."""
        before = dict(self.texts)
        self._take(path)
        for name in self.texts.keys() - before.keys():
            self._append(name, self.texts[name])
        self.texts |= before

    def prompt_for(self, disputed: Iterable[tuple[Path, str, Mapping[str, Reading]]]) -> None:
        """Ask for one image after the other; an empty line passes, `-` leaves the image out, an end stops."""
        for path, name, readings in disputed:
            if name in self.texts:
                continue
            told = ", ".join(f"{engine}: {reading.text or '∅'}" for engine, reading in readings.items())
            while True:
                try:
                    text = input(f"{path}  ({told})\ntext, Enter to pass, - to leave out, Ctrl-D to stop: ").strip()
                except EOFError:
                    return
                fault = None if text in ("", "-") else self._codec.fault(text)
                if fault is None:
                    break
                print(f"{text!r} {fault}")
            if text:
                self.texts[name] = "" if text == "-" else self._codec.alphabet.folded(text)
                self._append(name, self.texts[name])

    def _take(self, path: Path) -> None:
        for name, text in _read_labels(path, "corrections").items():
            if name not in self._names:
                raise Mistake(f"{path}: {name!r} is none of the images; {nearest(name, self._names)}")
            fault = self._codec.fault(text) if text else None
            if fault:
                raise Mistake(f"{path}: {name!r} is labelled {text!r}, which {fault}; mend the row")
            self.texts[name] = self._codec.alphabet.folded(text)

    def _append(self, name: str, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(["filename", "label"])
            writer.writerow([name, text])


def _write(out: Path, folder: Path, decisions: Mapping[str, Decision], asked: Asked, panel: Panel) -> None:
    """labels.csv of what was accepted, rejected.csv of the rest with reasons."""
    with replacing(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filename", "label", "confidence", "engines"])
        for name, decision in sorted(decisions.items()):
            if decision.label:
                writer.writerow([name, decision.label, f"{decision.confidence:.6f}", "+".join(decision.engines)])
    with replacing(folder / "rejected.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filename", "reason", *panel.engines])
        rejected = {name: d.reason for name, d in decisions.items() if not d.label} | asked.bad
        for name, reason in sorted(rejected.items()):
            readings = asked.readings.get(name, {})
            writer.writerow([name, reason, *(readings[e].text if e in readings else "" for e in panel.engines)])


def _report(decisions: Mapping[str, Decision], asked: Asked, panel: Panel, gold: Mapping[str, str]) -> dict[str, Any]:
    accepted = {name: d for name, d in decisions.items() if d.label}
    readings = asked.readings
    pairs: Counter[tuple[str, str]] = Counter()
    same: dict[str, float] = {}
    for one, other in combinations(panel.engines, 2):
        both = [(r[one].text, r[other].text) for r in readings.values()]
        same[f"{one}+{other}"] = sum(a == b != "" for a, b in both) / max(1, len(both))
        alike = [(a, b) for a, b in both if len(a) == len(b)]
        for (a, b), count in metrics.confusions([a for a, _ in alike], [b for _, b in alike]).items():
            pairs[min(a, b), max(a, b)] += count
    reasons = Counter(d.reason for d in decisions.values() if not d.label)
    report: dict[str, Any] = {
        "images": len(readings) + len(asked.bad),
        "unreadable": len(asked.bad),
        "accepted": len(accepted),
        "coverage": len(accepted) / max(1, len(readings)),
        "by_person": sum(d.engines == (PERSON,) for d in accepted.values()),
        "agreement": same,
        "disputed_symbols": metrics.most_confused(pairs),
        "rejected": dict(reasons.most_common()),
        "engines": {
            name: {"images_per_second": 1 / statistics.median(asked.seconds[name])} if asked.seconds[name] else {}
            for name in panel.engines
        },
    }
    known = [name for name in readings if name in gold]
    if known:
        right = {name: d.label for name, d in accepted.items() if name in gold}
        report["gold"] = _against({name: gold[name] for name in known}, right)
        for engine in panel.engines:
            texts = {name: readings[name][engine].text for name in known if readings[name][engine].text}
            report["engines"][engine] |= _against({name: gold[name] for name in known}, texts)
    return report


def _against(gold: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, float]:
    """Coverage, precision and recall of texts, by captcha and by character, against all of gold."""
    names = list(texts)
    right = sum(texts[name] == gold[name] for name in names)
    characters = sum(
        a == b
        for name in names
        if len(texts[name]) == len(gold[name])
        for a, b in zip(texts[name], gold[name], strict=True)
    )
    return {
        "images": len(gold),
        "coverage": len(names) / len(gold),
        "precision": right / max(1, len(names)),
        "recall": right / len(gold),
        "character_precision": characters / max(1, sum(len(text) for text in texts.values())),
        "character_recall": characters / sum(len(text) for text in gold.values()),
    }


def _told(report: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{report['accepted']:,} of {report['images']:,} images labelled ({report['coverage']:.3f}); "
        f"{report['unreadable']:,} are no images, {report['by_person']:,} labelled by a person",
    ]
    gold = "gold" in report
    head = f"{'':16}{'images/s':>10}" + (f"{'coverage':>10}{'precision':>11}{'of symbols':>12}" if gold else "")
    rows = [(name, row) for name, row in report["engines"].items()] + ([("agreement", report["gold"])] if gold else [])
    lines += ["", head]
    for name, row in rows:
        speed = f"{row['images_per_second']:.0f}" if "images_per_second" in row else ""
        cells = f"{row['coverage']:>10.3f}{row['precision']:>11.4f}{row['character_precision']:>12.4f}" if gold else ""
        lines.append(f"{name:16}{speed:>10}{cells}")
    if report["agreement"]:
        lines += ["", "same text: " + ", ".join(f"{pair} {share:.3f}" for pair, share in report["agreement"].items())]
    if report["disputed_symbols"]:
        lines.append("most disputed: " + ", ".join(f"{a}/{b} ×{n}" for a, b, n in report["disputed_symbols"][:8]))
    lines += [f"rejected, {reason}: {count:,}" for reason, count in report["rejected"].items()]
    return lines
