"""Table of the parity study, as results.csv: python experiments/parity/table.py RUNS."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

OTHER = {"capbench": "captcha", "captcha": "capbench"}


def rows(runs: Path) -> list[dict[str, object]]:
    """Return a row for each run and each renderer that it was tested on."""
    found: list[dict[str, object]] = []
    for run in sorted(runs.iterdir()):
        alphabet, trained_on, seed = run.name.rsplit("_", 2)
        for tested_on, folder in ((trained_on, run), (OTHER[trained_on], run / f"on_{OTHER[trained_on]}")):
            result = json.loads((folder / "result.json").read_text())
            low, high = result["test/exact_ci"]
            found.append(
                {
                    "alphabet": alphabet,
                    "seed": seed,
                    "trained_on": trained_on,
                    "tested_on": tested_on,
                    "exact": f"{result['test/exact']:.4f}",
                    "low": f"{low:.4f}",
                    "high": f"{high:.4f}",
                    "images": result["test/images"],
                }
            )
    return found


if __name__ == "__main__":
    table = rows(Path(sys.argv[1]))
    with (Path(__file__).parent / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    for row in table:
        print(*row.values())
