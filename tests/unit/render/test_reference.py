"""Renderer of the captcha package."""

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
from tests.helpers.settings import style


def renderer(seed: int = 1, shortest: int = 4, longest: int = 4) -> CaptchaPackage:
    return CaptchaPackage(style(), "0123456789", shortest, longest, seed)


def fingerprint(numbers: list[int]) -> str:
    return hashlib.sha256(renderer().pictures(np.array(numbers)).tobytes()).hexdigest()


def test_texts_of_the_captcha_package_renderer_stay_the_same() -> None:
    """Compare with texts of the first version: a change would silently change every data set."""
    assert renderer().texts(np.array([0, 1, 2**40])) == TEXTS


TEXTS = ["4378", "2029", "3869"]


def test_a_captcha_package_sample_depends_only_on_its_index() -> None:
    own = renderer()
    forward = [own.sample(i) for i in range(6)]
    backward = [own.sample(i) for i in reversed(range(6))][::-1]
    for (a, text), (b, other) in zip(forward, backward, strict=True):
        assert text == other
        assert (a == b).all()
        assert a.shape == (60, 160, 3)
    assert len({image.tobytes() for image, _ in forward}) == 6


def test_captcha_package_samples_do_not_depend_on_threads() -> None:
    shared = renderer()
    alone = list(renderer().pictures(np.arange(40)))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: shared.sample(i)[0], range(40)))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_the_captcha_package_renderer_draws_the_same_bytes_in_another_process() -> None:
    code = "from tests.unit.render.test_reference import fingerprint; print(fingerprint([3, 1, 2]))"
    root = __file__.rpartition("/tests/")[0]
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert other.stdout.strip() == fingerprint([3, 1, 2])


def test_captcha_package_texts_differ_between_seeds() -> None:
    assert renderer(1).texts(np.arange(9)) != renderer(2).texts(np.arange(9))


def test_captcha_package_symbols_and_lengths_are_uniform() -> None:
    texts = renderer(shortest=3, longest=5).texts(np.arange(6000))
    symbols = np.unique(list("".join(texts)), return_counts=True)[1]
    lengths = np.unique([len(t) for t in texts], return_counts=True)[1]
    for counts in (symbols, lengths):
        expected = counts.sum() / len(counts)
        assert ((counts - expected) ** 2 / expected).sum() < 30  # chi square, far out in the tail


def test_the_captcha_package_paints_the_text_of_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha.image import ImageCaptcha

    painted: list[str] = []
    draw = ImageCaptcha._draw_character

    def noted(self: ImageCaptcha, symbol: str, *rest: Any) -> Any:
        painted.append(symbol)
        return draw(self, symbol, *rest)

    monkeypatch.setattr(ImageCaptcha, "_draw_character", noted)
    _, text = renderer().sample(11)
    assert "".join(painted).replace(" ", "") == text


def test_the_captcha_package_renderer_refuses_other_styles() -> None:
    with pytest.raises(Mistake, match=r"data.renderer: captcha draws only as that package does; choose style=default"):
        CaptchaPackage(style("style.fade=false"), "0123456789", 4, 4, 1)
