from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import orjson
import pytest

from churn.config.settings import load_settings
from churn.config.ui_links import EVIDENTLY_PROJECT
from churn.contract import Column, Contract, load_contract
from churn.customers.customer import request_model
from churn.errors import InputError
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from service.app import create_app
from service.page.example import example_customer
from service.page.fields import Group, group_columns, render_groups
from service.page.links import other_links, render_links
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
async def test_every_feature_of_the_contract_has_a_labelled_field_with_its_bounds(page: httpx2.Response) -> None:
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
            assert (field["type"], field["step"]) == ("number", "1" if column.kind == "integer" else "any")
            assert (float(field["min"] or "nan"), float(field["max"] or "nan")) == (column.minimum, column.maximum)
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


@pytest.mark.parametrize("simulated", [True, False])
def test_a_model_of_invented_customers_is_marked(simulated: bool) -> None:
    model = make_model()
    info = model.info.model_copy(update={"simulated": simulated})
    shown = render_model(replace(served_model(model, "disk"), info=info, card=""), link=True)
    assert ("Trained on simulated customers" in shown) is simulated
    assert "Model card" not in shown


def test_neighbours_of_one_family_stand_together() -> None:
    groups = group_columns(CONTRACT.features)
    assert [group.title for group in groups] == ["Customer", "Total day", "Total eve", "Total night", "Total intl"]
    assert [column.name for group in groups for column in group.columns if group.words == "total_day"] == [
        "total_day_minutes",
        "total_day_calls",
        "total_day_charge",
    ]
    assert sorted(column.name for group in groups for column in group.columns) == sorted(CONTRACT.feature_names)


def test_many_columns_without_a_family_are_told_apart_by_kind() -> None:
    numbers = [Column(name=f"n{n}", source=f"N{n}", kind="number") for n in range(6)]
    flags = [Column(name=f"f{n}", source=f"F{n}", kind="flag") for n in range(6)]
    mixed = [column for pair in zip(flags, numbers, strict=True) for column in pair]
    assert group_columns(mixed) == [Group("Yes or no", flags), Group("Numbers", numbers)]
    assert group_columns(mixed[:4]) == [Group("Customer", mixed[:4])]


def test_what_must_be_said_cannot_be_left_unknown() -> None:
    form = render_groups(group_columns(hostile_contract().features), {})
    assert "Not known" not in form
    assert "Choose" in form
    assert "checked" not in form


def test_the_typical_value_stands_in_an_empty_number() -> None:
    form = render_groups(
        [Group("x", [CONTRACT["total_day_minutes"], CONTRACT["state"]])], {"total_day_minutes": 179.4, "state": "WV"}
    )
    assert Document(form).ids["field-total_day_minutes"]["placeholder"] == "179.4"


@pytest.fixture(scope="module")
def terms() -> CompiledModel:
    known = simulate(CONTRACT, 1_500, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).fit(known.features, known.labelled)
    model = compile_pipeline(pipeline, CONTRACT.feature_names, CONTRACT)
    assert model is not None
    return model


def test_the_example_is_a_customer_of_the_contract_with_something_to_explain(terms: CompiledModel) -> None:
    for model in (terms, replace(terms, intercept=terms.intercept + 5)):
        customer = example_customer(model, CONTRACT)
        request_model(CONTRACT).model_validate(orjson.loads(orjson.dumps(customer)))
        typical = model.logit([model.typical[name] for name in model.columns])
        example = model.logit([customer[name] for name in model.columns])
        assert (typical > 0) != (example > 0)


def test_in_the_example_charges_go_with_their_minutes(terms: CompiledModel) -> None:
    customer = example_customer(terms, CONTRACT)
    for check in CONTRACT.checks:
        assert customer[check.column] == pytest.approx(customer[check.equals] * check.times, abs=0.011)


def test_a_model_that_nothing_moves_has_the_typical_customer_as_its_example(terms: CompiledModel) -> None:
    still = replace(terms, ramps=(), rules=())
    customer = example_customer(still, CONTRACT)
    for column in CONTRACT.features:
        typical = terms.typical[column.name]
        # As it would be typed in: money to the cent.
        assert customer[column.name] == (pytest.approx(typical, abs=0.005) if column.is_numeric else typical)


def test_links_are_those_of_churn_up_or_of_the_settings(tmp_path: Path) -> None:
    local = other_links(make_settings(tmp_path, mlflow_port=5050))
    assert local == {
        "MLflow": "http://127.0.0.1:5050/#/models/churn?workflowType=machine_learning",
        "Prefect": "http://127.0.0.1:4200/deployments",
        "Evidently": "http://127.0.0.1:8085/",
    }
    # The first monitoring run makes the project: from then on the link leads there.
    settings = make_settings(tmp_path)
    (settings.home / "evidently" / str(EVIDENTLY_PROJECT)).mkdir(parents=True)
    assert other_links(settings)["Evidently"] == f"http://127.0.0.1:8085/projects/{EVIDENTLY_PROJECT}"
    assert other_links(make_settings(tmp_path, host="0.0.0.0", api_keys=KEYS)) == {}  # noqa: S104
    chosen = make_settings(tmp_path, page_links="Grafana=https://grafana.example/d/1?a=b")
    assert other_links(chosen) == {"Grafana": "https://grafana.example/d/1?a=b"}


@pytest.mark.parametrize("links", ["Grafana", "=https://x.example", "Grafana=javascript:alert(1)", "a=http://x, b"])
def test_a_wrong_link_stops_the_start(links: str) -> None:
    with pytest.raises(InputError, match="CHURN_PAGE_LINKS"):
        load_settings(page_links=links)


def test_the_interval_of_a_score_is_shown_where_it_is_known() -> None:
    model = make_model()
    metrics = {"roc_auc": 0.9312, "roc_auc_low": 0.9, "roc_auc_high": 0.96, "brier": 0.05, "rows": 200.0}
    served = served_model(replace(model, info=model.info.model_copy(update={"metrics": metrics})), "registry")
    panel = render_model(served, link=True)
    assert "<th scope=row>ROC AUC</th><td>0.931</td><td>0.9 to 0.96</td>" in panel
    assert "<th scope=row>Brier score</th><td>0.05</td><td></td>" in panel
    assert "the registry" in panel
    assert "compiled" in panel
