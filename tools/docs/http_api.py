"""Reference of the HTTP interface, written from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from capbench.cli.help import settings_of
from capbench.serve.openapi import document
from capbench.serve.requests import BodyParser
from tools.docs.markdown import code, page, plain, table

Json = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return the page by its path below docs/reference/."""
    return {"http-api.md": page("HTTP API", *_sections(default_document()))}


def default_document() -> dict[str, Any]:
    """Return the OpenAPI document of a server with the default settings and a token."""
    known = settings_of("serve")
    body, files, seconds = (int(known[name].value) for name in ("body", "files", "seconds"))
    return document(BodyParser(body * 2**20, files, seconds), token=True)


def _sections(api: Json) -> Iterator[str]:
    yield (
        "What a server of [`serve`](../how-to/serve.md) answers with its default limits. A server describes itself at "
        f"`/openapi.json`. {plain(api['info']['description'])}"
    )
    for path, methods in api["paths"].items():
        for method, one in methods.items():
            yield f"## {method.upper()} {path}"
            token = " If the server has a token, it must be sent as a bearer token." if "security" in one else ""
            yield f"{plain(one['summary'])}.{token}"
            if "parameters" in one:
                rows = ((code(it["name"]), _type(it["schema"]), plain(it["description"])) for it in one["parameters"])
                yield table(("parameter in the address", "type", "meaning"), rows)
            if "requestBody" in one:
                taken = one["requestBody"]["content"].items()
                yield table(
                    ("content type of the request", "body"), ((code(kind), _type(it["schema"])) for kind, it in taken)
                )
            answers = sorted(one["responses"].items())
            yield table(("status", "meaning", "body"), (_answer(str(status), answer) for status, answer in answers))
    yield "## Bodies"
    for name, schema in api["components"]["schemas"].items():
        yield f"### {name}"
        yield plain(schema.get("description", ""))
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        rows = ((code(key), _type(one), "yes" if key in required else "no") for key, one in fields)
        yield table(("field", "type", "required"), rows)


def _answer(status: str, answer: Json) -> tuple[str, ...]:
    ((kind, content),) = answer["content"].items()
    schema = content["schema"]
    return status, plain(answer["description"]), _type(schema) if "$ref" in schema else code(kind)


def _type(schema: Json) -> str:
    """Return a JSON schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return ", ".join(code(json.dumps(value)) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("properties"):
        return "; ".join(f"{code(key)}: {_type(one)}" for key, one in schema["properties"].items())
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}{_range(schema, 'minItems', 'maxItems')}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"{_type(schema['additionalProperties'])}, by name"
    kind = "file" if schema.get("format") == "binary" else schema.get("type", "any")
    return f"{kind}{_range(schema, 'minimum', 'maximum')}"


def _range(schema: Json, least: str, most: str) -> str:
    bounds = [str(schema[name]) for name in (least, most) if name in schema]
    return f", {' to '.join(bounds)}" if bounds else ""
