"""Files to try the door with: valid ones, damaged ones, bombs. The same number gives the same file.

As a program, `python -m tests.fuzz FOLDER COUNT`, it sends COUNT of them through the door under a limit of memory and time,
and some through a folder and a zip file. It prints a line of JSON; what breaks a limit or escapes ends it otherwise.
"""

from __future__ import annotations

import base64
import io
import json
import re
import resource
import signal
import struct
import sys
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from tests import surgery

SEED = 20240
MEMORY = 256 * 2**20  # bytes above what the imports take: a file, and some copies of its four million pixels
SECONDS = 5  # of the processor for one file; the slowest, four million pixels of 64 bits, takes a quarter of one
LISTED = 1_000  # files that also go through a folder and a zip file
ZIPS = 500  # zip files of images that are damaged themselves
SUFFIXES = [".png", ".jpg", ".gif", ".bmp", ".webp", ".txt", ".b64"]


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, data: bytes, before: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(mebibytes: int) -> bytes:
    """Deflated zeros, a thousandth of what they inflate to."""
    pack = zlib.compressobj(9)
    first = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    return first + block * (mebibytes - 1) + b"\x03\0"


def valid() -> list[bytes]:
    """Small images of each format and mode."""
    random = np.random.default_rng(SEED)
    noise = Image.fromarray(random.integers(0, 256, (14, 23, 4), dtype=np.uint8))
    smooth = Image.fromarray(np.add.outer(np.arange(40), np.arange(120)).astype(np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.XResolution] = 72.0
    ways: list[tuple[str, list[str], dict[str, Any]]] = [
        ("PNG", ["1", "L", "LA", "P", "RGB", "RGBA"], {}),
        ("PNG", ["RGB"], {"exif": exif, "icc_profile": b"profile" * 20}),
        ("JPEG", ["L", "RGB", "CMYK"], {}),
        ("JPEG", ["RGB"], {"progressive": True, "exif": exif}),
        ("JPEG", ["RGB"], {"quality": 95, "subsampling": 0, "restart_marker_blocks": 2, "comment": b"hello"}),
        ("GIF", ["1", "L", "P", "RGBA"], {}),
        ("BMP", ["1", "L", "P", "RGB", "RGBA"], {}),
        ("WEBP", ["L", "RGB", "RGBA"], {}),
        ("WEBP", ["RGB", "RGBA"], {"lossless": True, "exif": exif}),
    ]
    files = [
        saved(picture.convert(mode), kind, **options)
        for picture in (noise, smooth.convert("RGBA"))
        for kind, modes, options in ways
        for mode in modes
    ]
    pictures = [smooth.rotate(20 * i) for i in range(4)]
    files += [
        saved(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50)
        for kind in ("PNG", "GIF", "WEBP")
    ]
    wide = random.integers(0, 65536, (9, 13), dtype=np.uint16)
    files.append(saved(Image.fromarray(wide), "PNG"))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.repeat(wide, 3, axis=1))
    files.append(png(13, 9, 16, 2, zlib.compress(rows), chunk(b"tRNS", bytes(range(6)))))
    files.append(rle_bmp(23, 14, b"".join(b"\x17%c\0\0" % i for i in range(14)) + b"\0\1"))
    return files


def rle_bmp(width: int, height: int, data: bytes) -> bytes:
    size = 54 + 1024
    head = struct.pack("<2sIHHI", b"BM", size + len(data), 0, 0, size)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0) + bytes(1024) + data


