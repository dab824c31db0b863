"""Image files: their limits, their metadata, and the refusal of damaged ones."""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from capbench.errors import BadImage
from capbench.images import containers, decode
from tests.helpers.pictures import encoded, png_chunk

WIDTH, HEIGHT = 48, 32
NOISE = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def saved(kind: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or Image.fromarray(NOISE), kind, **options)


def claiming(content: bytes, width: int, height: int) -> bytes:
    """Return the file with another size in its header and the right checksums."""
    lie, kind = bytearray(content), containers.kind_of(content)
    if kind == "PNG":
        struct.pack_into(">II", lie, 16, width, height)
        struct.pack_into(">I", lie, 29, zlib.crc32(lie[12:29]))
    elif kind == "JPEG":
        frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        struct.pack_into(">HH", lie, frame + 5, height, width)
    elif kind == "GIF":
        frame = content.index(b"\x2c\0\0\0\0" + struct.pack("<HH", WIDTH, HEIGHT))
        struct.pack_into("<HH", lie, 6, width, height)
        struct.pack_into("<HH", lie, frame + 5, width, height)
    elif kind == "BMP":
        struct.pack_into("<ii", lie, 18, width, height)
    else:
        struct.pack_into("<HH", lie, 26, width, height)
    return bytes(lie)


FILES = {
    "PNG": saved("PNG"),
    "JPEG": saved("JPEG"),
    "JPEG with restarts": saved("JPEG", restart_marker_blocks=2),
    "grey JPEG": saved("JPEG", Image.fromarray(NOISE[:, :, 0])),
    "GIF": saved("GIF"),
    "interlaced GIF": saved("GIF", interlace=True),
    "BMP": saved("BMP"),
    "palette BMP": saved("BMP", Image.fromarray(NOISE).convert("P")),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("width", "height"),
    [(WIDTH, HEIGHT * 2), (WIDTH * 2, HEIGHT), (WIDTH, HEIGHT // 2), (WIDTH // 2, HEIGHT), (WIDTH, HEIGHT + 16)],
)
def test_a_header_with_a_false_size_is_refused(name: str, width: int, height: int) -> None:
    assert decode(claiming(FILES[name], WIDTH, HEIGHT)).shape[:2] == (HEIGHT, WIDTH)
    with pytest.raises(BadImage, match="truncated" if width * height > WIDTH * HEIGHT else "holds more"):
        decode(claiming(FILES[name], width, height))


def test_a_header_one_row_too_high_or_low_is_refused() -> None:
    for name in ("PNG", "GIF", "BMP"):
        for height in (HEIGHT - 1, HEIGHT + 1):
            with pytest.raises(BadImage, match="truncated|holds more"):
                decode(claiming(FILES[name], WIDTH, height))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_sizes_beyond_the_limits_are_refused_before_decoding(kind: str) -> None:
    content = saved(kind)
    with pytest.raises(BadImage, match="has 16000×16000 pixels; at most 4,000,000"):
        decode(claiming(content, 16000, 16000))
    with pytest.raises(BadImage, match=r"has 0×\d+ pixels"):
        decode(claiming(content, 0, 10))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"lossless": True}], ids=["", "progressive", "lossless"]
)
def test_a_file_truncated_anywhere_is_refused(kind: str, options: dict[str, Any]) -> None:
    content = saved(kind, **options)
    for length in [*range(1, len(content), 97), len(content) - 1]:
        with pytest.raises(BadImage):
            decode(content[:length])


