"""Reference pages that are written from the source: settings, Python API, HTTP API."""

from __future__ import annotations

from pathlib import Path

from tools.docs import http_api, python_api, settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Return all written pages by their path below docs/reference/."""
    below = {f"settings/{name}": text for name, text in settings.pages().items()}
    return below | python_api.pages() | http_api.pages()


def write() -> None:
    """Write the pages, and remove those that are no longer written."""
    written = pages()
    (FOLDER / "settings").mkdir(exist_ok=True)
    for old in (FOLDER / "settings").glob("*.md"):
        old.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
