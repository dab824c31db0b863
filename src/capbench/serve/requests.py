"""Parsing of request bodies, with limits on bytes, number of images and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any, NamedTuple

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field as TextPart
from python_multipart.multipart import File as FilePart
from python_multipart.multipart import FormParser, parse_options_header
from starlette.requests import Request

from capbench.serve.refused import Refused, busy

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp", "application/octet-stream")
FORM = "multipart/form-data"
JSON = "application/json"

HELD = 8  # limit on the bytes of all large bodies in memory, in multiples of the largest body
LARGE = 2**17  # bytes of a body beyond which it counts as large
MOST_TEXT_PARTS = 16  # parts of a form other than image files, beyond which its parsing stops
MOST_NAME = 255  # characters of a file's name
MOST_ECHO = 80  # characters of a request that an error message repeats


Base64 = Annotated[
    str, Field(description="An image file in base64, plain or as a data URI", json_schema_extra={"format": "byte"})
]


class Upload(NamedTuple):
    """One image file of a request."""

    filename: str | None
    content: bytes


class BodyParser:
    """Receiver and parser of bodies of at most `body` bytes and `files` images, each within `seconds`.

    It also limits the bytes of all large bodies that are in memory at once.
    """

    def __init__(self, body: int, files: int, seconds: float) -> None:
        self.body = body
        self.files = files
        self.seconds = seconds
        several = Annotated[list[Base64], Len(1, files)]
        self.json: type[BaseModel] = create_model(
            "Request", __config__=ConfigDict(extra="forbid", strict=True), images=(several, ...)
        )
        self._held = 0
        self._parser = ThreadPoolExecutor(1, "parse")  # mostly Python code: two threads would not be faster

    @asynccontextmanager
    async def uploads(self, request: Request) -> AsyncIterator[list[Upload]]:
        """Yield the images of a request; raise Refused where the request is invalid or exceeds a limit."""
        with self._account() as hold:
            yield await self._received(request, hold)

    @contextmanager
    def _account(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes a body's size so far, in bytes.

        The function raises Refused where all large bodies together take too much memory.
        """
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            beyond = max(0, size - LARGE)
            self._held += beyond - held
            held = beyond
            if beyond and self._held > HELD * self.body:
                raise busy("too many large bodies are being received; try again later")

        try:
            yield hold
        finally:
            self._held -= held

    async def _received(self, request: Request, hold: Callable[[int], None]) -> list[Upload]:
        """Receive and parse a body; only its images stay in memory."""
        kind, parameters = parse_options_header(request.headers.get("content-type"))
        self._check_head(request, kind.decode("latin-1"))
        pieces: list[bytes] = []
        parse = partial(self._parsed, pieces, kind.decode("latin-1"), parameters)
        try:
            await self._receive(request, pieces, hold)
            if sum(map(len, pieces)) <= LARGE:
                return parse()
            async with asyncio.timeout(self.seconds):  # the parser thread may be busy with other bodies
                return await asyncio.get_running_loop().run_in_executor(self._parser, parse)
        except TimeoutError:
            raise busy(f"the body was not parsed within {self.seconds:g} seconds; try again later") from None
        finally:
            pieces.clear()  # frees the memory: a call that timed out stays in the thread's queue

    def _check_head(self, request: Request, kind: str) -> None:
        if kind not in (*IMAGES, FORM, JSON):
            fault = f"{kind[:MOST_ECHO]} is not accepted" if kind else "is missing"
            raise Refused(415, f"content-type: {fault}; send {FORM}, {JSON} or {', '.join(IMAGES)}")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused(415, "content-encoding: is not accepted; send the body without encoding")
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.body:
            raise self._too_large()

    async def _receive(self, request: Request, pieces: list[bytes], hold: Callable[[int], None]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self.seconds):
                async for piece in request.stream():
                    pieces.append(piece)
                    size += len(piece)
                    if size > self.body:
                        raise self._too_large()
                    hold(size)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {self.seconds:g} seconds") from None

    def _too_large(self) -> Refused:
        return Refused(413, f"the body has over {self.body:,} bytes, the most that a request may have")

    def _too_many(self) -> Refused:
        return Refused(413, f"there are over {self.files} images, the most that a request may have")

    def _parsed(self, pieces: list[bytes], kind: str, parameters: dict[bytes, bytes]) -> list[Upload]:
        content = b"".join(pieces)
        pieces.clear()
        if kind == JSON:
            return self._from_json(content)
        if kind == FORM:
            return self._from_form(content, parameters.get(b"boundary", b""))
        return [Upload(None, content)]

    def _from_json(self, content: bytes) -> list[Upload]:
        if (
            content.count(b",") > 2 * self.files
        ):  # each data URI holds a comma, too; millions of them would take seconds to parse
            raise self._too_many()
        try:
            given: Any = self.json.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "too_long":
                raise self._too_many() from None
            where = ".".join(map(str, first["loc"]))[:MOST_ECHO]
            status = 400 if first["type"] == "json_invalid" else 422
            raise Refused(status, f"{where or 'the body'}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
        return [Upload(None, text.encode(errors="replace")) for text in given.images]

    def _from_form(self, content: bytes, boundary: bytes) -> list[Upload]:
        uploads: list[Upload] = []
        others: list[str] = []
        ended = False

        def on_file(part: FilePart) -> None:
            part.file_object.seek(0)
            take(part.field_name, part.file_name, part.file_object.read())
            part.close()

        def on_text(part: TextPart) -> None:
            take(part.field_name, None, part.value or b"")

        def take(field: bytes | None, filename: bytes | None, content: bytes) -> None:
            if field != b"file":
                others.append((field or b"").decode(errors="replace"))
            elif len(uploads) == self.files:
                raise self._too_many()
            elif len(filename or b"") > MOST_NAME:
                raise Refused(422, f"a file's name has over {MOST_NAME} characters, the most that it may have")
            else:
                uploads.append(Upload(filename.decode(errors="replace") if filename else None, content))
            if len(others) > MOST_TEXT_PARTS:
                raise misnamed()

        def misnamed() -> Refused:
            return Refused(
                422, f"the form has a part named {others[0][:40]!r}; give all parts the name 'file' and an image"
            )

        def on_end() -> None:
            nonlocal ended
            ended = True

        limits = {"MAX_MEMORY_FILE_SIZE": len(content) + 1}  # keeps the parser from writing files to the disk
        try:
            parser = FormParser(FORM, on_text, on_file, on_end, boundary, config=limits)
            parser.write(content)
            parser.finalize()
        except FormParserError as error:
            raise Refused(400, f"the form cannot be read: {str(error)[:200]}") from None
        if not ended:
            raise Refused(400, "the form is truncated: its last boundary is missing")
        if others:
            raise misnamed()
        if not uploads:
            raise Refused(422, "the form has no image; send each image as a part named 'file'")
        return uploads
