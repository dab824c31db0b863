"""Tesseract, called as a library in this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from capbench.data.views import View
from capbench.errors import Mistake
from capbench.label.engines.base import Engine, Read, Unread, check_line
from capbench.text import Alphabet, Reading
from capbench.utils.extras import needed

PLACES = ("/usr/share/tesseract-ocr/*/tessdata", "/usr/share/tessdata", "/opt/homebrew/share/tessdata")


@dataclass(frozen=True, kw_only=True)
class Tesseract(Engine):
    """Engine that reads the view as one line, or character by character where the view cuts."""

    view: View
    characters: int | None
    """The number of characters that a cutting view finds; null where the view does not cut."""
    tessdata: str | None

    def __post_init__(self) -> None:
        if self.view.cuts and self.characters is None:
            raise Mistake(
                "label.engines: Tesseract's view cuts images into characters; set how many with its key characters"
            )

    @property
    def version(self) -> str:
        """Version of the Tesseract library."""
        return str(needed("tesserocr", "ocr").tesseract_version())

    def open(self, alphabet: Alphabet) -> Read:
        """Load Tesseract, limited to the alphabet's symbols, and return its read function."""
        tesserocr = needed("tesserocr", "ocr")
        mode = tesserocr.PSM.SINGLE_CHAR if self.view.cuts else tesserocr.PSM.SINGLE_LINE
        api = tesserocr.PyTessBaseAPI(path=self._folder(), psm=mode)
        cased = {*alphabet.symbols, *alphabet.symbols.lower(), *alphabet.symbols.upper()} if alphabet.fold else {
            *alphabet.symbols
        }  # fmt: skip
        api.SetVariable("tessedit_char_whitelist", "".join(sorted(cased)))

        def read(image: np.ndarray) -> Reading:
            try:
                seen = self.view(image, self.characters or 1)
            except (Mistake, cv2.error) as error:
                raise Unread(f"cannot be prepared for Tesseract ({' '.join(str(error).split())})") from error
            if not self.view.cuts:
                check_line(seen)
            pieces = [_on_paper(piece) for piece in seen] if self.view.cuts else [seen]
            found = [pair for piece in pieces for pair in _symbols(tesserocr, api, piece)]
            symbols = [(alphabet.folded(symbol), sure) for symbol, sure in found]
            known = [(symbol, sure) for symbol, sure in symbols if symbol in alphabet.symbols]
            sure = tuple(confidence for _, confidence in known)
            return Reading("".join(symbol for symbol, _ in known), float(np.prod(sure)) if known else 0.0, sure)

        return read

    def _folder(self) -> str:
        if self.tessdata is not None:
            if not Path(self.tessdata, "eng.traineddata").is_file():
                raise Mistake(f"label.engines: {self.tessdata} holds no eng.traineddata; give Tesseract's data folder")
            return self.tessdata
        beside = os.environ.get("TESSDATA_PREFIX")
        found = [Path(beside)] if beside else [folder for place in PLACES for folder in Path("/").glob(place[1:])]
        for folder in found:
            if (folder / "eng.traineddata").is_file():
                return str(folder)
        raise Mistake(
            "label.engines: Tesseract's eng.traineddata is missing; make system installs it (tesseract-ocr-eng)"
        )


def _on_paper(piece: np.ndarray) -> np.ndarray:
    """Return a cut character, uint8 [height, width, channel], dark on light and with a margin.

    Tesseract reads few characters without a margin.
    """
    edge = np.concatenate([piece[0], piece[-1], piece[:, 0], piece[:, -1]])
    if np.median(edge) < 128:
        piece = 255 - piece
    margin = piece.shape[0] // 3
    return np.pad(piece, ((margin, margin), (margin, margin), (0, 0)), constant_values=piece.max())


def _symbols(tesserocr: Any, api: Any, piece: np.ndarray) -> list[tuple[str, float]]:
    """Return the symbols of a picture uint8 [height, width, 1 or 3], each with its confidence from 0 to 1."""
    try:
        api.SetImage(Image.fromarray(piece[:, :, 0] if piece.shape[2] == 1 else piece))
    except RuntimeError as error:
        raise Unread(f"is refused by Tesseract ({error})") from error
    if not api.Recognize():
        return []
    level = tesserocr.RIL.SYMBOL
    found = []
    for item in tesserocr.iterate_level(api.GetIterator(), level):
        try:
            found.append((item.GetUTF8Text(level), item.Confidence(level) / 100))
        except RuntimeError:  # tesserocr raises it where there is no text
            continue
    return [(text, sure) for text, sure in found if text.strip()]
