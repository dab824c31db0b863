"""Table of the mistakes of the 62-symbol run that concern only case, per letter, from the run's predictions.

python experiments/seeds/ceiling.py [RUN]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from capbench.runs import RunFolder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from study import put  # noqa: E402

SHOWN = 5  # letters; mistakes of case are rare in the others


def alike(text: str) -> str:
    """Return the text with symbols that differ only in size made equal: lower case, and `o` for `0`."""
    return text.casefold().replace("0", "o")


def lines(pairs: list[tuple[str, str]]) -> list[str]:
    """Return a summary and a table for pairs of a label and the text that was read."""
    count = len(pairs)
    exact, nocase, sizeless = (
        sum(form(label) == form(read) for label, read in pairs) / count for form in (str, str.casefold, alike)
    )
    told = [
        f"Of {count:,} captchas {exact:.4f} are read, {nocase:.4f} without case, {sizeless:.4f} if `0` may also be `o`: "
        f"{sizeless - exact:.4f} are lost to the size of symbols alone, {1 - sizeless:.4f} to anything else.",
        "",
        "| symbols | captchas' symbols | taken for each other | of all such mistakes |",
        "|---|---|---|---|",
    ]
    seen, wrong = Counter[str](), Counter[str]()
    for label, read in pairs:
        if len(label) == len(read):
            for one, other in zip(label, read, strict=True):
                seen[alike(one)] += 1
                wrong[alike(one)] += one != other and alike(one) == alike(other)
    for letter, mistakes in wrong.most_common(SHOWN):
        names = "o O 0" if letter == "o" else f"{letter} {letter.upper()}"
        told.append(
            f"| {names} | {seen[letter]:,} | {mistakes / seen[letter]:.3f} | {mistakes / max(1, wrong.total()):.2f} |"
        )
    return told


if __name__ == "__main__":
    run = RunFolder(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/seeds/resnet_best-1"))
    if not run.predictions.exists():
        raise SystemExit(f"{run.path}: has no predictions.csv; run the study first, or name a run of 62 symbols")
    put(HERE / "README.md", lines([(row.text, row.answer) for row in run.read_predictions()]), "ceiling")
