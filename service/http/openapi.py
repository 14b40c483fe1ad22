"""The completed OpenAPI document, and its page for people, which loads nothing from other sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from html import escape
from itertools import groupby
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http.errors import FieldProblem
from service.http.problem_details import MEDIA_TYPE, ProblemDetails

_REFERENCE = "#/components/schemas/{model}"
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2,h3{border-top:1px solid #ccc;padding-top:1rem}code{background:#f2f2f2;padding:.1em .3em}
pre{background:#f2f2f2;padding:.5em;overflow-x:auto}td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0}"""


def json_body(model: str) -> dict[str, Any]:
    """Describe a route's JSON body, by the name of its model in the document."""
    schema = {"$ref": _REFERENCE.format(model=model)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with, 500 included."""
    schema = {"$ref": _REFERENCE.format(model=ProblemDetails.__name__)}
    descriptions = {
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
        status: {"description": descriptions[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({*statuses, *_at_the_gateway(statuses), 500})
    }


def _at_the_gateway(statuses: tuple[int, ...]) -> set[int]:
    """Return the statuses with which the gateway itself may answer: its limits for routes with a key, its timeout for bodies."""
    limits = {400, 403, 421, 429, 503} if 401 in statuses else set()
    return limits | {408} if 413 in statuses else limits


class DocumentedAPI(FastAPI):
    """FastAPI whose OpenAPI document also has the models that FastAPI does not see.

    The routes read request bodies themselves, and problems come from exception handlers. Overriding `openapi` is the
    framework's own hook: https://fastapi.tiangolo.com/how-to/extending-openapi/.

    Parameters
    ----------
    bodies : sequence of type
        The models of the request bodies.
    examples : mapping of str to object
        An example of some of them, by name.
    csv_examples : mapping of str to str
        An example of each body in CSV, by route.
    **options
        See `fastapi.FastAPI`.
    """

    def __init__(
        self, *, bodies: Sequence[type[BaseModel]], examples: Mapping[str, Any], csv_examples: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(**options)
        self._bodies, self._examples, self._csv_examples = bodies, examples, csv_examples

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            modes = [*((model, "validation") for model in self._bodies)]
            modes += [(ProblemDetails, "serialization"), (FieldProblem, "serialization")]
            _, found = models_json_schema(modes, ref_template=_REFERENCE)  # type: ignore[arg-type]
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(found["$defs"])
            for name, example in self._examples.items():
                schemas[name]["examples"] = [example]
            for path, text in self._csv_examples.items():
                operation = document["paths"][path]["post"]
                # What the routes wrote down is theirs, and some of it is shared between them.
                operation["requestBody"] = deepcopy(operation["requestBody"])
                operation["requestBody"]["content"]["text/csv"]["example"] = text
            self.openapi_schema = document
        return self.openapi_schema


def docs_page(document: dict[str, Any]) -> str:
    """Render the document as one page without scripts."""
    schemas = document["components"]["schemas"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(document['info']['title'])}</title>",
        f"<style>{STYLE}</style><h1>{escape(document['info']['title'])}</h1>",
        f"<p>{escape(document['info'].get('description', ''))} <a href=openapi.json>The OpenAPI document</a>, for programs.</p>",
    ]
    tags = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    order = {name: place for place, name in enumerate(tags)}
    routes = [(path, *one, _tag(one[1])) for path, operations in document["paths"].items() for one in operations.items()]
    for tag, members in groupby(sorted(routes, key=lambda route: order.get(route[3], len(order))), key=lambda route: route[3]):
        parts.append(f"<h2>{escape(tag.capitalize())}</h2><p>{escape(tags.get(tag, ''))}</p>")
        parts += [_operation(path, method, operation, schemas) for path, method, operation, _ in members]
    parts.append("<h2>Bodies and answers</h2>")
    for name in sorted(schemas):
        parts.append(_schema(name, schemas[name]))
    return "\n".join(parts)


def _tag(operation: dict[str, Any]) -> str:
    return str(operation.get("tags", ["routes"])[0])


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    answers = "".join(
        f"<tr><th>{status}<td>{escape(answer['description'])}<td>{_contents(answer)}"
        for status, answer in operation["responses"].items()
    )
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])}) {escape(p.get('description', ''))}"
        for p in operation.get("parameters", [])
    )
    body = operation.get("requestBody", {})
    return (
        f"<h3>{method.upper()} <code>{escape(path)}</code></h3><p>{escape(operation.get('description', ''))}</p><ul>{parameters}"
        f"</ul><p>Body: {_contents(body) or 'none'}</p>{_example(body, schemas)}<table>{answers}</table>"
    )


def _example(body: dict[str, Any], schemas: dict[str, Any]) -> str:
    content = body.get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    examples = schemas.get(reference.rpartition("/")[2], {}).get("examples", [])
    shown = [orjson.dumps(one, option=orjson.OPT_INDENT_2).decode() for one in examples]
    shown += [media["example"] for media in content.values() if "example" in media]
    return "".join(f"<pre>{escape(one)}</pre>" for one in shown)


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
    return f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p><table>{rows}</table>"
