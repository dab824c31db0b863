"""JSON file beside an exported graph: its input, its output, and how to decode them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, ConfigDict, ValidationError

from capbench.data.views import View
from capbench.errors import Mistake
from capbench.images import Exif, Frames
from capbench.settings import build, check
from capbench.text import MOST_SYMBOLS, Alphabet, Codec, Lengths, Symbols
from capbench.utils import bounded

BATCH = 64  # images that are read at once; more take memory and are no faster on a CPU
IMAGES, PROBABILITIES = "images", "probabilities"  # names of the graph's only input and only output
MOST_BYTES = 2**20  # of the JSON file

Size = Annotated[int, Ge(1), Le(4096)]
Sha256 = Annotated[str, Len(64, 64)]


class Description(BaseModel):
    """Content of the JSON file: `export` writes it, and `Graph` relies on nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    capbench_graph: Literal[1]
    """Version of the format, raised where an older CapBench cannot read a file."""
    name: str
    alphabet: Symbols
    fold: Literal["lower", "upper"] | None
    length: Lengths
    """Number of symbols of the shortest and of the longest text."""
    over: Literal["positions", "time"]
    """`positions`: one class for each position; `time`: classes over time, with repeats and blanks (CTC)."""
    blank: int | None
    """The class that stands for no symbol; the other classes are the alphabet's symbols in order."""
    exif: Exif
    """`turn` where images are turned upright by their EXIF orientation when they are decoded, as in training."""
    frames: Frames = "first"
    """Frames of an animation that are seen when images are decoded, as in training."""
    takes: Literal["image", "view"]
    """`image`: the graph takes the decoded image; `view`: it takes the output of `view`, which runs before it."""
    view: dict[str, Any]
    input: Annotated[list[Size], Len(3, 4)]
    """Shape of one item of the uint8 input `images` [batch, …]: [character,] height, width, channel."""
    output: Annotated[list[Annotated[int, Ge(1), Le(MOST_SYMBOLS + 1)]], Len(2, 2)]
    """Shape of one item of the float32 output `probabilities` [batch, …]: positions or steps of time, classes."""
    int8: bool
    graph: Sha256
    """Hash of the ONNX file."""
    run: Sha256
    """Hash of the run's weights."""
    versions: dict[str, str]

    @classmethod
    def of(cls, graph: Path) -> Description:
        """Return the checked description of an ONNX file, or raise Mistake.

        Its settings can name only views that CapBench itself ships.
        """
        path = beside(graph)
        try:
            content = bounded.content(path, MOST_BYTES)
        except Mistake as mistake:
            raise Mistake(f"{mistake}; a graph's JSON lies beside it") from mistake
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise Mistake(f"{path}: does not describe a graph that CapBench wrote ({where}: {first['msg']})") from error

    def codec(self) -> Codec:
        """Return the codec of the graph's output; raise Mistake where the description contradicts itself."""
        codec = Codec(Alphabet(symbols=self.alphabet, fold=self.fold), self.length[0], self.length[1], self.over)
        blank = codec.blank if codec.classes > codec.blank else None
        if (self.blank, self.output[1]) != (blank, codec.classes):
            raise Mistake(
                f"blank={self.blank} and {self.output[1]} classes do not fit {codec.blank} symbols over {self.over}"
            )
        if self.over == "positions" and self.output[0] != codec.longest:
            raise Mistake(f"{self.output[0]} positions do not fit texts of up to {codec.longest} symbols")
        return codec

    def seen(self) -> View:
        """Return the view, built only if the settings name one of CapBench's own."""
        check({"view": self.view}, _seen_with)
        return build(self.view)


def _seen_with(*, view: View) -> None:
    """Declare what a description may have built; `check` reads this signature."""


def beside(graph: Path) -> Path:
    """Return the path of a graph's JSON file."""
    return graph.with_suffix(".json")


def sha256(content: bytes) -> str:
    """Return the hash of some bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
