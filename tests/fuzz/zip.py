"""Zip files of labelled images: damaged ones, false headers, and bombs."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from capbench.data.sources.folder import Folder
from capbench.data.sources.table import Csv
from capbench.data.splits import Split
from capbench.errors import BadImage
from tests.fuzz import image
from tests.fuzz.mutations import damaged, flipped, generator, overwritten, pick

NAMES = [
    *(
        "a.png",
        "b/c.png",
        "labels.csv",
        "../up.png",
        "/root.png",
        "c:\\d.png",
        "e\\f.png",
        "a.png/",
        "",
        ".",
        "..",
        ".h.png",
    ),
    *(
        "__MACOSX/._a.png",
        "x" * 300 + ".png",
        "n\0.png",
        "\x1b[2J.png",
        "ü.png",
        "a.PNG",
        "a.txt",
        "a\n.png",
        "/" * 400,
    ),
]
MOST_READ = 60  # members of one zip file that are read


class Member:
    """File in a zip file, with the fields of its two headers."""

    def __init__(self, name: bytes, content: bytes, method: int = 8) -> None:
        packed = content
        if method == 8:
            pack = zlib.compressobj(9, wbits=-15)
            packed = pack.compress(content) + pack.flush()
        self.name, self.packed, self.extra = name, packed, b""
        self.fields = {
            "made": 20, "needed": 20, "flags": 0, "method": method, "time": 0, "date": 33, "crc": zlib.crc32(content),
            "packed": len(packed), "size": len(content), "comment": 0, "disk": 0, "kind": 0, "mode": 0, "at": 0,
        }  # fmt: skip

    def local(self) -> bytes:
        """Return the local header and the compressed content."""
        f = self.fields
        head = (f["needed"], f["flags"], f["method"], f["time"], f["date"], f["crc"], f["packed"], f["size"])
        return (
            _packed("<4s5H3I2H", b"PK\3\4", *head, len(self.name), len(self.extra))
            + self.name
            + self.extra
            + self.packed
        )

    def central(self) -> bytes:
        """Return the header in the central directory."""
        f = self.fields
        head = (f["made"], f["needed"], f["flags"], f["method"], f["time"], f["date"], f["crc"], f["packed"], f["size"])
        tail = (f["comment"], f["disk"], f["kind"], f["mode"], f["at"])
        return _packed("<4s6H3I5H2I", b"PK\1\2", *head, len(self.name), len(self.extra), *tail) + self.name + self.extra


def _packed(form: str, *values: Any) -> bytes:
    """Return packed numbers, each reduced to the width of its field."""
    widths = [size for count, size in _parts(form) for _ in range(count)]
    kept = [
        value if isinstance(value, bytes) else value % 256**width for value, width in zip(values, widths, strict=True)
    ]
    return struct.pack(form, *kept)


def _parts(form: str) -> list[tuple[int, int]]:
    sizes = {"s": 4, "H": 2, "I": 4, "Q": 8}
    found, count = [], ""
    for sign in form[1:]:
        if sign.isdigit():
            count += sign
        else:
            found.append((1 if sign == "s" else int(count or 1), sizes[sign]))
            count = ""
    return found


def archive(members: list[Member], count: int | None = None, comment: bytes = b"", lie: bool = False) -> bytes:
    """Return a zip file; with `lie`, the offsets of the members stay as their fields say."""
    out = bytearray()
    for member in members:
        if not lie:
            member.fields["at"] = len(out)
        out += member.local()
    directory = b"".join(member.central() for member in members)
    count = len(members) if count is None else count
    end = _packed("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), len(comment))
    return bytes(out) + directory + end + comment


class door:
    """Door that reads a zip file as a source with a labels.csv: its list of files, and each image."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pid = os.getpid()
        self._seed, self._path, self._number = seed, folder, 0
        self._files = image.valid()
        self.sound = [archive(self.members(np.random.default_rng(number))) for number in range(4)]

    def members(self, random: np.random.Generator) -> list[Member]:
        """Return a labels.csv and one to four images."""
        pictures = [pick(random, self._files) for _ in range(random.integers(1, 5))]
        names = [f"{'images/' * int(random.integers(2))}{number}.png" for number in range(len(pictures))]
        table = "filename,label\n" + "".join(f"{name},{number}{number}\n" for number, name in enumerate(names))
        files = [("labels.csv", table.encode()), *zip(names, pictures, strict=True)]
        return [Member(name.encode(), content, int(random.choice([0, 8]))) for name, content in files]

    def made(self, number: int) -> bytes:
        random = generator("zip", self._seed, number)
        way = int(random.integers(10))
        if way <= 1:
            return damaged(pick(random, self.sound), random, self.sound)
        if way == 2:
            content = pick(random, self.sound)
            return content[:-200] + damaged(content[-200:], random)
        members = self.members(random)
        if way <= 5:
            for _ in range(random.integers(1, 5)):
                one = pick(random, members)
                name = pick(random, list(one.fields))
                one.fields[name] = int(
                    pick(
                        random,
                        [
                            0,
                            1,
                            8,
                            9,
                            12,
                            14,
                            99,
                            0x800,
                            0x801,
                            1 << 15,
                            2**16 - 1,
                            2**31,
                            2**32 - 1,
                            len(one.packed) + 1,
                            2**32 - len(one.packed),
                        ],
                    )
                )
            return archive(members, lie=random.random() < 0.5)
        if way == 6:
            for one in members:
                one.name = pick(random, NAMES).encode("utf-8" if random.random() < 0.5 else "latin-1", "replace")
                one.fields["flags"] = int(random.choice([0, 0x800]))
            return archive(members)
        if way == 7:
            one = pick(random, members)
            one.packed = (flipped, overwritten)[random.integers(2)](one.packed or b"x", random)
            one.extra = pick(
                random,
                [
                    b"",
                    b"\1\0\x08\0" + b"\xff" * 8,
                    b"\1\0\xff\xff",
                    b"up\5\0\1abcd",
                    b"\x01\0\x10\0" + bytes(16),
                    bytes(40),
                ],
            )
            return archive(members, count=int(pick(random, [0, 1, 3, 2**16 - 1])) if random.random() < 0.3 else None)
        if way == 8:
            return archive(
                members[:1] * int(10 ** random.uniform(0, 3.5)) + members,
                comment=bytes(int(random.integers(70_000)) % 65_535),
            )
        return self.bomb(random)

    def bomb(self, random: np.random.Generator) -> bytes:
        """Return a zip file with a member, an image or a labels.csv, that inflates to far more than an image."""
        size = int(10 ** random.uniform(5, 7.7))
        fill = pick(random, [b"\0", b"a,b\n", b'"', b"\n", b"0.png,1\n", b",", b"\xff"])
        content = (fill * (size // len(fill)))[:size]
        heads = [
            b"",
            b"filename,label\n",
            image.png(9, 9, 8, 0, image.zeros(9)),
            b"iVBORw0KGgo",
            b"data:image/png;base64,",
        ]
        bomb = pick(random, heads) + content
        return archive(
            [Member(pick(random, [b"labels.csv", b"0.png", b"0.txt", b"1.b64"]), bomb), *self.members(random)]
        )

    def open(self, content: bytes) -> None:
        self._number += 1
        path = self._path / f"{self._number}.zip"
        path.write_bytes(content)
        try:
            source = Csv(
                root=str(path), labels="labels.csv", file_column="filename", label_column="label", split_column=None,
                split=Split(train=None, val=0.1, test=0.1), length=None, train_size=None, exif="ignore", on_bad="skip",
            )  # fmt: skip
            self._look(source)
        finally:
            path.unlink()

    @staticmethod
    def _look(source: Folder) -> None:
        for name in source.files.images[:MOST_READ]:
            with suppress(BadImage):
                source.files.read(name)
        for number in range(min(len(source.samples), MOST_READ)):
            with suppress(BadImage):
                source.image(number)

    def close(self) -> None:
        pass
