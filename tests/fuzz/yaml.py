"""YAML and JSON texts: settings and results of an untrusted run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from capbench.errors import Mistake
from capbench.runs import RunFolder
from capbench.utils import bounded
from tests.fuzz.mutations import changed, damaged, generator, pick

TREES: list[Any] = [
    {"name": "a", "seed": 1, "model": {"_target_": "capbench.models.cnn.CNN", "widths": [4, 8], "dropout": 0.1}},
    {"view": {"channel": "grey", "size": [60, 160]}, "data": {"split": {"train": 10, "val": 0.1}}, "note": "ü: #"},
    {"test/exact": 0.5, "test/exact_ci": [0.4, 0.6], "alphabet": "0123456789", "length": [4, 4], "none": None},
]
WORDS = [
    *("!!python/name:os.system", "!!python/object/apply:os.system [a]", "!!set {a, b}", "!!omap [a: 1]", "!!binary a"),
    *("!!timestamp 2026-01-01", "!!int 0x", "!!float .", "!!null a", "!!merge a", "!<tag:yaml.org,2002:str> a", "! a"),
    *("&a", "*a", "<<: *a", "<<: {a: 1}", "<<: [{a: 1}]", "? a", "? [a]", "- ", "---", "...", "%YAML 9.9", "%TAG ! a"),
    *("|", ">-", "'", '"', '"\\u', '"\\UFFFFFFFF"', "[", "{", "]", "}", ": ", ",", "#", "\t", "\r", "\0", "\ufeff"),
    *(
        "0b1",
        "0o7",
        "0x_",
        "1:60:60",
        "190:20:30:59",
        "1_000",
        ".inf",
        "-.nan",
        "1e999",
        "9" * 70,
        "9" * 5000,
        "1." * 99,
    ),
    *("yes", "~", "=", "2026-13-41", "2026-01-01T00:00:00Z", "\x1b", "\ud7ff", "\u2028", "\x85"),
]


def aliases(random: np.random.Generator) -> str:
    """Return YAML with nested aliases that expand to more than any memory holds."""
    width, depth, flow = int(random.integers(1, 12)), int(random.integers(1, 30)), random.random() < 0.5
    lines = ["a0: &a0 [x]" if flow else "a0: &a0\n- x"]
    for level in range(1, depth):
        ones = [f"*a{level - 1}"] * width
        lines.append(f"a{level}: &a{level} " + (f"[{', '.join(ones)}]" if flow else "\n- " + "\n- ".join(ones)))
    if random.random() < 0.3:
        lines.append(f"<<: [{', '.join([f'*a{depth - 1}'] * width)}]")
    return "\n".join(lines)


def deep(random: np.random.Generator) -> str:
    """Return a deeply nested text."""
    count = int(10 ** random.uniform(0, 5))
    opened = pick(random, ["[", "{a: ", "- ", "? ", "!!seq [", "{? ", "&a [", '{"a":', "[{"])
    return opened * count + pick(random, ["", "1", "]" * count, "}" * count])


def long(random: np.random.Generator) -> str:
    """Return a text of many repeated tokens."""
    count = int(10 ** random.uniform(0, 6))
    return (
        pick(
            random, ["a", "- ", "a: b\n", "[],", "# ", "'", "\n", "a: &a\n", "? ", "9", "_", "1:", "!", "%a\n", "---\n"]
        )
        * count
    )


def woven(text: str, random: np.random.Generator) -> str:
    """Return the text with words inserted at random places."""
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(len(text) + 1))
        text = text[:place] + pick(random, WORDS) * int(random.choice([1, 1, 1, 40])) + text[place:]
    return text


class door:
    """Door that reads a text as a run's config.yaml and as its result.json."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._seed = seed
        self._run = RunFolder(folder / "run")
        self._run.path.mkdir(parents=True)
        self.sound = [dumped(tree) for tree in TREES]

    def made(self, number: int) -> bytes:
        random = generator("yaml", self._seed, number)
        tree = pick(random, TREES)
        text = pick(random, self.sound).decode()
        way = int(random.integers(8))
        if way == 0:
            return damaged(text.encode(), random, self.sound)
        if way <= 2:
            return woven(text, random).encode(errors="replace")
        if way <= 4:
            return dumped(changed(tree, random, TREES, WORDS))
        whole = (aliases, deep, long)[way - 5](random)
        return (whole if random.random() < 0.5 else text + "\n" + whole).encode()

    def open(self, content: bytes) -> None:
        refusals = []
        for file, read in ((self._run.config, self._run.settings), (self._run.result, self._run.read_result)):
            file.write_bytes(content)
            try:
                data = read()
            except Mistake as refusal:
                refusals.append(refusal)
            else:
                assert depth(data) <= bounded.DEEPEST + 1, "lies deeper than is taken"
                assert len(repr(data)) <= 20 * len(content) + 100, "unfolds to more than its text"
        if len(refusals) == 2:
            raise refusals[0]

    def close(self) -> None:
        pass


def depth(data: Any) -> int:
    """Return the depth of nested lists and mappings."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + max(map(depth, inner), default=0)


def dumped(tree: Any) -> bytes:
    """Return a tree as YAML, or as JSON where YAML cannot represent its values."""
    try:
        return yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True).encode(
            errors="replace"
        )
    except (yaml.YAMLError, RecursionError, UnicodeError):
        return json.dumps(tree, default=str, skipkeys=True).encode(errors="replace")
