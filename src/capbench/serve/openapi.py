"""OpenAPI description of the service; its schemas are made from the types that check requests and shape responses."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal

from pydantic import TypeAdapter

from capbench.images import MOST_BYTES
from capbench.images.containers import MOST_PIXELS
from capbench.serve.query import FRAMES
from capbench.serve.requests import FORM, IMAGES, JSON, BodyParser
from capbench.serve.schemas import TYPES

REF = "#/components/schemas/{model}"
RETRY = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "string", "pattern": r"^\d+$"}}}
ASKED = {"WWW-Authenticate": {"description": "Type of token", "required": True, "schema": {"const": "Bearer"}}}


def document(parser: BodyParser, token: bool) -> dict[str, Any]:
    """Return the OpenAPI document; `token` says whether requests need one."""
    guard: dict[str, Any] = {"security": [{"token": []}]} if token else {}
    denied = {401: error("The token is missing or wrong", ASKED)} if token else {}
    schemes = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if token else {}
    health = {200: answer("The service works", "Health")}
    metrics = {200: content("Metrics", "text/plain", {"type": "string"}), **denied}
    description = {200: content("OpenAPI document", JSON, {"type": "object"})}
    page = {200: content("HTML page", "text/html", {"type": "string"})}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CapBench: reading text captchas",
            "version": version("capbench"),
            "description": f"An image has at most {MOST_BYTES:,} bytes and {MOST_PIXELS:,} pixels.",
        },
        "paths": {
            "/read": {
                "post": {
                    "summary": "Read images",
                    "operationId": "read",
                    "parameters": parameters(),
                    "requestBody": body(parser),
                    "responses": readings(parser) | denied,
                    **guard,
                }
            },
            "/health": {"get": {"summary": "State of the service, its runs and its limits", "responses": health}},
            "/metrics": {"get": {"summary": "Metrics for Prometheus", "responses": metrics, **guard}},
            "/openapi.json": {"get": {"summary": "This description", "responses": description}},
            "/": {"get": {"summary": "Web page to try the service", "responses": page}},
        },
        "components": {"schemas": schemas(parser), **schemes},
    }


def parameters() -> list[dict[str, Any]]:
    """Return the descriptions of the parameters in the address of POST /read."""
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "alphabet": (
            "Name of an alphabet, or the symbols themselves; only texts of these symbols are considered",
            {"type": "string", "format": "alphabet"},
        ),
        "length": (
            "Symbols of a text: a count, such as 4, or the shortest and the longest, such as 4-6",
            {"type": "string", "format": "length"},
        ),
        "frames": (
            "Frames of an animation that are seen; without it, as in the run's training",
            {"type": "string", "enum": list(FRAMES)},
        ),
        "solve": ("True: each reading has the value of its text as a sum", {"type": "boolean"}),
    }
    return [
        {"name": name, "in": "query", "description": description, "schema": schema}
        for name, (description, schema) in kinds.items()
    ]


def readings(parser: BodyParser) -> dict[int, Any]:
    """Return the descriptions of the responses to POST /read by status."""
    return {
        200: answer("Readings; an image that could not be read has an error in their place", "Images"),
        400: error("The body is not valid JSON or not a valid form"),
        403: error("The request comes from a page of another web site"),
        408: error(f"The body did not arrive within {parser.seconds:g} seconds"),
        413: error(f"The body has over {parser.body:,} bytes, or over {parser.files} images"),
        415: error("The content type or the content encoding is not accepted"),
        422: error("The body has no image, or none that could be read, or a parameter is not accepted"),
        503: error("Too many images or bytes wait to be read; try again later", RETRY),
    }


def schemas(parser: BodyParser) -> dict[str, Any]:
    """Return the JSON schemas of requests and responses by name."""
    kinds: list[tuple[str, Literal["validation", "serialization"], TypeAdapter]] = [
        ("request", "validation", TypeAdapter(parser.json)),
        *((kind.__name__, "serialization", TypeAdapter(kind)) for kind in TYPES),
    ]
    return TypeAdapter.json_schemas(kinds, ref_template=REF)[1]["$defs"]


def body(parser: BodyParser) -> dict[str, Any]:
    """Return the description of the body of POST /read."""
    file = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": parser.files}
    form = {"type": "object", "properties": {"file": files}, "required": ["file"], "additionalProperties": False}
    types = {FORM: form, JSON: {"$ref": REF.format(model=parser.json.__name__)}, **dict.fromkeys(IMAGES, file)}
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in types.items()}}


def content(description: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a response of one content type."""
    return {"description": description, "content": {kind: {"schema": schema}}}


def answer(description: str, model: str) -> dict[str, Any]:
    """Return the description of a JSON response whose schema is named `model`."""
    return content(description, JSON, {"$ref": REF.format(model=model)})


def error(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of an error response."""
    return answer(description, "Error") | ({"headers": headers} if headers else {})
