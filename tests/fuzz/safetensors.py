"""Files of safetensors with false or malformed headers: a run's weights and its list of seen images."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from capbench import load
from capbench.data.seen import Images, Seen
from tests.fuzz.mutations import changed, damaged, generator, nested, pick
from tests.helpers.untrained import untrained

RUNS = [("model=cnn",), ("model=knn", "view=characters")]
WORDS = ["F32", "F16", "BF16", "F64", "I8", "U8", "I64", "U64", "BOOL", "F8_E4M3", "__metadata__", "dtype", "shape"]
WIDTHS = {
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F64": 8,
    "I8": 1,
    "U8": 1,
    "I64": 8,
    "U64": 8,
    "BOOL": 1,
    "F8_E4M3": 1,
    "C64": 8,
}
SIZES = [0, 1, 2, 4, 9, 10**6, 2**31, 2**32, 2**62, 2**63 - 1, 2**64 - 1, 2**64, -1, 1.5]


class door:
    """Door that loads a file in place of a run's weights, or of seen.safetensors."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._seed = seed
        self._runs = [untrained(folder / str(number), *overrides) for number, overrides in enumerate(RUNS)]
        Seen(Images(np.arange(1, 99, 7, dtype=np.uint64), {5: 100, 2**60: 3})).write(self._runs[0])
        self._files = [*(run.weights.read_bytes() for run in self._runs), self._runs[0].seen.read_bytes()]
        self.sound = [bytes([which]) + file for which, file in enumerate(self._files)]

    def made(self, number: int) -> bytes:
        random = generator("safetensors", self._seed, number)
        which = int(random.integers(len(self._files)))
        file = self._files[which]
        (length,) = struct.unpack_from("<Q", file)
        header, data = json.loads(file[8 : 8 + length]), file[8 + length :]
        way = int(random.integers(9))
        if way == 0:
            return bytes([which]) + damaged(file, random, self._files)
        if way == 1:
            return bytes([which]) + damaged(file[: 8 + length], random, self._files) + data
        if way <= 4:
            header = changed(header, random, [header], [*WORDS, *header])
        elif way == 5:
            for _ in range(random.integers(1, 4)):
                one = header[pick(random, [name for name in header if name != "__metadata__"])]
                key = pick(random, ["shape", "data_offsets"])
                sizes = one[key] or [1]
                sizes[int(random.integers(len(sizes)))] = pick(random, SIZES)
                one[key] = sizes
        elif way == 6:
            self._seen_otherwise(header, random)
        elif way == 7:
            many = int(10 ** random.uniform(0, 4))
            empty = {
                "dtype": pick(random, WORDS[:10]),
                "shape": pick(random, [[0], [], [0, 2**40]]),
                "data_offsets": [0, 0],
            }
            header |= {f"{number}": empty for number in range(many)}
        else:
            header |= {
                "__metadata__": pick(random, [nested(int(random.integers(1, 3000))), {"a": 1}, {"a": "b" * 10**5}, []])
            }
        return bytes([which]) + self._sealed(header, data, random)

    @staticmethod
    def _seen_otherwise(header: dict[str, Any], random: np.random.Generator) -> None:
        """Change the header so that the same bytes are read with another type, shape or tensor name."""
        names = [name for name in header if name != "__metadata__"]
        for name in [pick(random, names) for _ in range(random.integers(1, 4))]:
            one, other = header[name], pick(random, names)
            start, end = one["data_offsets"]
            kind = pick(random, list(WIDTHS))
            count = (end - start) // WIDTHS[kind]
            one["dtype"] = kind
            one["shape"] = pick(random, [[count], [1, count], [count, 1], [count // 2, 2], [1] * 9 + [count]])
            if random.random() < 0.5:
                header[name], header[other] = header[other], header[name]

    @staticmethod
    def _sealed(header: Any, data: bytes, random: np.random.Generator) -> bytes:
        """Return the file of a header and data, sometimes with a wrong length of the header."""
        try:
            text = json.dumps(header, default=str, skipkeys=True).encode()
        except RecursionError:
            text = b"[" * 3000
        length = (
            len(text)
            if random.random() < 0.9
            else int(pick(random, [0, 1, len(text) - 1, len(text) + 1, 2**31, 2**62, 2**64 - 1]))
        )
        return struct.pack("<Q", length) + text + data

    def open(self, content: bytes) -> None:
        which, file = content[0], content[1:]
        if which < len(RUNS):
            run = self._runs[which]
            run.weights.write_bytes(file)
            reader = load(run.path)
            reader.read([np.full((60, 160, 3), 200, np.uint8)])
        else:
            self._runs[0].seen.write_bytes(file)
            seen = Seen.read(self._runs[0])
            assert seen is not None and len(seen.taught) >= 0

    def close(self) -> None:
        pass
