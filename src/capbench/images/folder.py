"""Files of a folder or a zip file, and the images among them."""

from __future__ import annotations

import os
import posixpath
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
    """Files of a folder or a zip file, read one at a time; can be sent to another process."""

    def __init__(self, root: str, key: str) -> None:
        """Check that `root` is a folder or a zip file; `key` is the setting that names it, for messages."""
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
            raise Mistake(f"{self.key}: {self.root} is a damaged zip file ({error}); pack it again") from error

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "key": self.key, "zipped": self.zipped}

    @cached_property
    def _stored(self) -> dict[str, str]:
        """Stored name of each file, by its path below the root as text with forward slashes."""
        if self.zipped:
            members = [member for member in self._zip.infolist() if member.filename and not member.is_dir()]
            return {_packed_name(member): member.filename for member in members}
        try:
            return {legible(name): name for name in _below(self.root)}
        except OSError as error:
            raise Mistake(f"{self.key}: {legible(str(error.filename))} cannot be read ({error.strerror})") from error

    @property
    def known(self) -> Set[str]:
        """Paths of all files."""
        return self._stored.keys()

    @cached_property
    def names(self) -> list[str]:
        """Paths of all files but the hidden ones, sorted."""
        return sorted(name for name in self._stored if not _hidden(name))

    @cached_property
    def images(self) -> list[str]:
        """Paths with the suffix of an image or of base64 text; only decoding shows whether a file is an image."""
        return [name for name in self.names if posixpath.splitext(name)[1].lower() in SUFFIXES]

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise BadImage.

        No more than MOST_BYTES are read, whatever size a zip file claims.
        """
        # The stored name is looked up only where it may differ, since listing a folder takes time.
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
        # zipfile raises the last two for an unknown compression and for a password.
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
            raise BadImage(f"has over {MOST_BYTES:,} bytes, the most that are accepted")
        return content


def legible(name: str) -> str:
    """Return a file's name as text, with bytes that are no UTF-8 escaped, since some systems allow them."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _packed_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name as it was packed.

    macOS does not flag a name as UTF-8, and old programs write backslashes.
    """
    name = member.filename
    if not member.flag_bits & UTF_8:
        with suppress(UnicodeDecodeError):
            name = name.encode("cp437").decode("utf-8")  # zipfile has decoded it by the format's own code page
    return name.replace("\\", "/")


def _hidden(name: str) -> bool:
    """Return whether a file's name hides it, as do the names of the extra files that macOS adds to zip files."""
    if "/." not in f"/{name}" and "__MACOSX" not in name:  # nearly all names; to part each takes longer
        return False
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _below(root: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder; links to folders are followed, each folder once."""

    def refuse(error: OSError) -> None:
        raise error

    seen = set()
    waiting = [root]  # grows by each link that is found
    for start in waiting:
        for where, folders, files in os.walk(start, onerror=refuse):
            here = Path(where)
            identity = here.stat().st_dev, here.stat().st_ino
            if identity in seen:
                folders.clear()
                continue
            seen.add(identity)
            below = "" if here == root else f"{here.relative_to(root).as_posix()}/"
            yield from (below + name for name in files if (here / name).is_file())
            waiting += [here / name for name in sorted(folders) if (here / name).is_symlink()]


def image_names(root: str, key: str) -> tuple[Files, list[str]]:
    """Return images by their names: those in a folder or a zip file, one image file, or those in a list.

    `key` is the setting that names `root`, for messages. A list is a text file with a path on each line, relative to
    the working directory.
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
    """Return whether the file begins as an image or is base64 text of one, even a damaged one."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return kind_of(content) is not None or image_within(content) is not None
    except BadImage:
        return True


def _listed(path: Path, key: str) -> list[str]:
    """Return the paths on the lines of a text file; raise Mistake where none is the path of a file."""
    wanted = f"{key}: {path} is neither an image, a zip file nor a list"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Mistake(f"{wanted}; write a path on each line, in UTF-8") from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not any(Path(name).is_file() for name in names):
        raise Mistake(f"{wanted}; none of its lines is the path of a file")
    return names