def bombs() -> list[Callable[[], bytes]]:
    """Small files that would cost much; made when asked for."""
    grey = Image.new("L", (2000, 2000), 128)
    small = saved(Image.new("L", (8, 8), 128), "JPEG")
    gif = saved(Image.new("P", (8, 8), 3), "GIF")
    webp = saved(Image.new("RGBA", (8, 8), (1, 2, 3, 4)), "WEBP")
    slow = saved(grey, "JPEG", progressive=True)
    scan = slow[slow.rindex(b"\xff\xda") : -2]
    start = gif.index(b"\x2c", 13)
    frame = gif[start:-1]
    text = b"note\0\0" + zeros(500)
    profile = chunk(b"iCCP", b"p\0\0" + zeros(1))
    tables = b"\xff\xdb\xfd\xea" + (b"\0" + bytes(range(1, 65))) * 1_000
    return [
        lambda: png(2000, 2000, 16, 6, zeros(31)),  # as large as may be, and a little short
        lambda: png(8, 8, 8, 0, zeros(5_000)),
        lambda: png(2_000_000_000, 2_000_000_000, 8, 6, zeros(500)),
        lambda: png(4_000_000, 1, 8, 6, zeros(500)),
        lambda: png(1, 4_000_000, 1, 0, zeros(500)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"zTXt", text)),
        lambda: png(
            8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(900_000))) * 90
        ),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"iCCP", text)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), profile * 4_900),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"eXIf", b"Exif\0\0" * 1_700_000)),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"iTXt", b"note\0\1\0\0\0" + zeros(500))),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"teSt", b"") * 700_000),
        lambda: png(8, 8, 8, 0, zlib.compress(bytes(72)), chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        lambda: saved(Image.new("RGBA", (2000, 2000)), "PNG"),
        lambda: saved(grey.convert("CMYK"), "JPEG", progressive=True),
        lambda: slow[:-2] + scan * (9 * 2**20 // len(scan)) + b"\xff\xd9",
        lambda: small[:2] + b"\xff\xe1\0\x09Exif\0\0X" * 900_000 + small[2:],
        lambda: small[:2] + (b"\xff\xe1\x07\xfbExif\0\0" + bytes(2035)) * 4_900 + small[2:],
        lambda: small[:2] + b"\xff\xfe\0\x02" * 2_500_000 + small[2:],
        lambda: small[:2] + b"\xff" * 10_000_000 + small[2:],
        lambda: small[:2] + (b"\xff" * 240 + b"\0\xff\xfe\0\2") * 4_900 + small[2:],
        lambda: small[:-2] + b"\xff" * 10_000_000 + b"\0" + small[-2:],
        lambda: small[:2] + tables * 160 + small[2:],
        lambda: small.replace(b"\0\x08\0\x08", b"\xff\xff\xff\xff", 1),
        lambda: small.replace(b"\0\x08\0\x08", b"\x07\xd0\x07\xd0", 1),
        lambda: gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        lambda: gif[:6] + struct.pack("<HH", 2000, 2000) + gif[10:],
        lambda: gif[:-1] + frame * 200_000 + b";",
        lambda: gif[:-1] + b"\x21\xfe" + b"\x01a" * 4_900_000 + b"\0" + frame + b";",
        lambda: gif[:start] + b"\x21\xfe" + b"\x01a" * 4_900_000 + b"\0" + frame + b";",
        lambda: gif[: start + 11] + b"\x01a" * 4_900_000 + b"\0;",
        lambda: webp[:24] + b"\xff\xff\xff\xff\xff\xff" + webp[30:],
        lambda: saved(Image.new("RGB", (16383, 240)), "WEBP"),
        lambda: webp + b"ANMF" * 2_000_000,
        lambda: webp[:4] + struct.pack("<I", len(webp) - 8 + 8_000_000) + webp[8:] + b"abcd\0\0\0\0" * 1_000_000,
        lambda: rle_bmp(2000, 2000, b"\x01\x01" * 4_000_000 + b"\0\x01"),
        lambda: rle_bmp(2000, 2000, b"\0\x02\xff\xff" * 2_000_000),
        lambda: rle_bmp(2_000_000_000, 1, b"\xff\x01"),
        lambda: rle_bmp(4_000_000, 1, b"\x01\x01\0\0"),
        lambda: rle_bmp(2000, -2000, b"\xff\x01" * 16_000),
        lambda: b"BM" + bytes(10_000_000),
        lambda: base64.b64encode(bytes(7_000_000)),
        lambda: b"data:image/png;base64," + b"%" * 10_000_000,
        lambda: b"data:" + b";" * 10_000_000 + b",",
        lambda: b"iVBORw0KGgo" + b"\n" * 10_000_000,
        lambda: b"iVBORw0KGgo" + b"=" * 10_000_000,
        lambda: base64.b64encode(png(8, 8, 8, 0, zeros(5_000))),
        lambda: bytes(10 * 2**20),
        lambda: b"\x89PNG\r\n\x1a\n" * 1_000_000,
        lambda: b"\xff\xd8\xff" * 3_000_000,
        lambda: b"GIF89a" * 1_600_000,
        lambda: b"RIFF\0\0\0\0WEBP" * 800_000,
    ]


class Fuzz:
    """File number n, for every n."""

    def __init__(self) -> None:
        self.valid = valid()
        self.bombs = bombs()
        self.ways: list[Callable[[bytes, np.random.Generator], bytes]] = [
            self.truncated,
            self.flipped,
            self.overwritten,
            self.spliced,
            self.rearranged,
            self.resealed,
            surgery.operated,
            self.noisy_text,
            lambda content, random: self.noisy_text(self.flipped(content, random), random),
            lambda content, random: self.flipped(self.overwritten(content, random), random),
        ]

    def __getitem__(self, number: int) -> bytes:
        if number < len(self.bombs):
            return self.bombs[number]()
        random = np.random.default_rng([SEED, number])
        content = self.valid[random.integers(len(self.valid))]
        return self.ways[random.integers(len(self.ways))](content, random)

    @staticmethod
    def truncated(content: bytes, random: np.random.Generator) -> bytes:
        return content[: random.integers(len(content))]

    @staticmethod
    def flipped(content: bytes, random: np.random.Generator) -> bytes:
        bits = bytearray(content)
        most = len(bits) if random.random() < 0.5 else min(len(bits), 64)
        for place in random.integers(most, size=random.integers(1, 12)) if most else ():
            bits[place] ^= 1 << random.integers(8)
        return bytes(bits)

    @staticmethod
    def overwritten(content: bytes, random: np.random.Generator) -> bytes:
        """A number of the header, or anywhere, becomes an extreme one."""
        extreme = [0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
        size, order = int(random.choice([1, 2, 4])), "<" if random.random() < 0.5 else ">"
        value = extreme[random.integers(len(extreme))] % 256**size
        place = int(random.integers(max(1, min(len(content), 80 if random.random() < 0.7 else len(content)))))
        return content[:place] + struct.pack(order + {1: "B", 2: "H", 4: "I"}[size], value) + content[place + size :]

    def spliced(self, content: bytes, random: np.random.Generator) -> bytes:
        """One file's head on another's tail."""
        other = self.valid[random.integers(len(self.valid))]
        return content[: random.integers(1, 100)] + other[random.integers(1, 100) :]

    @staticmethod
    def rearranged(content: bytes, random: np.random.Generator) -> bytes:
        """A piece is left out, doubled many times, or moved."""
        a, b, c = sorted(random.integers(len(content), size=3).tolist())
        pieces = [
            content[:a] + content[b:],
            content[:a] + content[a:b] * int(random.integers(2, 50)) + content[b:],
            content[:a] + content[b:c] + content[a:b] + content[c:],
        ]
        return pieces[random.integers(len(pieces))]

    def resealed(self, content: bytes, random: np.random.Generator) -> bytes:
        """A PNG whose chunks are damaged, dropped, doubled and shuffled, with checksums that are right again."""
        pngs = [file for file in self.valid if file.startswith(b"\x89PNG")]
        content, at, chunks = pngs[random.integers(len(pngs))], 8, []
        while at < len(content):
            length = struct.unpack_from(">I", content, at)[0]
            chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
            at += 12 + length
        for _ in range(random.integers(1, 4)):
            place = random.integers(len(chunks))
            kind, data = chunks[place]
            if random.random() < 0.6 and data:
                chunks[place] = (kind, (self.flipped, self.overwritten)[random.integers(2)](data, random))
            else:
                chunks.insert(
                    random.integers(len(chunks)), chunks.pop(place) if random.random() < 0.5 else (kind, data)
                )
        return content[:8] + b"".join(chunk(kind, data) for kind, data in chunks)

    @staticmethod
    def noisy_text(content: bytes, random: np.random.Generator) -> bytes:
        """Base64 with a few of its symbols replaced, dropped or added, in any of the ways it is written."""
        text = bytearray(base64.b64encode(content))
        for _ in range(random.integers(4)):
            place, symbol = random.integers(len(text) + 1), b"+/-_= \n\r\t%,;\0\xff*aZ9"[random.integers(18)]
            text[place : place + random.integers(2)] = bytes([symbol] * int(random.integers(2)))
        heads = [
            b"",
            b"data:image/png;base64,",
            b"data:;base64,",
            b"data:image/jpeg,",
            b"\xef\xbb\xbf",
            b"data:",
            b"\n ",
        ]
        changed = [bytes(text), bytes(text).replace(b"+", b"-").replace(b"/", b"_"), bytes(text).replace(b"+", b" ")]
        return heads[random.integers(len(heads))] + changed[random.integers(len(changed))]

    def damaged_zip(self, number: int) -> bytes:
        random = np.random.default_rng([SEED, number, 1])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number % 2]) as archive:
            for i in range(3):
                archive.writestr(f"{i}.png", self.valid[random.integers(len(self.valid))])
        head, directory = out.getvalue()[:-180], out.getvalue()[-180:]
        if number % 3:
            return head + self.flipped(self.overwritten(directory, random), random)
        return (self.flipped, self.truncated, self.rearranged)[random.integers(3)](head + directory, random)


