"""Web page on which a person tries the service."""

from __future__ import annotations

from pathlib import Path

from capbench.report.html import single_file

HERE = Path(__file__).parent
HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer"}


def page() -> str:
    """Return the page as one HTML document."""
    return single_file(
        HERE / "page.html.jinja", HERE / "page.css", [HERE / "page.js"], "connect-src 'self'; img-src blob: data:"
    )
