"""Assembly of a single-file HTML page with its style and scripts, under a strict Content Security Policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

SHARED = Path(__file__).with_name("elements.js")


def assembled(template: Path, scripts: Sequence[str], policy: str, **parts: str) -> str:
    """Return the page that a template makes with `page.css`, the scripts beside it, and other parts by name.

    `policy` holds the directives that the page's Content Security Policy needs in addition.
    """
    folder = template.parent
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = "".join(path.read_text(encoding="utf-8") for path in (SHARED, *(folder / name for name in scripts)))
    parts |= {
        "POLICY": f"default-src 'none'; {policy}; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "STYLE": style,
        "SCRIPT": script,
    }
    head, *rest = template.read_text(encoding="utf-8").split("{{")
    pieces = [piece.partition("}}") for piece in rest]
    return head + "".join(parts[name] + text for name, _, text in pieces)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