def main(folder: Path, count: int) -> None:
    from capbench import images
    from capbench.containers import MOST_PIXELS
    from capbench.data import store
    from capbench.data.files import Files
    from capbench.data.sources import FileNames
    from capbench.data.splits import Split
    from capbench.data.views import Whole
    from capbench.errors import Mistake

    fuzz = Fuzz()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    reasons: Counter[str] = Counter()
    slowest = (0.0, -1)
    for number in range(count):
        content = fuzz[number]
        print(number, file=sys.stderr, flush=True)  # the last one is the culprit, should this end here
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # nobody handles its signal: it ends the process
        start = time.process_time()
        try:
            image = images.decode(content, "turn" if number % 2 else "ignore")
        except images.BadImage as error:
            reason = str(error)
            assert reason.isprintable() and 5 < len(reason) < 300, f"file {number}: reason {reason!r}"
            assert not isinstance(error.__cause__, MemoryError), f"file {number}: was refused only by the limit"
            reasons[" ".join(re.sub(r"[\d×,-]+", "#", reason).split()[:4])] += 1
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] in (3, 4), (
                f"file {number}: {image.shape}"
            )
            assert 0 < image.shape[0] * image.shape[1] <= MOST_PIXELS, f"file {number}: {image.shape}"
            reasons["read"] += 1
        slowest = max(slowest, (time.process_time() - start, number))
        signal.setitimer(signal.ITIMER_PROF, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    names = [f"{number}_{number}{SUFFIXES[number % len(SUFFIXES)]}" for number in range(LISTED)]
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        (folder / "all").mkdir()
        for number, name in enumerate(names):
            content = fuzz[number]
            (folder / "all" / name).write_bytes(content)
            archive.writestr(name, content)
    for root in (folder / "all", folder / "all.zip"):
        source = FileNames(
            root=str(root),
            split=Split(train=None, val=0.1, test=0.1),
            length=None,
            train_size=None,
            exif="ignore",
            on_bad="skip",
            pattern=r"\d+_(?P<label>\d+)\.\w+",
        )
        signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
        kept = store.prepare(source, Whole(channel="grey", size=[8, 8], fit="stretch"), 4, None)
        signal.setitimer(signal.ITIMER_PROF, 0)
        read = {source.samples[place].name for place in kept.numbers}
        refused = {line.split(": ")[1].split()[0]: line for line in kept.bad}
        assert read.isdisjoint(refused) and read | set(refused) == set(names), "a file was neither read nor named"
    for number in range(ZIPS):
        (folder / "damaged.zip").write_bytes(fuzz.damaged_zip(number))
        try:
            files = Files(str(folder / "damaged.zip"), "images")
            names = files.images
        except Mistake as mistake:
            assert str(mistake).startswith(f"images: {folder}"), mistake
            continue
        for name in names:
            with suppress(images.BadImage):
                images.decode(files.read(name))
    figures = {"files": count, "outcomes": dict(reasons.most_common()), "memory": peak - before, "slowest": slowest}
    print(json.dumps(figures | {"listed_read": len(read), "listed_refused": len(refused)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
