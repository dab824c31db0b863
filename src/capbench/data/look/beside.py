"""Texts in files of their own, one beside each image: `7.txt` or `7.gt.txt` for `7.png`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from capbench.data.look.kinds import Kind, kind
from capbench.images import BadImage
from capbench.images.folder import Files

SUFFIX = ".txt"
TRUTH = ".gt"  # before the suffix: ground truth, as programs for training OCR engines call it
ENOUGH = 0.5  # share of the images that must have such a file
LONGEST = 1024  # bytes of a file with a text; longer ones are something else


def beside(files: Files) -> dict[str, str]:
    """Return the text file of each image that has one."""
    pictures = {str(PurePosixPath(name).with_suffix("")): name for name in files.images if not _is_text(name)}
    written = {
        str(PurePosixPath(name).with_suffix("")).removesuffix(TRUTH): name for name in files.names if _is_text(name)
    }
    return {pictures[stem]: name for stem, name in written.items() if stem in pictures}


def texts_of(files: Files, pairs: Mapping[str, str], images: int) -> dict[str, str]:
    """Return the text of each image, "" for an unreadable one; empty where too few of so many `images` have texts."""
    if len(pairs) < ENOUGH * images:
        return {}
    texts = {image: _text(files, name) for image, name in pairs.items()}
    return texts if kind([text for text in texts.values() if text]) < Kind.COUNTER else {}


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == SUFFIX


def _text(files: Files, name: str) -> str:
    """Return the only line of a file, or ""."""
    try:
        content = files.read(name)
    except BadImage:
        return ""
    rows = content.decode("utf-8-sig", "replace").split() if len(content) <= LONGEST else []
    return rows[0] if len(rows) == 1 else ""