def test_a_truncated_jpeg_with_an_end_marker_is_refused() -> None:
    content = FILES["JPEG"]
    with pytest.raises(BadImage, match="truncated"):
        decode(content[: len(content) * 2 // 3] + b"\xff\xd9")


@pytest.mark.parametrize("seed", range(20))
def test_valid_files_of_any_size_are_decoded_as_by_pillow(seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = random.integers(1, 70, 2)
    flat = np.full((height, width, 3), random.integers(256), dtype=np.uint8)
    noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for pixels in (flat, noise):
        picture = Image.fromarray(pixels)
        for mode in ("L", "P", "RGB", "1"):
            for kind in ("PNG", "GIF", "BMP"):
                content = saved(kind, picture.convert(mode))
                expected = Image.open(io.BytesIO(content)).convert("RGB")
                assert (decode(content)[:, :, :3] == np.asarray(expected)).all()
        for mode in ("L", "RGB", "CMYK"):
            for options in (
                {},
                {"quality": 95, "subsampling": 0},
                {"quality": 5, "optimize": True},
                {"progressive": True},
            ):
                content = saved("JPEG", picture.convert(mode), **options)
                assert (decode(content) == np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))).all()


def test_an_interlaced_png_with_missing_or_extra_rows_is_refused() -> None:
    """Put the seven passes of Adam7 together by hand, since Pillow writes no interlaced PNG."""
    grey = NOISE[:13, :11, 0]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [b"\0" + row.tobytes() for top, left, down, right in passes for row in grey[top::down, left::right]]

    def interlaced(rows: list[bytes]) -> bytes:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 11, 13, 8, 0, 0, 0, 1))
        return (
            b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"".join(rows))) + png_chunk(b"IEND", b"")
        )

    assert (decode(interlaced(rows))[:, :, 0] == grey).all()
    with pytest.raises(BadImage, match="truncated"):
        decode(interlaced(rows[:-1]))
    with pytest.raises(BadImage, match="holds more"):
        decode(interlaced([*rows, rows[-1]]))


def frames(kind: str, count: int) -> bytes:
    pictures = [Image.new("L", (4, 4), i % 256) for i in range(count)]
    return saved(kind, pictures[0], save_all=True, append_images=pictures[1:], duration=20, lossless=True)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_an_animation_over_the_frame_limit_is_refused(kind: str) -> None:
    assert decode(frames(kind, containers.MOST_FRAMES)).shape == (4, 4, 3)
    with pytest.raises(BadImage, match="over 256 frames"):
        decode(frames(kind, containers.MOST_FRAMES + 1))


def test_files_over_the_limits_of_parts_and_scans_are_refused() -> None:
    jpeg = saved("JPEG", progressive=True)
    exif = b"\xff\xe1\0\x09Exif\0\0X"
    assert decode(jpeg[:2] + exif * 100 + jpeg[2:]).shape == NOISE.shape
    with pytest.raises(BadImage, match="over 5,000 parts"):
        decode(jpeg[:2] + exif * 100_000 + jpeg[2:])
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    with pytest.raises(BadImage, match="over 64 scans"):
        decode(jpeg[:-2] + scan * 64 + b"\xff\xd9")
    large = saved("JPEG", Image.new("L", (2000, 2000)), progressive=True)
    scan = large[large.rindex(b"\xff\xda") : -2]
    with pytest.raises(BadImage, match="has 17 scans of 2000×2000 pixels; at most 64,000,000 pixels in all"):
        decode(large[:-2] + scan * (17 - large.count(b"\xff\xda")) + b"\xff\xd9")
    png = saved("PNG")
    with pytest.raises(BadImage, match="over 5,000 parts"):
        decode(png[:33] + (b"\0\0\0\0teSt" + struct.pack(">I", zlib.crc32(b"teSt"))) * 5_000 + png[33:])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (FILES["BMP"][:10] + b"\x0a\0\0\0" + FILES["BMP"][14:], "begin at byte 10, within its header"),
        (FILES["BMP"][:10] + b"\xff\xff\xff\x7f" + FILES["BMP"][14:], "truncated"),
        (FILES["GIF"][:6] + b"\x10\0\x10\0" + FILES["GIF"][10:], "a frame that reaches beyond"),
        (FILES["GIF"][:13], "truncated within the header"),
        (saved("PNG", Image.fromarray(NOISE).convert("P")).replace(b"PLTE", b"plte"), "palette is missing"),
    ],
)
def test_contradictory_headers_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content)


