"""Files of a folder or a zip file, and which of them are images."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Set
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath

from capbench.errors import Mistake
from capbench.images import MOST_BYTES, SUFFIXES, BadImage
from capbench.images.base64_text import image_within
from capbench.images.containers import kind_of
from capbench.utils.bounded import opened

UTF_8 = 0x800  # flag of a zip file's member: its name is UTF-8


class Files:
    """The files of a folder or a zip file, read one at a time; safe to send to another process."""

    def __init__(self, root: str, key: str) -> None:
        """`key` is the setting that names `root`, for messages."""
        self.root = Path(root)
        self.key = key
        if not self.root.exists():
            raise Mistake(f"{key}: {root} does not exist; give a folder or a zip file of images")
        self.zipped = self.root.is_file()
        if self.zipped and not zipfile.is_zipfile(self.root):
            raise Mistake(f"{key}: {root} is neither a folder nor a zip file")

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.root)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise Mistake(f"{self.key}: {self.root} is a damaged zip file ({error}); pack it anew") from error

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "key": self.key, "zipped": self.zipped}

    @cached_property
    def _stored(self) -> dict[str, str]:
        """What each file is stored under, by its path below the root as text with forward slashes."""
        if self.zipped:
            members = [member for member in self._zip.infolist() if member.filename and not member.is_dir()]
            return {_packed_name(member): member.filename for member in members}
        try:
            return {legible(name): name for name in _below(self.root)}
        except OSError as error:
            raise Mistake(f"{self.key}: {legible(str(error.filename))} cannot be read ({error.strerror})") from error

    @property
    def known(self) -> Set[str]:
        """All files."""
        return self._stored.keys()

    @cached_property
    def names(self) -> list[str]:
        """All files but those that systems hide, sorted."""
        return sorted(name for name in self._stored if not _hidden(name))

    @property
    def images(self) -> list[str]:
        """The files that their names call images, base64 text among them; whether each is one, decoding tells."""
        return [name for name in self.names if PurePosixPath(name).suffix.lower() in SUFFIXES]

    def read(self, name: str) -> bytes:
        """A file's content, or BadImage; never more than the limit of it, whatever a zip file says of its size."""
        # Only where a name may not be the stored one: to list a folder takes time.
        stored = self._stored.get(name, name) if self.zipped or "\\" in name else name
        try:
            if self.zipped and self._zip.getinfo(stored).compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise BadImage(
                    "is packed in a way that is not taken; pack it with plain zip"
                )  # others inflate unbounded
            with self._zip.open(stored) if self.zipped else opened(self.root / stored) as file:
                content = file.read(MOST_BYTES + 1)
        # zipfile tells an unknown compression and a password with the last two.
        except (
            OSError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise BadImage(f"cannot be read ({str(error) or type(error).__name__})") from error
        if len(content) > MOST_BYTES:
            raise BadImage(f"has over {MOST_BYTES:,} bytes, the most that are taken")
        return content


def legible(name: str) -> str:
    """A file's name as text, in which bytes that are no UTF-8 are spelt out: not every system's names are text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _packed_name(member: zipfile.ZipInfo) -> str:
    """A member's name as it was packed: macOS does not say that a name is UTF-8, and old programs write backslashes."""
    name = member.filename
    if not member.flag_bits & UTF_8:
        with suppress(UnicodeDecodeError):
            name = name.encode("cp437").decode("utf-8")  # zipfile took it for the format's own code page
    return name.replace("\\", "/")


def _hidden(name: str) -> bool:
    """Whether the file is hidden by its name, as are those that macOS lays beside others, in zip files in a folder."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _below(root: Path) -> Iterator[str]:
    """The paths of all files below a folder; links to other folders are followed, to each folder once."""

    def refuse(error: OSError) -> None:
        raise error

    seen = set()
    waiting = [root]  # grows as links are met
    for start in waiting:
        for where, folders, files in os.walk(start, onerror=refuse):
            here = Path(where)
            identity = here.stat().st_dev, here.stat().st_ino
            if identity in seen:
                folders.clear()
                continue
            seen.add(identity)
            paths = (here / name for name in files)
            yield from (path.relative_to(root).as_posix() for path in paths if path.is_file())
            waiting += [here / name for name in sorted(folders) if (here / name).is_symlink()]


def image_names(root: str, key: str) -> tuple[Files, list[str]]:
    """Images by their names: those of a folder or a zip file, one image file, or those that a text file lists.

    `key` is the setting that names `root`, for messages. Listed paths begin where the program runs.
    """
    path = Path(root)
    if path.is_file() and _is_image(path):
        return Files(str(path.parent), key), [legible(path.name)]
    if path.is_file() and not zipfile.is_zipfile(path):
        return Files(".", key), _listed(path, key)
    files = Files(root, key)
    if not files.images:
        raise Mistake(f"{key}: {root} holds no image; accepted are {', '.join(sorted(SUFFIXES))}")
    return files, files.images


def _is_image(path: Path) -> bool:
    """Whether the file begins as an image or is base64 text of one, even if it is a damaged one."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return kind_of(content) is not None or image_within(content) is not None
    except BadImage:
        return True


def _listed(path: Path, key: str) -> list[str]:
    wanted = f"{key}: {path} is no image, no zip file and no list"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Mistake(f"{wanted}; write a path on each line, in UTF-8") from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not any(Path(name).is_file() for name in names):
        raise Mistake(f"{wanted}; none of its lines is the path of a file")
    return names
