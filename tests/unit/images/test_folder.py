"""Images in folders and zip files."""

from __future__ import annotations

import base64
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from capbench import images
from capbench.errors import BadImage, Mistake
from capbench.images.folder import Files, image_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of unlabelled captchas, as base64 in text files and as an image, beside other files."""
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


def test_images_of_a_folder_or_zip_file_are_recognised_by_name(folder: Path) -> None:
    for root in (folder, zipped(folder)):
        files = Files(str(root), "images")
        assert files.images == ["1.txt", "2.txt", "3.B64", "5.txt", "more/4.JPG"]
        for name in set(files.images) - {"5.txt"}:
            assert images.decode(files.read(name)).tolist() == [[[1, 2, 3]] * 4] * 3
        with pytest.raises(BadImage, match="not an image of a known format"):
            images.decode(files.read("5.txt"))


def test_file_names_outside_utf_8_are_listed_escaped_and_read(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    for name, content in ((b"caf\xe9.png", b"GIF89a1"), (rb"plain\xe9.png", b"2"), ("café.png".encode(), b"3")):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(content)
    files = Files(str(root), "images")
    assert {name: files.read(name) for name in files.images} == {
        "caf\\xe9.png": b"GIF89a1", "plain\\xe9.png": b"2", "café.png": b"3",
    }  # fmt: skip
    one, names = image_names(os.fsdecode(os.fsencode(root) + b"/caf\xe9.png"), "images")
    assert (names, one.read(names[0])) == (["caf\\xe9.png"], b"GIF89a1")


def test_a_damaged_zip_file_is_an_error_of_one_line(folder: Path) -> None:
    path = zipped(folder)
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    path.write_bytes(content[:directory] + b"XX" + content[directory + 2 :])
    with pytest.raises(Mistake, match=r"images: .*raw\.zip is a damaged zip file"):
        _ = Files(str(path), "images").names


def test_a_damaged_zip_member_is_refused_and_others_are_read(folder: Path) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    start = content.index(b"1.txt") + 5
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    files = Files(str(path), "images")
    with pytest.raises(BadImage, match="cannot be read"):
        files.read("1.txt")
    assert files.read("2.txt").startswith(b"data:")


def test_a_zip_member_without_a_name_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"GIF89a1")
    content = path.read_bytes()
    directory, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = bytearray(content[directory:end])
    entry[28:32] = b"\0\0\x01\0"  # no name, and one byte of extra field instead
    path.write_bytes(content[:directory] + entry + content[end:])
    assert Files(str(path), "images").names == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods_that_inflate_without_bound_are_refused(folder: Path, method: int) -> None:
    with pytest.raises(BadImage, match="pack it with plain zip"):
        Files(str(zipped(folder, method)), "images").read("1.txt")


def test_a_zip_member_with_a_false_size_is_refused_within_the_memory_limit(tmp_path: Path) -> None:
    """Read a member of a gigabyte of zeros whose entry says five bytes: it must not be inflated as a whole."""
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


def test_a_file_over_the_size_limit_is_refused(folder: Path) -> None:
    (folder / "1.txt").write_bytes(b"A" * (images.MOST_BYTES + 1))
    for root in (folder, zipped(folder)):
        with pytest.raises(BadImage, match="over 10,485,760 bytes"):
            Files(str(root), "images").read("1.txt")


def test_files_that_operating_systems_add_are_not_listed_as_images(folder: Path) -> None:
    before = Files(str(folder), "images").images
    for name in ("._1.txt", ".DS_Store", "more/Thumbs.db", "__MACOSX/._2.png", "__MACOSX/more/._4.JPG", ".trash/5.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7")
    for root in (folder, zipped(folder)):
        assert Files(str(root), "images").images == before


def test_a_hidden_file_can_be_read_by_name(folder: Path) -> None:
    (folder / ".1.png").write_bytes(b"x")
    files = Files(str(folder), "images")
    assert ".1.png" in files.known
    assert files.read(".1.png") == b"x"


def test_a_file_is_read_by_its_escaped_name(folder: Path) -> None:
    stored = folder / os.fsdecode(b"caf\xe9.png")
    try:
        stored.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes text only")
    assert "caf\\xe9.png" in Files(str(folder), "images").images
    assert Files(str(folder), "images").read("caf\\xe9.png") == b"x"
    stored.write_bytes((folder.parent / "one.png").read_bytes())
    files, names = image_names(str(stored), "images")
    assert names == ["caf\\xe9.png"]
    assert files.read(names[0]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("caf\xe9.png".encode(), "caf\xe9.png"),  # macOS writes UTF-8 without its flag
        ("caf\xe9.png".encode("cp437"), "caf\xe9.png"),  # the default encoding of zip files
        (b"images\\1.png", "images/1.png"),  # packed on Windows
    ],
)
def test_names_in_a_zip_file_are_decoded_whatever_system_packed_it(stored: bytes, name: str, tmp_path: Path) -> None:
    path, placeholder = tmp_path / "foreign.zip", "x" * len(stored)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(placeholder, b"content")
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), stored))
    files = Files(str(path), "images")
    assert files.names == [name]
    assert files.read(name) == b"content"


def test_symbolic_links_are_followed_to_each_folder_once(folder: Path, tmp_path: Path) -> None:
    before = Files(str(folder), "images").names
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "6.png").write_bytes(b"x")
    (elsewhere / "round").symlink_to(folder)
    (folder / "away").symlink_to(elsewhere)
    (folder / "7.png").symlink_to(elsewhere / "6.png")
    (folder / "again").symlink_to(folder / "more")
    (folder / "8.png").symlink_to(tmp_path / "nothing")
    files = Files(str(folder), "images")
    assert files.names == sorted([*before, "7.png", "away/6.png"])
    assert files.read("away/6.png") == b"x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_an_unreadable_folder_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "more").chmod(0)
    with pytest.raises(Mistake, match="images: .*more cannot be read"):
        _ = Files(str(folder), "images").names
    (folder / "more").chmod(0o700)
