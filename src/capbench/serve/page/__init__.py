"""Web page on which a person tries the service."""

from __future__ import annotations

from pathlib import Path

from capbench.report.html import assembled

HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer"}


def page() -> str:
    """Return the page as one HTML document."""
    return assembled(Path(__file__).with_name("page.html"), ("page.js",), "connect-src 'self'; img-src blob: data:")
