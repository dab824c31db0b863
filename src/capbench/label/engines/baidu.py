"""Baidu's OCR service over HTTP, with token renewal, rate limit, retries and named errors."""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le

from capbench.data.views import pick
from capbench.errors import Mistake
from capbench.label.engines.base import Engine, Read, Unread
from capbench.text import Alphabet, Reading
from capbench.utils.extras import needed

KEY, SECRET = "BAIDU_OCR_KEY", "BAIDU_OCR_SECRET"
TIMEOUT = 15  # seconds for one request

TOKEN_IS_OLD = {110: "the token is invalid", 111: "the token has expired"}
TRY_AGAIN = {1: "unknown error", 2: "service not available", 4: "cluster over its limit", 18: "too many requests per second",
             282000: "internal error"}  # fmt: skip
STOP = {6: "no permission", 14: "the key's signature is wrong", 17: "the daily quota is used up",
        19: "the whole quota is used up", 100: "bad parameter"}  # fmt: skip
BAD_IMAGE = {216200: "empty image", 216201: "image format is not supported", 216202: "image size is not supported",
             216630: "recognition failed", 282810: "recognition failed"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Baidu(Engine):
    """Engine that calls Baidu's general text recognition.

    The API key and secret come from the environment variables BAIDU_OCR_KEY and BAIDU_OCR_SECRET.
    """

    url: str
    per_second: Annotated[float, Gt(0), Le(100)]
    attempts: Annotated[int, Ge(1), Le(20)]

    one_process = True

    @property
    def version(self) -> str:
        """Name of the service's endpoint, which has no version number."""
        return "general_basic"

    def open(self, alphabet: Alphabet) -> Read:
        """Return a function that reads by the service; symbols outside the alphabet are dropped."""
        client = Client(self.url.rstrip("/"), self.per_second, self.attempts)

        def read(image: np.ndarray) -> Reading:
            _, content = cv2.imencode(".png", pick(image, "colour")[:, :, ::-1])
            lines = client.recognise(content.tobytes())
            pairs = [(symbol, sure) for line, sure in lines for symbol in alphabet.folded(line)]
            known = [(symbol, sure) for symbol, sure in pairs if symbol in alphabet.symbols]
            sure = tuple(confidence for _, confidence in known)
            return Reading("".join(symbol for symbol, _ in known), float(np.prod(sure)) if known else 0.0, sure)

        return read


class Client:
    """HTTP client of the service; the service reports its errors in the body of a response with status 200."""

    def __init__(self, url: str, per_second: float, attempts: int) -> None:
        self._requests = needed("requests", "ocr")
        self._session = self._requests.Session()
        self._url = url
        self._pause = 1 / per_second
        self._attempts = attempts
        self._next = 0.0
        self._token = ""

    def recognise(self, content: bytes) -> list[tuple[str, float]]:
        """Return the lines of text in an image file, each with its confidence from 0 to 1."""
        form = {"image": base64.b64encode(content).decode(), "probability": "true"}
        problem = ""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(min(60.0, self._pause * 2**attempt))
            if not self._token:
                self._token = self._new_token()
            answer, problem = self._post("/rest/2.0/ocr/v1/general_basic", {"access_token": self._token}, form)
            code = answer.get("error_code")
            if code in TOKEN_IS_OLD:
                self._token = ""
                problem = f"error {code}: {TOKEN_IS_OLD[code]}"
            elif code in TRY_AGAIN:
                problem = f"error {code}: {TRY_AGAIN[code]}"
            elif code in BAD_IMAGE:
                raise Unread(f"Baidu refuses the image, error {code}: {BAD_IMAGE[code]}")
            elif code is not None:
                reason = STOP.get(code, answer.get("error_msg", "no reason given"))
                raise Mistake(
                    f"label.engines: Baidu stopped, error {code}: {reason}; what it read is kept: run label again"
                )
            elif not problem:
                return [(line["words"], _confidence(line)) for line in answer.get("words_result", [])]
        raise Mistake(
            f"label.engines: Baidu gave no answer in {self._attempts} attempts ({problem}); "
            f"what it read is kept: run label again"
        )

    def _new_token(self) -> str:
        key, secret = os.environ.get(KEY), os.environ.get(SECRET)
        if not key or not secret:
            raise Mistake(f"label.engines: Baidu needs its key and secret; set {KEY} and {SECRET} in the environment")
        asked = {"grant_type": "client_credentials", "client_id": key, "client_secret": secret}
        answer, problem = self._post("/oauth/2.0/token", asked, {})
        if "access_token" not in answer:
            reason = answer.get("error_description") or problem or "no reason given"
            raise Mistake(f"label.engines: Baidu issued no token ({reason}); check {KEY} and {SECRET}")
        return str(answer["access_token"])

    def _post(self, path: str, query: dict[str, str], form: dict[str, str]) -> tuple[dict[str, Any], str]:
        """Return the service's answer and an empty string, or an empty answer and the reason of the failure."""
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._pause
        try:
            answer = self._session.post(self._url + path, params=query, data=form, timeout=TIMEOUT)
            if answer.status_code >= 500:
                return {}, f"status {answer.status_code}"
            return dict(answer.json()), ""
        except (self._requests.RequestException, ValueError) as error:  # ValueError: the body is not JSON
            return {}, type(error).__name__


def _confidence(line: dict[str, Any]) -> float:
    return float(line.get("probability", {}).get("average", 1.0))
