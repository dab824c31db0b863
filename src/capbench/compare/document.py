"""HTML page in a single file that needs no network and runs no script from its data.

Values from the runs are embedded as JSON; the page's own scripts insert them as text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capbench.report.html import assembled
from capbench.utils.atomic import replacing

HERE = Path(__file__).parent


def write(path: Path, template: str, scripts: Sequence[str], data: dict[str, Any]) -> None:
    """Write the page from a template, scripts and data."""
    with replacing(path) as file:
        file.write(assembled(HERE / template, scripts, "img-src data:", DATA=_harmless(data)))


def _harmless(content: Any) -> str:
    """Return JSON that cannot close the HTML element around it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c").encode(errors="replace").decode()


def short(value: float | None) -> float | None:
    """Return the number rounded to 5 significant digits, to keep the page small; None for None, infinity and NaN."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.5g}")
