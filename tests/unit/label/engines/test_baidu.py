"""Client of Baidu's service, tested with a local server that keeps the service's contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

import cv2
import numpy as np
import pytest

from capbench.errors import Mistake
from capbench.label.engines import baidu
from capbench.label.engines.baidu import Baidu
from capbench.label.engines.base import Read, Unread
from capbench.text import Alphabet

pytest.importorskip("requests")

LOWER = Alphabet(symbols="0123456789abcdefghijklmnopqrstuvwxyz", fold="lower")
GOOD = {"words_result": [{"words": "K e8A", "probability": {"average": 0.75, "min": 0.5, "variance": 0.0}}]}


class Service(ThreadingHTTPServer):
    """Server that answers requests for text with `answers` in turn, and repeats the last one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = [GOOD]
        self.tokens: list[dict[str, list[str]]] = []
        self.asked: list[dict[str, list[str]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        url = urlparse(self.path)
        query = parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if url.path == "/oauth/2.0/token":
            self.server.tokens.append(query)
            right = query["client_id"] == ["key"] and query["client_secret"] == ["secret"]
            good = {"access_token": f"token{len(self.server.tokens)}", "expires_in": 2592000}
            self._send(good if right else {"error": "invalid_client", "error_description": "unknown client id"})
            return
        assert url.path == "/rest/2.0/ocr/v1/general_basic"
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        self.server.asked.append(query | parse_qs(body))
        answers = self.server.answers
        self._send(answers.pop(0) if len(answers) > 1 else answers[0])

    def _send(self, answer: Any) -> None:
        status = answer if isinstance(answer, int) else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"oops" if status != 200 else json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each sleep of the client, whose clock moves by these alone."""
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept))
    monkeypatch.setattr(baidu, "time", clock)
    return slept


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 60, 3)).astype(np.uint8)


def opened(service: Service, monkeypatch: pytest.MonkeyPatch, per_second: float = 100.0, attempts: int = 3) -> Read:
    monkeypatch.setenv("BAIDU_OCR_KEY", "key")
    monkeypatch.setenv("BAIDU_OCR_SECRET", "secret")
    url = f"http://127.0.0.1:{service.server_port}/"
    return Baidu(url=url, per_second=per_second, attempts=attempts).open(LOWER)


def test_an_image_is_sent_in_base64_and_its_text_returned(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = opened(service, monkeypatch)(picture)
    assert (reading.text, reading.characters) == ("ke8a", (0.75,) * 4)
    asked = service.asked[0]
    assert asked["access_token"] == ["token1"]
    sent = cv2.imdecode(np.frombuffer(base64.b64decode(asked["image"][0], validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert (np.asarray(sent)[:, :, ::-1] == picture).all()


def test_one_token_serves_many_images(service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    read = opened(service, monkeypatch)
    read(picture), read(picture)
    assert len(service.tokens) == 1


@pytest.mark.parametrize("code", [110, 111])
def test_an_expired_token_is_renewed(
    code: int, service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [{"error_code": code, "error_msg": "Access token expired"}, GOOD]
    assert opened(service, monkeypatch)(picture).text == "ke8a"
    assert [asked["access_token"] for asked in service.asked] == [["token1"], ["token2"]]


@pytest.mark.parametrize("trouble", [{"error_code": 18, "error_msg": "QPS"}, {"error_code": 282000}, 503])
def test_temporary_errors_are_retried_after_growing_waits(
    trouble: Any, service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    service.answers = [trouble, trouble, GOOD]
    assert opened(service, monkeypatch, per_second=1)(picture).text == "ke8a"
    assert len(service.asked) == 3
    assert [wait for wait in waits if wait > 1] == [2, 4]


def test_lasting_errors_are_raised_after_the_last_attempt(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [{"error_code": 18}]
    with pytest.raises(Mistake, match=r"no answer in 3 attempts \(error 18: too many requests per second\)"):
        opened(service, monkeypatch)(picture)
    assert len(service.asked) == 3


def test_a_used_up_quota_is_raised_without_a_retry(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [{"error_code": 17, "error_msg": "Open api daily request limit reached"}]
    with pytest.raises(Mistake, match="error 17: the daily quota is used up"):
        opened(service, monkeypatch)(picture)
    assert len(service.asked) == 1


@pytest.mark.parametrize("code", [216200, 216201, 216202])
def test_a_refused_image_is_unread_and_the_next_is_read(
    code: int, service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [{"error_code": code, "error_msg": "image"}, GOOD]
    read = opened(service, monkeypatch)
    with pytest.raises(Unread, match=str(code)):
        read(picture)
    assert read(picture).text == "ke8a"


def test_an_answer_without_words_is_an_empty_text(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [{"words_result": [], "words_result_num": 0}]
    assert opened(service, monkeypatch)(picture).text == ""


def test_requests_keep_to_the_rate_per_second(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    read = opened(service, monkeypatch, per_second=10)
    for _ in range(3):
        read(picture)
    assert waits == pytest.approx([0, 0.1, 0.1, 0.1])  # one of the requests is that for the token


def test_missing_or_wrong_credentials_are_raised(
    service: Service, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = opened(service, monkeypatch)
    monkeypatch.setenv("BAIDU_OCR_SECRET", "wrong")
    with pytest.raises(Mistake, match="unknown client id"):
        read(picture)
    monkeypatch.delenv("BAIDU_OCR_SECRET")
    with pytest.raises(Mistake, match="set BAIDU_OCR_KEY and BAIDU_OCR_SECRET"):
        read(picture)


def test_an_unreachable_service_is_raised(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAIDU_OCR_KEY", "key")
    monkeypatch.setenv("BAIDU_OCR_SECRET", "secret")
    with pytest.raises(Mistake, match="ConnectionError"):
        Baidu(url="http://127.0.0.1:9", per_second=100.0, attempts=1).open(LOWER)(picture)
