"""Quoting of values for Hydra's command line."""

from __future__ import annotations

import re
import shlex

from hydra.core.override_parser.types import Quote, QuotedString


def quoted(key: str, text: object) -> str:
    """Return `key='text'` such that Hydra reads exactly this text, with any brackets, commas, quotes and letters."""
    return f"{key}={QuotedString(text=str(text), quote=Quote.single).with_quotes()}"


def for_shell(key: str, text: object) -> str:
    """Return the output of `quoted` in a form that can be pasted into a shell."""
    override = quoted(key, text)
    return shlex.quote(override) if set(override) & set('"$`\\!') else f'"{override}"'


def pasted(key: str, text: str) -> str:
    """Return `key=text` in a form that can be pasted into a shell, quoted only where that is necessary."""
    return f"{key}={text}" if re.fullmatch(r"[A-Za-z_./][\w./-]*", text, re.ASCII) else for_shell(key, text)