def noted(png: bytes, before: bytes, behind: bytes) -> bytes:
    """Return a PNG of Pillow's with more chunks after its header and after its pixels."""
    return png[:33] + before + png[33:-12] + behind + png[-12:]


TURNED = Image.Exif()
TURNED[ExifTags.Base.Orientation] = 6
PROFILE = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2**20), 9))
BEFORE = [
    png_chunk(b"gAMA", struct.pack(">I", 20_000)),
    png_chunk(b"cHRM", struct.pack(">8I", *range(10_000, 90_000, 10_000))),
    png_chunk(b"sRGB", b"\1"),
    png_chunk(b"cICP", b"\1\1\0\1"),
    png_chunk(b"sBIT", b"\3\3\3"),
    png_chunk(b"bKGD", b"\0\7"),
    png_chunk(b"hIST", bytes(2)),
    png_chunk(b"sPLT", b"s\0\x08" + bytes(6)),
    png_chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)),
    PROFILE,
    png_chunk(b"prVt", b"unknown"),
]
BEHIND = [
    png_chunk(b"tIME", bytes(7)),
    png_chunk(b"tEXt", b"k\0text"),
    png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**25))),  # more than Pillow would inflate
    png_chunk(b"iTXt", b"k\0\0\0\0\0text"),
    png_chunk(b"eXIf", TURNED.tobytes()[6:]),
    b"\0\0\0\1tEXtkbad!",  # its checksum is wrong
]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_metadata_is_dropped_and_pixels_stay_the_same(mode: str) -> None:
    picture = Image.fromarray(NOISE).convert("L" if mode == "I;16" else mode).convert(mode)
    clear = {"transparency": 7} if mode in ("L", "P") else {}
    plain = saved("PNG", picture, **clear)
    content = noted(plain, b"".join(BEFORE), b"".join(BEHIND))
    outline = containers.outline(content)
    assert outline == containers.outline(plain)._replace(orientation=6)
    assert outline.content == plain
    assert (decode(content) == decode(plain)).all()
    assert decode(content).shape[2] == (4 if clear or "A" in mode else 3)
    if mode != "I;16":  # Pillow clips 16 bits
        harmless = noted(plain, b"".join(BEFORE), b"".join(BEHIND[:2]))
        with Image.open(io.BytesIO(harmless)) as whole:
            assert (decode(content) == np.asarray(whole.convert("RGBA" if clear or "A" in mode else "RGB"))).all()
    assert (decode(content, "turn") == np.rot90(decode(content), -1)).all()


def test_png_colour_profiles_are_not_inflated() -> None:
    """Add thousands of profiles, of each of which Pillow would inflate a MiB."""
    plain = saved("PNG")
    for content in (noted(plain, PROFILE * 4_900, b""), noted(plain, b"", PROFILE * 4_900)):
        assert containers.outline(content).content == plain


def test_an_animated_png_is_decoded_as_its_still_picture() -> None:
    pictures = [Image.fromarray(NOISE), Image.fromarray(NOISE[::-1])]
    content = saved("PNG", pictures[0], save_all=True, append_images=pictures[1:], duration=50)
    assert b"fdAT" in content and containers.outline(content).content == saved("PNG")


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS"])
def test_a_png_with_a_repeated_or_damaged_header_chunk_is_refused(kind: bytes) -> None:
    content = saved("PNG", Image.fromarray(NOISE).convert("P"), transparency=7)
    at = content.index(kind) - 4
    end = at + 12 + struct.unpack_from(">I", content, at)[0]
    with pytest.raises(BadImage, match=f"it has 2 chunks {kind.decode()}"):
        decode(content[:end] + content[at:])
    with pytest.raises(BadImage, match=f"bad header checksum in b'{kind.decode()}'"):
        decode(content[: end - 1] + bytes([content[end - 1] ^ 1]) + content[end:])
    assert (decode(content + content[at:]) == decode(content)).all()  # bytes after the end do not belong to the image


def in_blocks(data: bytes, size: int) -> bytes:
    return b"".join(bytes([len(data[i : i + size])]) + data[i : i + size] for i in range(0, len(data), size)) + b"\0"


