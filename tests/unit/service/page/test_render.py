from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from churn.contract import Column, Contract, load_contract
from service.app import create_app
from service.page.links import render_links
from service.page.model_panel import render_model
from service.page.render import Page
from tests.unit.service.fakes import (
    KEY_TEXT,
    KEYS,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_model,
    make_settings,
    running,
    served_model,
)

CONTRACT = load_contract()
VOID = {"meta", "link", "input", "br"}


class Document(HTMLParser):
    """The elements of a page, by id, and all of them in order; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: dict[str, dict[str, str | None]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if name := found.get("id"):
            assert name not in self.ids, f"{name} is there twice"
            self.ids[name] = found | {"tag": tag}
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
async def page(client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.get("/")


@pytest.mark.anyio
async def test_every_feature_of_the_contract_has_a_labelled_field(page: httpx2.Response) -> None:
    document = Document(page.text)
    labels = {label["for"] for label in document.all("label") if "for" in label}
    for column in CONTRACT.features:
        name = f"field-{column.name}"
        assert f"error-{column.name}" in document.ids
        if column.kind == "flag":
            assert {f"{name}-true", f"{name}-false", name} <= set(document.ids)
            continue
        field = document.ids[name]
        assert name in labels
        assert f"error-{column.name}" in (field["aria-describedby"] or "").split()
        if column.kind != "category":
            # Not a field of numbers, which drops what it does not like: the service says what is wrong with what was typed.
            assert (field["type"], field["inputmode"]) == ("text", "numeric" if column.kind == "integer" else "decimal")
    options = {option["value"] for option in document.all("option")}
    assert {*CONTRACT["state"].levels, *CONTRACT["area_code"].levels, ""} == options


@pytest.mark.anyio
async def test_what_is_pointed_at_is_there(page: httpx2.Response) -> None:
    document = Document(page.text)
    for _, attributes in document.elements:
        for pointer in ("for", "aria-describedby", "aria-labelledby"):
            assert set((attributes.get(pointer) or "").split()) <= set(document.ids)


@pytest.mark.anyio
async def test_the_policy_lets_only_the_pages_own_script_and_style_run(page: httpx2.Response) -> None:
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"\s(on\w+|style)=", re.sub(r"<(script|style)>.*?</\1>", "", page.text, flags=re.DOTALL))


@pytest.mark.anyio
async def test_nothing_comes_from_elsewhere(page: httpx2.Response) -> None:
    document = Document(page.text)
    loaded = [attributes.get("src") or attributes.get("href") for tag, attributes in document.elements if tag != "a"]
    assert [address for address in loaded if address and not address.startswith("data:")] == []
    assert {"docs", "openapi.json", "metrics"} <= {link["href"] for link in document.all("a")}


@pytest.mark.anyio
async def test_without_keys_it_shows_the_model_and_what_is_typical(page: httpx2.Response) -> None:
    assert page.status_code == 200
    assert "<b data-version>1</b>" in page.text
    assert "nobody in its data exists" in page.text
    assert "0.8" in page.text
    assert Document(page.text).ids["field-total_day_minutes"]["placeholder"]
    assert 'data-name="key" hidden' in page.text


@pytest.mark.anyio
async def test_with_keys_the_form_is_open_and_the_model_is_for_those_who_have_one(tmp_path: Path, registry: FakeRegistry) -> None:
    app = create_app(
        make_settings(tmp_path, api_keys=KEYS),
        registry=registry,
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:
        for headers in ({}, {"X-API-Key": "wrong"}):
            hidden = await client.get("/", headers=headers)
            assert hidden.status_code == 200
            assert "<b data-version>" not in hidden.text
            assert not Document(hidden.text).ids["field-total_day_minutes"].get("placeholder")
            assert Document(hidden.text).ids["example"]["data-customer"] == "{}"
            assert "key to see the model" in hidden.text
        shown = await client.get("/", headers={"X-API-Key": KEY_TEXT["outcomes"]})
        assert "<b data-version>1</b>" in shown.text
        assert 'href="model/card"' not in shown.text
        assert 'data-name="key" hidden' not in shown.text


@pytest.mark.anyio
async def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    app = create_app(
        make_settings(tmp_path), registry=FakeRegistry(), store=FakeStore(), last_known_good=FakeLastKnownGood().last_known_good()
    )
    async with running(app) as client:
        page = await client.get("/")
    assert page.status_code == 200
    assert "churn train" in page.text


HOSTILE = "</script><i onclick>& \"quoted\" 'twice'</i>"


def hostile_contract() -> Contract:
    columns = (
        Column(name="plan", source="Plan", kind="category", levels=(HOSTILE, "b"), description=HOSTILE),
        Column(name="paid", source="Paid", kind="flag", true_level=HOSTILE, false_level="No"),
        Column(name="used", source="Used", kind="number", unit=HOSTILE, nullable=True),
    )
    return Contract(name="hostile", description=HOSTILE, columns=columns)


def test_nothing_of_a_contract_or_model_becomes_markup(tmp_path: Path) -> None:
    model = make_model()
    changes = {"version": HOSTILE, "data_source": HOSTILE, "trigger": HOSTILE, "metrics": {HOSTILE: 0.5}}
    served = replace(served_model(model, "disk"), info=model.info.model_copy(update=changes), card=HOSTILE)
    settings = make_settings(tmp_path, page_links=f"{HOSTILE}=https://x.example/{HOSTILE}")
    page = Page.of(settings, hostile_contract(), with_keys=False)
    for shown in (page.render(None, trusted=True), render_model(served, link=True)):
        document = Document(shown.removeprefix("<!doctype html>"))
        assert document.all("i") == []
        assert HOSTILE not in shown
        assert escape(HOSTILE) in shown
    # Trigger, source, version and card: all four are drawn.
    assert render_model(served, link=True).count(escape(HOSTILE)) == 4
    assert f">{escape(HOSTILE)}</pre>" in render_model(served, link=False)
    assert escape(f"https://x.example/{HOSTILE}") in render_links(page.settings)
