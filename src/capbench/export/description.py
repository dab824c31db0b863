"""The JSON file beside an exported graph: input, output, and how to decode them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, ConfigDict, ValidationError

from capbench.data.views import View
from capbench.errors import Mistake
from capbench.images import Exif
from capbench.settings import build, check
from capbench.text import MOST_CHARACTERS, Alphabet, Codec
from capbench.utils import bounded

BATCH = 64  # images that are read at once; more are no faster on a CPU, and take memory
IMAGES, PROBABILITIES = "images", "probabilities"  # what the graph's one input and one output are called
MOST_BYTES = 2**20
MOST_SYMBOLS = 100_000

Size = Annotated[int, Ge(1), Le(4096)]
Sha256 = Annotated[str, Len(64, 64)]


class Description(BaseModel):
    """What `export` writes beside the graph, and all that `Graph` believes about it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    capbench_graph: Literal[1]
    """Changes when an older CapBench could not read it."""
    name: str
    alphabet: Annotated[str, Len(1, MOST_SYMBOLS)]
    fold: Literal["lower", "upper"] | None
    length: Annotated[list[Annotated[int, Ge(0), Le(MOST_CHARACTERS)]], Len(2, 2)]
    """Symbols of the shortest and the longest text"""
    over: Literal["positions", "time"]
    """One class for each position, or over time with repeats and blanks between them (CTC)"""
    blank: int | None
    """The class that stands for no symbol; the others are the alphabet's symbols in their order"""
    exif: Exif
    """Whether photographs are to be turned upright when they are decoded, as in training"""
    takes: Literal["image", "view"]
    """The decoded image, or what `view` makes of it: what a graph cannot do is done before it"""
    view: dict[str, Any]
    input: Annotated[list[Size], Len(3, 4)]
    """uint8 `images` [batch, …]: rows, columns, channels; of cut images, characters before them"""
    output: Annotated[list[Annotated[int, Ge(1), Le(MOST_SYMBOLS + 1)]], Len(2, 2)]
    """float32 `probabilities` [batch, …]: positions or steps of time, classes"""
    int8: bool
    graph: Sha256
    """Of the ONNX file"""
    run: Sha256
    """Of the run's weights"""
    versions: dict[str, str]

    @classmethod
    def of(cls, graph: Path) -> Description:
        """The one that belongs to an ONNX file, checked; nothing in it can name what CapBench does not build."""
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
            raise Mistake(f"{path}: is no description of a graph of CapBench's ({where}: {first['msg']})") from error

    def codec(self) -> Codec:
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
        """The view, built only if its settings name one of CapBench's own."""
        check({"view": self.view}, _seen_with)
        return build(self.view)


def _seen_with(*, view: View) -> None:
    """What a graph's JSON may have built; the check reads this signature."""


def beside(graph: Path) -> Path:
    """Where a graph's JSON lies."""
    return graph.with_suffix(".json")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