def test_gif_comments_and_later_frames_are_dropped_and_blocks_are_merged() -> None:
    bare = saved("GIF", Image.fromarray(NOISE).quantize(16), transparency=7)
    control, frame = bare.index(b"\x21\xf9"), bare.index(b"\x2c\0\0\0\0")
    data = b"".join(bare[i + 1 : i + 1 + bare[i]] for i in range(frame + 11, len(bare) - 2, 256))
    notes = b"\x21\xfe" + in_blocks(b"comment" * 1_000, 1) + b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    first = bare[frame : frame + 11] + in_blocks(data, 1)
    content = bare[:control] + notes + bare[control:frame] + notes + b"\0\0" + first + notes + bare[control:]
    assert containers.outline(content)._replace(frames=1, spans=()) == containers.outline(bare)
    assert containers.outline(bare).content == bare
    with Image.open(io.BytesIO(content)) as whole:
        assert (decode(content) == np.asarray(whole.convert("RGBA"))).all()
    assert (decode(content)[:, :, 3] == 0).any()


@pytest.mark.parametrize("place", ["a comment", "an application", "the picture", "the end"])
def test_a_gif_over_the_limit_of_blocks_is_refused(place: str) -> None:
    gif = saved("GIF")
    frame = gif.index(b"\x2c\0\0\0\0")
    many = in_blocks(bytes(containers.MOST_BLOCKS + 1), 1)
    content = {
        "a comment": gif[:frame] + b"\x21\xfe" + many + gif[frame:],
        "an application": gif[:frame] + b"\x21\xff" + many + gif[frame:],
        "the picture": gif[: frame + 11] + many + b";",
        "the end": gif[:-1] + b"\x21\xfe" + many + b";",
    }[place]
    with pytest.raises(BadImage, match="over 100,000 blocks of data"):
        decode(content)


def segment(code: int, data: bytes) -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", 2 + len(data)) + data


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "RGB as it is", "progressive"])
def test_jpeg_metadata_is_dropped_and_pixels_stay_the_same(mode: str) -> None:
    """Keep the segments of Adobe and JFIF, which say how colours are coded."""
    options = {"RGB as it is": {"keep_rgb": True}, "progressive": {"progressive": True}}.get(mode, {})
    plain = saved("JPEG", Image.fromarray(NOISE).convert("RGB" if options else mode), **options)
    notes = [segment(0xE0 + i, b"note" * 1_000) for i in range(1, 16) if i != 14]
    notes += [segment(0xFE, b"comment"), segment(0xE1, TURNED.tobytes()), segment(0xED, b"Photoshop 3.0\0")]
    notes += [segment(0xE2, b"ICC_PROFILE\0\1\1profile")] * 100
    start = plain.index(b"\xff\xdb")
    content = plain[:start] + b"\xff\xff".join(notes) + plain[start:]
    outline = containers.outline(content)
    assert outline == containers.outline(plain)._replace(orientation=6)
    assert outline.content.startswith(plain[:-2])
    with Image.open(io.BytesIO(content)) as whole:
        assert (decode(content) == np.asarray(whole.convert("RGB"))).all()
    assert (decode(content, "turn") == np.rot90(decode(content), -1)).all()


def test_a_jpeg_over_the_limit_of_table_bytes_is_refused() -> None:
    jpeg = saved("JPEG")
    start = jpeg.index(b"\xff\xdb")
    tables = segment(0xDB, (b"\0" + bytes(range(1, 65))) * 1_000)
    assert decode(jpeg[:start] + tables * 3 + jpeg[start:]).shape == NOISE.shape
    with pytest.raises(BadImage, match="over 262,144 bytes before its pixels"):
        decode(jpeg[:start] + tables * 5 + jpeg[start:])


