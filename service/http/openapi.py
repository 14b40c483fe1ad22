"""The OpenAPI document, completed, and a page of it for people that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http.errors import FieldProblem
from service.http.problem_details import MEDIA_TYPE, ProblemDetails

_REFERENCE = "#/components/schemas/{model}"
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{border-top:1px solid #ccc;padding-top:1rem}code{background:#f2f2f2;padding:.1em .3em}td,th{text-align:left;vertical-align:top;
padding:.2em 1em .2em 0}"""


def json_body(model: str) -> dict[str, Any]:
    """Describe a route's JSON body, by the name of its model in the document."""
    schema = {"$ref": _REFERENCE.format(model=model)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems a route may answer with; 500 is among them, though nobody should ever see it."""
    schema = {"$ref": _REFERENCE.format(model=ProblemDetails.__name__)}
    words = {
        400: "A header is there twice",
        401: "No valid key",
        403: "The key lacks the scope, or without keys: a page of another site asks",
        404: "Not found",
        406: "None of the media types asked for",
        409: "The champion was refused",
        408: "The body did not come in time",
        413: "Too many bytes or rows",
        415: "Not a media type that is read here",
        422: "A rule is broken",
        421: "Without keys: not a name of this machine",
        429: "The caller asks too often",
        503: "No model, or the store or registry is away",
        500: "Unexpected error",
    }
    return {
        status: {"description": words[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({*statuses, *_at_the_gateway(statuses), 500})
    }


def _at_the_gateway(statuses: tuple[int, ...]) -> set[int]:
    """Give what the door may answer to a route: whoever needs a key may be told to come later, who sends a body to be faster."""
    told = {400, 403, 421, 429, 503} if 401 in statuses else set()
    return told | {408} if 413 in statuses else told


def complete_openapi(app: FastAPI, bodies: list[type[BaseModel]]) -> None:
    """Add to the document the models that FastAPI does not see: bodies, which the routes read themselves, and problems."""
    modes = [*((model, "validation") for model in bodies), (ProblemDetails, "serialization"), (FieldProblem, "serialization")]
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if ProblemDetails.__name__ not in schemas:
            _, found = models_json_schema(modes, ref_template=_REFERENCE)  # type: ignore[arg-type]
            schemas.update(found["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def docs_page(document: dict[str, Any]) -> str:
    """Render the document as one page without scripts."""
    schemas = document["components"]["schemas"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(document['info']['title'])}</title>",
        f"<style>{STYLE}</style><h1>{escape(document['info']['title'])}</h1>",
        f"<p>{escape(document['info'].get('description', ''))} <a href=openapi.json>The OpenAPI document</a>, for programs.</p>",
    ]
    for path, operations in document["paths"].items():
        parts += [_operation(path, method, operation) for method, operation in operations.items()]
    for name in sorted(schemas):
        parts.append(_schema(name, schemas[name]))
    return "\n".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<tr><th>{status}<td>{escape(answer['description'])}<td>{_contents(answer)}"
        for status, answer in operation["responses"].items()
    )
    parameters = "".join(
        f"<li>?<code>{escape(p['name'])}</code> {escape(p.get('description', ''))}" for p in operation.get("parameters", [])
    )
    return (
        f"<h2>{method.upper()} <code>{escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p><ul>{parameters}"
        f"</ul><p>Body: {_contents(operation.get('requestBody', {})) or 'none'}</p><table>{answers}</table>"
    )


def _contents(part: dict[str, Any]) -> str:
    return ", ".join(f"{escape(media)} {_kind(body.get('schema', {}))}" for media, body in part.get("content", {}).items())


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(escape(repr(value)) for value in schema["enum"])
    bounds = "".join(f" {sign} {schema[key]:g}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema)
    items = f" of {_kind(schema['items'])}" if schema.get("items") else ""
    return escape(str(schema.get("const", schema.get("type", ""))) + bounds) + items


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{_kind(about)}<td>{escape(about.get('description', ''))}"
        for field, about in schema.get("properties", {}).items()
    )
    return f"<h2 id='{escape(name)}'>{escape(name)}</h2><p>{escape(schema.get('description', ''))}</p><table>{rows}</table>"
