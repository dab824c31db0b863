"""A finished run as an engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capbench.errors import BadImage, Mistake
from capbench.images import Exif, Frames
from capbench.label.engines.base import Engine, Read, Unread
from capbench.runs import RunFolder, exif_of, frames_of
from capbench.text import Alphabet, Length, Reading


@dataclass(frozen=True, kw_only=True)
class Trained(Engine):
    """Engine that reads as a finished run does.

    Where the run knows all symbols of the alphabet, only texts of that alphabet are considered, else its own texts are.
    """

    run: str
    length: Length | None = None

    @property
    def version(self) -> str:
        """Fingerprint of the run's folder; raise Mistake where the run is not finished."""
        folder = RunFolder.named(self.run)
        if not folder.weights.is_file():
            raise Mistake(f"label.engines: {self.run} is not a finished run; it has no {folder.weights.name}")
        return folder.fingerprint()

    @property
    def exif(self) -> Exif:
        """The run's own treatment of the EXIF orientation."""
        return exif_of(RunFolder.named(self.run).settings())

    @property
    def frames(self) -> Frames:
        """Frames of an animation that the run itself sees."""
        return frames_of(RunFolder.named(self.run).settings())

    def open(self, alphabet: Alphabet) -> Read:
        """Load the run and return its read function, with the alphabet's case folding."""
        import torch  # imported here because the other engines do not need it

        from capbench.inference.reader import Reader

        torch.set_num_threads(1)  # other processes keep the other cores busy
        reader = Reader.of(RunFolder.named(self.run))
        own = reader.codec.alphabet
        told = alphabet if {*alphabet.symbols} < {*map(alphabet.folded, own.symbols)} else None

        def read(image: np.ndarray) -> Reading:
            try:
                found = reader.read(image, alphabet=told, length=self.length)
            except BadImage as error:
                raise Unread(str(error).removeprefix("image ")) from error
            return Reading(alphabet.folded(found.text), found.confidence, found.characters)

        return read
