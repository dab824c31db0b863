"""HTML page in a single file: its style, scripts and data stand inside it, under a strict Content Security Policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
JSON = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False, "default": str}


def single_file(template: Path, style: Path, scripts: Sequence[Path], sources: str, **values: Any) -> str:
    """Return the page of a template that extends `layout.html.jinja`.

    The page contains `layout.css` and `style`, and `elements.js` and the scripts. `sources` holds the directives that
    its Content Security Policy needs in addition, such as "img-src data:". `values` are the template's variables; the
    template escapes them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # slow to import, and few commands write a page

    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = JSON
    css, script = _joined(HERE / "layout.css", style), _joined(HERE / "elements.js", *scripts)
    policy = (
        f"default-src 'none'; {sources}; style-src {_hash(css)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = environment.get_template(template.name).render(policy=policy, style=css, script=script, **values)
    return page.encode(errors="replace").decode()  # a file's name may hold bytes that are no UTF-8


def _joined(*paths: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
