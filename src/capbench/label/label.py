"""The verb label: write labels and a report for a folder of images."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

from capbench import images, metrics
from capbench.errors import Mistake, lines
from capbench.images.folder import Files
from capbench.label import disputes
from capbench.label.agreement import Decision
from capbench.label.asking import Answers, Question, add_known, ask
from capbench.label.corrections import Corrections, read_gold
from capbench.label.journal import Journal
from capbench.label.panel import PERSON, Panel
from capbench.runs import provenance
from capbench.settings import build, check
from capbench.text import Alphabet, Codec, Length, Reading, bounds
from capbench.utils.atomic import replacing

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
    """Declare the settings of the verb by name and type; `check` reads this signature."""


def run(settings: dict[str, Any], known: Mapping[str, Mapping[str, Reading]] | None = None) -> str:
    """Write labels.csv, and a folder beside it with everything that led to the labels; return the report as text.

    `known` are readings by engine and file name that need no call of an engine.
    """
    check(settings, schema)
    panel: Panel = build(settings["label"])
    alphabet: Alphabet = build(settings["alphabet"]).known()
    shortest, longest = ANY_LENGTH if settings["length"] is None else bounds(settings["length"], "length")
    out = Path(settings["out"])
    if out.suffix != ".csv" or out.is_dir():
        raise Mistake(f"out: {out} is not the name of a CSV file; give one, such as labels.csv")
    files = Files(settings["images"], "images")
    names = files.images
    if not names:
        raise Mistake(f"images: {settings['images']} holds no image; accepted are {', '.join(sorted(images.SUFFIXES))}")
    codec = Codec(alphabet, shortest, longest, "positions")
    gold = read_gold(Path(settings["gold"]), codec, names) if settings["gold"] else {}
    try:
        with closing(
            Journal(out.with_suffix("") / "readings.jsonl")
        ) as journal:  # opened first, as it locks the folder against other labellings
            said = Corrections(out.with_suffix("") / "corrections.csv", codec, files)
            if settings["corrections"]:
                said.merge(Path(settings["corrections"]))
            question = Question(files, names, panel.engines, alphabet)
            report = _labelled(settings, question, panel, codec, said, gold, known or {}, journal)
    except OSError as error:
        raise Mistake(
            f"out: {out} cannot be written ({error.strerror}); what was read is kept: run label again"
        ) from error
    return lines(
        [*_summary(report), *said.notices, "", f"labels: {out}; report and all answers: {out.with_suffix('')}/"]
    )


def _labelled(
    settings: dict[str, Any],
    question: Question,
    panel: Panel,
    codec: Codec,
    said: Corrections,
    gold: Mapping[str, str],
    known: Mapping[str, Mapping[str, Reading]],
    journal: Journal,
) -> dict[str, Any]:
    """Read the images, decide on their labels, write all files, and return the report."""
    out, folder = Path(settings["out"]), Path(settings["out"]).with_suffix("")

    def decide(readings: Mapping[str, Reading]) -> Decision:
        return panel.agree.decide(readings, codec.shortest, codec.longest)

    add_known(question, journal, known)
    asked = ask(question, journal, lambda readings: bool(decide(readings).label))
    agreed = {name: decide(readings) for name, readings in asked.readings.items()}
    if settings["prompt"]:
        disputed = [name for name, decision in agreed.items() if not decision.label]
        said.prompt_for((question.files.root / name, name, asked.readings[name]) for name in disputed)
    decisions = agreed | {
        name: Decision(text, 1.0, (PERSON,), "" if text else "a person left it out")
        for name, text in said.texts.items()
        if name in asked.readings
    }
    _write(out, folder, decisions, asked, panel)
    disputes.page(folder / "disputed.html", question.files, decisions, asked.readings)
    report = _report(agreed, decisions, asked, panel, gold)
    with replacing(folder / "report.json") as file:
        json.dump({"settings": settings, **report, **provenance()}, file, indent=1, ensure_ascii=False)
    return report


def _write(out: Path, folder: Path, decisions: Mapping[str, Decision], asked: Answers, panel: Panel) -> None:
    """Write labels.csv with the accepted labels, and rejected.csv with the other images and the reasons."""
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
            readings, faults = asked.readings.get(name, {}), asked.faults.get(name, {})
            reasons = "; ".join([reason, *(f"{engine}: {fault}" for engine, fault in faults.items())])
            writer.writerow([name, reasons, *(readings[e].text if e in readings else "" for e in panel.engines)])


def _report(
    agreed: Mapping[str, Decision],
    decisions: Mapping[str, Decision],
    asked: Answers,
    panel: Panel,
    gold: Mapping[str, str],
) -> dict[str, Any]:
    """Return the report's figures, from the engines' decisions `agreed` and those after corrections, `decisions`."""
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
    known = {name: gold[name] for name in readings if name in gold}
    if known:
        report["gold"] = {"rows": len(gold)} | _against(known, _labels(agreed))
        report["gold_with_person"] = _against(known, _labels(decisions))
        for engine in panel.engines:
            texts = {name: readings[name][engine].text for name in known}
            report["engines"][engine] |= _against(known, texts)
    return report


def _labels(decisions: Mapping[str, Decision]) -> dict[str, str]:
    return {name: decision.label for name, decision in decisions.items()}


def _against(gold: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, float]:
    """Return coverage, precision and recall of the non-empty texts against all of `gold`, by captcha and character."""
    texts = {name: text for name, text in texts.items() if text and name in gold}
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


def _summary(report: Mapping[str, Any]) -> list[str]:
    summary = [
        f"{report['accepted']:,} of {report['images']:,} images labelled ({report['coverage']:.3f}); "
        f"{report['unreadable']:,} cannot be read, {report['by_person']:,} labelled by a person",
    ]
    gold = "gold" in report
    head = f"{'':16}{'images/s':>10}" + (f"{'coverage':>10}{'precision':>11}{'per symbol':>12}" if gold else "")
    rows = list(report["engines"].items())
    if gold:
        summary.append(
            f"gold: {report['gold']['images']:,} of its {report['gold']['rows']:,} rows name images that were read"
        )
        rows.append(("agreement", report["gold"]))
        if report["by_person"]:
            rows.append(("with corrections", report["gold_with_person"]))
    summary += ["", head]
    for name, row in rows:
        speed = f"{row['images_per_second']:.0f}" if "images_per_second" in row else ""
        cells = f"{row['coverage']:>10.3f}{row['precision']:>11.4f}{row['character_precision']:>12.4f}" if gold else ""
        summary.append(f"{name:16}{speed:>10}{cells}")
    if report["agreement"]:
        summary += ["", "same text: " + ", ".join(f"{pair} {share:.3f}" for pair, share in report["agreement"].items())]
    if report["disputed_symbols"]:
        summary.append("most disputed: " + ", ".join(f"{a}/{b} ×{n}" for a, b, n in report["disputed_symbols"][:8]))
    return [*summary, *(f"rejected, {reason}: {count:,}" for reason, count in report["rejected"].items())]