def test_fill_bytes_of_a_jpeg_take_linear_time() -> None:
    """Bound the processor time between linear and quadratic work, far from both: no work can be counted there."""
    jpeg = saved("JPEG")
    scan = jpeg.rindex(b"\xff\0")
    filled = jpeg[:scan] + b"\xff" * 250_000 + jpeg[scan:]
    assert containers.outline(filled) == containers.outline(jpeg)
    start = time.process_time()
    assert (decode(jpeg[:-2] + b"\xff" * 250_000 + jpeg[-2:]) == decode(jpeg)).all()
    decode(jpeg[:-2] + b"\xff" * 250_000 + b"\0" + jpeg[-2:])
    assert time.process_time() - start < 30


def runs(width: int, height: int, data: bytes) -> bytes:
    """Return a run-length encoded BMP file."""
    head = struct.pack("<2sIHHI", b"BM", 1078 + len(data), 0, 0, 1078)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0) + bytes(1024) + data


def test_a_bmp_over_the_limit_of_run_lengths_is_refused() -> None:
    assert decode(runs(4, 4, b"\4\1\0\0" * 4 + b"\0\1")).shape == (4, 4, 3)
    for content in (runs(4, 4, b"\4\1" * 2**20), runs(4_000_000, 1, b"\1\1\0\0")):
        with pytest.raises(BadImage, match="over 262,144 pixels or bytes in run lengths"):
            decode(content)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def test_webp_orientation_is_found_after_other_chunks_and_chunks_are_limited() -> None:
    webp = saved("WEBP", lossless=True)
    size = struct.pack("<HBHB", WIDTH - 1, 0, HEIGHT - 1, 0)
    pixels = (b"VP8L", webp[20:])
    content = riff((b"VP8X", b"\x08\0\0\0" + size), pixels, (b"odd?", b"123"), (b"EXIF", TURNED.tobytes()))
    assert (decode(content) == NOISE).all() and (decode(content, "turn") == np.rot90(NOISE, -1)).all()
    with pytest.raises(BadImage, match="over 5,000 parts"):
        decode(riff((b"VP8X", b"\0\0\0\0" + size), pixels, *[(b"abcd", b"")] * 5_000))


@pytest.mark.parametrize("kind", containers.KINDS)
def test_decoding_over_the_allowed_pixels_is_refused(kind: str) -> None:
    pixels = 300 * 200
    content = saved(kind, Image.new("1" if kind == "BMP" else "RGB", (300, 200)))
    assert len(content) < pixels
    assert decode(content, most=pixels).shape == (200, 300, 3)
    with pytest.raises(containers.TooMuchWork, match="takes the work of 60,000 bytes or pixels; 59,999 are allowed"):
        decode(content, most=pixels - 1)


def test_each_jpeg_scan_counts_all_pixels_as_work() -> None:
    content = saved("JPEG", progressive=True)
    scans = content.count(b"\xff\xda")
    assert scans > 1 and len(content) < scans * WIDTH * HEIGHT
    assert decode(content, most=scans * WIDTH * HEIGHT).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(containers.TooMuchWork):
        decode(content, most=scans * WIDTH * HEIGHT - 1)


def test_decoding_over_the_allowed_bytes_is_refused() -> None:
    """Bound the bytes of an image file and of its base64."""
    for content in (FILES["PNG"], base64.b64encode(FILES["PNG"])):
        assert decode(content, most=len(content)).shape == (HEIGHT, WIDTH, 3)
        with pytest.raises(containers.TooMuchWork):
            decode(content, most=len(content) - 1)


def test_bmp_run_lengths_and_gif_blocks_count_as_more_work() -> None:
    lengths = runs(WIDTH, HEIGHT, bytes([WIDTH, 7, 0, 0]) * HEIGHT + b"\0\1")
    gif = saved("GIF")
    start = gif.index(b"\x2c\0\0\0\0")
    blocks = gif[:start] + b"\x21\xfe" + b"\x01a" * 1000 + b"\0" + gif[start:]
    for content, steps in ((lengths, WIDTH * HEIGHT), (blocks, 1000)):
        assert decode(content, most=2 * containers.STEP * steps).shape == (HEIGHT, WIDTH, 3)
        with pytest.raises(containers.TooMuchWork):
            decode(content, most=containers.STEP * steps - 1)
