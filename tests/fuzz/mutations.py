"""Random damage to bytes and to trees of plain data; the same generator state does the same damage."""

from __future__ import annotations

import copy
import datetime
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

EXTREME = [0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
MOST_ADDED = 2**20  # bytes that a repetition may add


def generator(door: str, seed: int, number: int) -> np.random.Generator:
    """Return the random generator of one input."""
    return np.random.default_rng([seed, number, *door.encode()])


def pick(random: np.random.Generator, options: Sequence[Any]) -> Any:
    """Return one of the options."""
    return options[int(random.integers(len(options)))]


def damaged(content: bytes, random: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """Return the content after one to four kinds of damage; `others` are contents to splice with."""
    for _ in range(random.integers(1, 5)):
        if not content:
            break
        way = pick(random, (truncated, flipped, flipped, overwritten, overwritten, rearranged, spliced))
        content = spliced(content, random, others) if way is spliced else way(content, random)
    return content


def truncated(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content without its end."""
    return content[: random.integers(len(content))]


def flipped(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content with a few bits flipped."""
    bits = bytearray(content)
    most = len(bits) if random.random() < 0.5 else min(len(bits), 64)
    for place in random.integers(most, size=random.integers(1, 12)) if most else ():
        bits[place] ^= 1 << random.integers(8)
    return bytes(bits)


def overwritten(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content with an integer overwritten by an extreme one, mostly in the header."""
    size, order = int(random.choice([1, 2, 4])), "<" if random.random() < 0.5 else ">"
    value = EXTREME[random.integers(len(EXTREME))] % 256**size
    place = int(random.integers(max(1, min(len(content), 80 if random.random() < 0.7 else len(content)))))
    return content[:place] + struct.pack(order + {1: "B", 2: "H", 4: "I"}[size], value) + content[place + size :]


def rearranged(content: bytes, random: np.random.Generator) -> bytes:
    """Return the content with a piece left out, repeated many times, or moved."""
    a, b, c = sorted(random.integers(len(content), size=3).tolist())
    times = min(int(random.integers(2, 50)), 1 + MOST_ADDED // max(1, b - a))
    pieces = [
        content[:a] + content[b:],
        content[:a] + content[a:b] * times + content[b:],
        content[:a] + content[b:c] + content[a:b] + content[c:],
    ]
    return pieces[random.integers(len(pieces))]


def spliced(content: bytes, random: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """Return the head of one content and the tail of another."""
    other = pick(random, others or [content])
    return content[: random.integers(len(content))] + other[random.integers(len(other)) :]


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 64, 1000, 4096, 2**31, 2**63, 10**30, 0.5, -0.0, 1e-308, 1e308),
    *(float("inf"), float("nan"), "", "a", "0", "null", "~", "x" * 3000, "é漢😀", "\x1b[2J", "\u2028", "\ud800"),
    *("${oc.env:HOME}", "${view}", "???", "/etc/passwd", "../..", "os.system", "capbench", "capbench.", ".", "." * 900),
    *([], {}, [[]], [None], {"": None}, {None: 1}, {1: 2, "1": 3}, [0] * 1000, list(range(40)), b"bytes", {1, 2}),
    *(datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1), {"_target_": "os.system"}, {"_target_": None}),
    *({"_partial_": True}, {"_args_": ["a"]}, {"_recursive_": False}, {"_convert_": "all"}),
]


def nested(depth: int) -> Any:
    """Return lists and mappings nested this deep."""
    inner: Any = 1
    for level in range(depth):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


def changed(tree: Any, random: np.random.Generator, trees: Sequence[Any], names: Sequence[str]) -> Any:
    """Return a copy of a tree with one to four changes; `names` are texts to try as values and keys."""
    tree = {"": copy.deepcopy(tree)}
    for _ in range(random.integers(1, 5)):
        places = list(_places(tree))
        holder, key = pick(random, places)
        old, way = holder[key], int(random.integers(9))
        if way <= 2:
            holder[key] = copy.deepcopy(pick(random, VALUES))
        elif way == 3:
            holder[key] = pick(random, names)
        elif way == 4:
            other, there = pick(random, list(_places({"": pick(random, trees)})))
            holder[key] = copy.deepcopy(other[there])
        elif way == 5:
            holder[key] = _nearby(old, random)
        elif way == 6 and holder is not tree:
            del holder[key]
        elif way == 7 and isinstance(holder, dict) and holder is not tree:
            holder[pick(random, [*names, *VALUES[:40]])] = holder.pop(key)
        else:
            holder[key] = pick(random, [[old], {"a": old}, [old] * 50, nested(int(random.integers(2, 60)))])
    return tree[""]


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a tree with each of its keys."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _nearby(value: Any, random: np.random.Generator) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int(pick(random, [value + 1, value - 1, -value, value * 2, value * 10, value * 1000, value * 10**9]))
    if isinstance(value, float):
        return pick(random, [value * 2, -value, value * 1e6, 1 / (value or 1), 1.0, 0.0])
    if isinstance(value, str):
        return damaged(value.encode(errors="replace") or b" ", random).decode("latin-1")[:4000]
    if isinstance(value, list):
        return pick(random, [value[:-1], value + value[:1], value[::-1], value * 3])
    return pick(random, [None, {}, [value]])
