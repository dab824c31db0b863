from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from capbench.errors import Mistake
from capbench.render.reference import CaptchaPackage
from capbench.render.style import Style

STYLE = Style(width=160, height=60, fonts=None, font_sizes=[42, 50, 56])


def renderer(seed: int = 1, shortest: int = 4, longest: int = 4) -> CaptchaPackage:
    return CaptchaPackage(STYLE, "0123456789", shortest, longest, seed)


def fingerprint(numbers: list[int]) -> str:
    return hashlib.sha256(b"".join(renderer().sample(i)[0].tobytes() for i in numbers)).hexdigest()


def test_texts_stay_what_they_were() -> None:
    """These were drawn when the renderer was written; a change would silently change every data set."""
    assert [renderer().text(i) for i in (0, 1, 2**40)] == TEXTS


TEXTS = ["4378", "2029", "3869"]


def test_a_sample_is_a_function_of_its_index() -> None:
    forward = [renderer().sample(i) for i in range(6)]
    backward = [renderer().sample(i) for i in reversed(range(6))][::-1]
    for (a, text), (b, other) in zip(forward, backward, strict=True):
        assert text == other
        assert (a == b).all()
        assert a.shape == (60, 160, 3)
    assert len({image.tobytes() for image, _ in forward}) == 6


def test_threads_change_nothing() -> None:
    alone = [renderer().sample(i)[0] for i in range(40)]
    shared = renderer()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: shared.sample(i)[0], range(40)))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_another_process_draws_the_same_bytes() -> None:
    code = "from tests.render.test_reference import fingerprint; print(fingerprint([3, 1, 2]))"
    root = __file__.rpartition("/tests/")[0]
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert other.stdout.strip() == fingerprint([3, 1, 2])


def test_seeds_differ() -> None:
    assert [renderer(1).text(i) for i in range(9)] != [renderer(2).text(i) for i in range(9)]


def test_symbols_and_lengths_are_drawn_evenly() -> None:
    texts = [renderer(shortest=3, longest=5).text(i) for i in range(6000)]
    symbols = np.unique(list("".join(texts)), return_counts=True)[1]
    lengths = np.unique([len(t) for t in texts], return_counts=True)[1]
    for counts in (symbols, lengths):
        expected = counts.sum() / len(counts)
        assert ((counts - expected) ** 2 / expected).sum() < 30  # chi square, far out in the tail


def test_the_text_is_what_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha.image import ImageCaptcha

    painted: list[str] = []
    draw = ImageCaptcha._draw_character

    def noted(self: ImageCaptcha, symbol: str, *rest: Any) -> Any:
        painted.append(symbol)
        return draw(self, symbol, *rest)

    monkeypatch.setattr(ImageCaptcha, "_draw_character", noted)
    _, text = renderer().sample(11)
    assert "".join(painted).replace(" ", "") == text


def test_a_style_that_cannot_be_is_refused(tmp_path: object) -> None:
    with pytest.raises(Mistake, match="style.fonts: nothing.ttf is not a file"):
        Style(width=160, height=60, fonts=["nothing.ttf"], font_sizes=[42])
    with pytest.raises(Mistake, match="style.fonts: .* cannot be read as a font"):
        Style(width=160, height=60, fonts=[__file__], font_sizes=[42])
    with pytest.raises(Mistake, match="style.font_sizes: is empty"):
        Style(width=160, height=60, fonts=None, font_sizes=[])
