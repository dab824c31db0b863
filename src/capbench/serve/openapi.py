"""OpenAPI description of the service, made from the types that check requests and shape responses."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal

from pydantic import TypeAdapter

from capbench.images import MOST_BYTES
from capbench.images.containers import MOST_PIXELS
from capbench.serve import schemas as answers
from capbench.serve.requests import FORM, IMAGES, JSON, BodyParser

WHERE = "#/components/schemas/{model}"

RETRY = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "string", "pattern": r"^\d+$"}}}
ASKED = {"WWW-Authenticate": {"description": "The kind of token", "required": True, "schema": {"const": "Bearer"}}}


def document(parser: BodyParser, token: bool) -> dict[str, Any]:
    """Return the OpenAPI document; `token` says whether requests need one."""
    guarded: dict[str, Any] = {"security": [{"token": []}]} if token else {}
    refusals = {401: "The token is missing or wrong"} if token else {}
    read = {
        200: answer("What was read; images that could not be are told of in their place", "Images"),
        400: error("The body is no JSON, or no form"),
        403: error("A page of another web site asks"),
        408: error(f"The body did not arrive within {parser.seconds:g} seconds"),
        413: error(f"The body has over {parser.body:,} bytes, or over {parser.files} images"),
        415: error("The body is of a type that is not taken, or encoded"),
        422: error("No image could be read, or there is none"),
        503: error("Too much waits to be read; come again", RETRY),
    }
    paths: dict[str, Any] = {
        "/read": {
            "post": {"summary": "Read images", "operationId": "read", "requestBody": body(parser), "responses": read}
        },
        "/health": {
            "get": {
                "summary": "Whether it works, and what it reads",
                "responses": {200: answer("It works", "Health"), 503: error("It does not", RETRY)},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Figures for Prometheus",
                "responses": {
                    200: {"description": "Figures", "content": {"text/plain": {"schema": {"type": "string"}}}}
                },
            }
        },
        "/openapi.json": {
            "get": {
                "summary": "This description",
                "responses": {200: {"description": "OpenAPI", "content": {JSON: {"schema": {"type": "object"}}}}},
            }
        },
        "/": {
            "get": {
                "summary": "A page to try it on",
                "responses": {200: {"description": "HTML", "content": {"text/html": {"schema": {"type": "string"}}}}},
            }
        },
    }
    for path, method in (("/read", "post"), ("/metrics", "get")):
        paths[path][method] |= guarded
        paths[path][method]["responses"] |= {status: error(why, ASKED) for status, why in refusals.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CapBench: reading text captchas",
            "version": version("capbench"),
            "description": f"An image has at most {MOST_BYTES:,} bytes and {MOST_PIXELS:,} pixels.",
        },
        "paths": paths,
        "components": {"schemas": schemas(parser), **schemes(token)},
    }


def schemes(token: bool) -> dict[str, Any]:
    """Return the security schemes."""
    return {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if token else {}


def schemas(parser: BodyParser) -> dict[str, Any]:
    """Return the JSON schemas of requests and responses by name."""
    kinds: list[tuple[str, Literal["validation", "serialization"], TypeAdapter]] = [
        ("taken", "validation", TypeAdapter(parser.json)),
        *((kind.__name__, "serialization", TypeAdapter(kind)) for kind in answers.TYPES),
    ]
    return TypeAdapter.json_schemas(kinds, ref_template=WHERE)[1]["$defs"]


def body(parser: BodyParser) -> dict[str, Any]:
    """Return the description of the body of POST /read."""
    file = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": parser.files}
    form = {"type": "object", "properties": {"file": files}, "required": ["file"], "additionalProperties": False}
    return {
        "required": True,
        "content": {
            FORM: {"schema": form},
            JSON: {"schema": {"$ref": WHERE.format(model=parser.json.__name__)}},
            **{kind: {"schema": file} for kind in IMAGES},
        },
    }


def answer(description: str, model: str) -> dict[str, Any]:
    """Return the description of a JSON response."""
    return {"description": description, "content": {JSON: {"schema": {"$ref": WHERE.format(model=model)}}}}


def error(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of an error response."""
    return answer(description, "Error") | ({"headers": headers} if headers else {})
