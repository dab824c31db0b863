"""A page that is one file, needs no network and lets nothing in its data run.

What comes from the runs stands in it as data alone; the page's own scripts set it as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capbench.files import replacing

HERE = Path(__file__).parent


def write(path: Path, template: str, scripts: Sequence[str], data: dict[str, Any]) -> None:
    """Fill the template's places; the policy in it names the only style and script that may be used."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    script = "".join((HERE / name).read_text(encoding="utf-8") for name in scripts)
    parts = {
        "POLICY": f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _harmless(data),
    }
    head, *rest = (HERE / template).read_text(encoding="utf-8").split("{{")
    with replacing(path) as file:
        file.write(head)
        for piece in rest:
            name, _, text = piece.partition("}}")
            file.write(parts[name] + text)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _harmless(content: Any) -> str:
    """JSON in which nothing can end the element that it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c").encode(errors="replace").decode()


def short(value: float | None) -> float | None:
    """Five digits are more than can be seen."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.5g}")
