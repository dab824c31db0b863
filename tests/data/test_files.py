from __future__ import annotations

import base64
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from capbench import images
from capbench.data.files import Files
from capbench.errors import BadImage, Mistake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Captchas as a site hands them out: base64 in text files, without labels; and what lies beside them."""
    from PIL import Image

    root = tmp_path / "raw"
    (root / "more").mkdir(parents=True)
    Image.new("RGB", (4, 3), (1, 2, 3)).save(tmp_path / "one.png")
    content = (tmp_path / "one.png").read_bytes()
    (root / "1.txt").write_bytes(base64.b64encode(content))
    (root / "2.txt").write_bytes(b"data:image/png;base64," + base64.b64encode(content))
    (root / "3.B64").write_bytes(base64.encodebytes(content))
    (root / "more" / "4.JPG").write_bytes(content)
    (root / "5.txt").write_text("some notes\n")
    (root / "labels.csv").write_text("filename,label\n")
    return root


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_the_images_of_a_folder_or_zip_are_told_by_their_names(folder: Path) -> None:
    for root in (folder, zipped(folder)):
        files = Files(str(root), "images")
        assert files.images == ["1.txt", "2.txt", "3.B64", "5.txt", "more/4.JPG"]
        for name in set(files.images) - {"5.txt"}:
            assert images.decode(files.read(name)).tolist() == [[[1, 2, 3]] * 4] * 3
        with pytest.raises(BadImage, match="no image of a known format"):
            images.decode(files.read("5.txt"))


def test_a_damaged_zip_file_is_one_line(folder: Path) -> None:
    path = zipped(folder)
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    path.write_bytes(content[:directory] + b"XX" + content[directory + 2 :])
    with pytest.raises(Mistake, match=r"images: .*raw\.zip is a damaged zip file"):
        _ = Files(str(path), "images").names


def test_damaged_members_are_refused(folder: Path) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    start = content.index(b"1.txt") + 5
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    files = Files(str(path), "images")
    with pytest.raises(BadImage, match="cannot be read"):
        files.read("1.txt")
    assert files.read("2.txt").startswith(b"data:")


def test_a_member_without_a_name_is_none(tmp_path: Path) -> None:
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"1")
    content = path.read_bytes()
    directory, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = bytearray(content[directory:end])
    entry[28:32] = b"\0\0\x01\0"  # no name, and a byte of extra instead
    path.write_bytes(content[:directory] + entry + content[end:])
    assert Files(str(path), "images").names == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_inflate_without_bound_are_refused(folder: Path, method: int) -> None:
    with pytest.raises(BadImage, match="pack it with plain zip"):
        Files(str(zipped(folder, method)), "images").read("1.txt")


def test_a_member_that_lies_about_its_size_inflates_no_further(tmp_path: Path) -> None:
    """A gigabyte of zeros that says it has five bytes; reading it whole would inflate it first and cut it then."""
    import tracemalloc

    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.txt", block * 1024 + pack.flush())
    content = bytearray(path.read_bytes())
    for place, method, size in ((0, 8, 22), (content.rindex(b"PK\x01\x02"), 10, 24)):
        struct.pack_into("<H", content, place + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", content, place + size, 5)
    path.write_bytes(content)
    files = Files(str(path), "images")
    tracemalloc.start()
    with pytest.raises(BadImage, match="cannot be read"):
        files.read("1.txt")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * images.MOST_BYTES


def test_a_file_beyond_the_limit_is_refused(folder: Path) -> None:
    (folder / "1.txt").write_bytes(b"A" * (images.MOST_BYTES + 1))
    for root in (folder, zipped(folder)):
        with pytest.raises(BadImage, match="over 10,485,760 bytes"):
            Files(str(root), "images").read("1.txt")
