"""HTML page of the comparison in a single file.

Values from the runs are embedded as JSON; the page's own scripts insert them as text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capbench.report.html import single_file
from capbench.utils.atomic import replacing

HERE = Path(__file__).parent
SCRIPTS = [HERE / name for name in ("values.js", "charts.js", "tables.js")]


def write(path: Path, template: Path, scripts: Sequence[str], data: dict[str, Any]) -> None:
    """Write the page of a template with the data; `scripts` are names of files beside the template."""
    own = [template.with_name(name) for name in scripts]
    with replacing(path) as file:
        file.write(single_file(template, HERE / "document.css", [*SCRIPTS, *own], "img-src data:", data=data))


def short(value: float | None) -> float | None:
    """Return the number rounded to 5 significant digits, to keep the page small; None for None, infinity and NaN."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.5g}")
