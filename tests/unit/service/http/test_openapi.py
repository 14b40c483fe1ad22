"""The OpenAPI document has every model of a body, every route its problems; its page shows them and runs nothing."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Annotated, Literal

import pytest
from fastapi import Query
from pydantic import BaseModel, Field

from service.http.openapi import DocumentedAPI, docs_page, json_body, problems


class Inner(BaseModel):
    level: Literal["low", "high"]


class Sent(BaseModel):
    """What is <sent>."""

    share: float = Field(ge=0, le=1, description="Of the whole & half.")
    parts: list[Inner] = []
    name: str | None = None


@pytest.fixture
def api() -> DocumentedAPI:
    app = DocumentedAPI(
        bodies=[Sent],
        examples={"Sent": {"share": 0.5, "name": "<b>"}},
        csv_examples={},
        title="a <title>",
        description="what it's for",
        openapi_url=None,
    )

    @app.post("/things", openapi_extra=json_body("Sent"), responses=problems(401, 413, 422))
    def post(limit: Annotated[int, Query(description="How <many>.")] = 1) -> dict[str, int]:
        """Take <things>."""
        return {"limit": limit}

    return app


@pytest.mark.parametrize(
    ("statuses", "answered"),
    [
        ((), {500}),
        ((404,), {404, 500}),
        ((401,), {400, 401, 403, 421, 429, 503, 500}),
        ((413,), {413, 408, 500}),
        ((401, 413), {400, 401, 403, 408, 413, 421, 429, 503, 500}),
    ],
)
def test_a_route_says_what_the_gateway_before_it_may_answer(statuses: tuple[int, ...], answered: set[int]) -> None:
    found = problems(*statuses)
    assert list(found) == sorted(answered)
    for one in found.values():
        assert one["description"]
        assert one["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}


def test_a_status_that_nobody_described_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        problems(418)


def test_the_document_has_the_models_that_the_framework_does_not_see_and_is_made_once(api: DocumentedAPI) -> None:
    document = api.openapi()
    assert {"Sent", "Inner", "ProblemDetails", "FieldProblem"} <= set(document["components"]["schemas"])
    body = document["paths"]["/things"]["post"]["requestBody"]
    assert body == {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Sent"}}}}
    assert api.openapi() is document


def test_every_reference_of_the_document_leads_somewhere(api: DocumentedAPI) -> None:
    document = api.openapi()
    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            found.extend(value for key, value in node.items() if key == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert found
    for reference in found:
        assert reference.rpartition("/")[2] in document["components"]["schemas"], reference


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            if name == "href":
                self.links.add(str(value))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_shows_routes_bodies_bounds_and_choices_and_nothing_of_it_is_markup(api: DocumentedAPI) -> None:
    page = Page(docs_page(api.openapi()))
    text = " ".join(" ".join(page.text).split())
    for shown in ("a <title>", "what it's for", "Take <things>.", "How <many>.", "What is <sent>.", "Of the whole & half."):
        assert shown in text, shown
    assert "number ≥ 0 ≤ 1" in text
    assert "one of 'low' , 'high'" in text or "one of 'low', 'high'" in text
    assert "string or null" in text
    assert "parts array of Inner" in text
    assert "Body: application/json Sent" in text
    assert "POST /things" in text
    assert '"name": "<b>"' in text
    assert "limit (query) How <many>." in text
    assert {"401", "413", "422", "500"} <= set(text.split())
    assert "script" not in page.tags
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert {"Sent", "Inner", "ProblemDetails"} <= page.ids
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json"}, "nothing is loaded from other sites"
