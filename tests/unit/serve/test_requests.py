"""Reception of request bodies, without a server."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

pytest.importorskip("starlette", reason="needs the extra serve: make test installs it")

from starlette.requests import Request
from starlette.types import Message

from capbench.serve.refused import Refused
from capbench.serve.requests import LARGE, BodyParser
from tests.helpers.waiting import DEADLINE


def request(*pieces: bytes) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/read", "headers": [(b"content-type", b"image/png")]}
    return Request(scope, receive)


def test_a_body_that_times_out_before_parsing_is_released() -> None:
    parser, busy = BodyParser(2**20, 4, 0.2), threading.Event()
    body = bytes(LARGE + 1)
    unheld = sys.getrefcount(body)

    async def in_vain() -> str:
        other = asyncio.get_running_loop().run_in_executor(parser._parser, busy.wait, DEADLINE)
        try:
            async with parser.uploads(request(body)):
                return "parsed"
        except Refused as refused:
            return str(refused)
        finally:
            assert sys.getrefcount(body) == unheld  # though the parser has not begun with it
            assert parser._held == 0
            busy.set()
            await other

    assert asyncio.run(in_vain()) == "the body was not parsed within 0.2 seconds; try again later"


def test_a_small_body_is_accepted_while_large_ones_fill_the_limit() -> None:
    parser = BodyParser(2 * LARGE, 4, 30)

    async def taken() -> list[bytes]:
        parser._held = 8 * parser.body
        async with parser.uploads(request(b"a" * LARGE)) as uploads:
            assert parser._held == 8 * parser.body
        with pytest.raises(Refused, match="too many large bodies are being received"):
            async with parser.uploads(request(b"a" * LARGE, b"b")):
                pass
        return [upload.content for upload in uploads]

    assert asyncio.run(taken()) == [b"a" * LARGE]
    assert parser._held == 8 * parser.body
