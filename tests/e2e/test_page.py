"""The page at / in a real Chromium, at the keyboard alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from churn.contract import load_contract
from churn.modeling.model import Model, build_pipeline
from churn.simulation.simulate import simulate
from service.app import create_app
from tests.e2e.browser import Browser
from tests.integration.live import live
from tests.unit.service.fakes import (
    KEY_TEXT,
    KEYS,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_info,
    make_model,
    make_settings,
)

CONTRACT = load_contract()


@pytest.fixture(scope="module")
def model() -> Model:
    known = simulate(CONTRACT, 1_500, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).fit(known.features, known.labelled)
    info = make_info("7", CONTRACT.feature_names).model_copy(update={"trained_at": datetime(2026, 11, 20, tzinfo=UTC)})
    return Model(pipeline, info, card="# The card")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def registry(model: Model) -> FakeRegistry:
    return FakeRegistry(model)


@pytest.fixture
def address(tmp_path: Path, registry: FakeRegistry, store: FakeStore) -> Iterator[str]:
    app = create_app(
        make_settings(tmp_path), registry=registry, store=store, last_known_good=FakeLastKnownGood().last_known_good()
    )
    with live(app) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(browser: Browser, address: str) -> Browser:
    browser.complaints.clear()
    browser.addresses.clear()
    browser.open(f"{address}/")
    return browser


ANSWERED = "!document.getElementById('found').hidden"


def test_a_customer_is_scored_and_explained_by_keyboard_alone(page: Browser, store: FakeStore, address: str) -> None:
    page.tab_to("international_plan")
    page.press("ArrowRight")  # from "Not known" round to "Yes"
    assert page.ask("document.querySelector('input[name=international_plan]:checked').value") == "true"
    page.tab_to("field-total_intl_calls")
    page.type("1")
    page.tab_to("field-customer_id")
    page.type("C-1")
    page.press("Enter")
    page.wait_for(ANSWERED)

    (row,) = store.rows
    assert (row.customer_id, row.churn) == ("C-1", True)
    assert '"international_plan":true' in row.features
    assert '"total_intl_calls":1' in row.features
    assert '"state":null' in row.features
    assert float(page.text("probability").rstrip("%")) == pytest.approx(100 * row.churn_probability, abs=0.51)
    assert page.text("decision") == "likely to leave"
    assert "threshold of 50%" in page.text("against")
    assert row.prediction_id in page.text("record")
    assert page.ask("document.activeElement.id") == "field-customer_id"
    said = page.ask("document.getElementById('status').textContent")
    assert said.startswith(page.text("probability"))
    assert "First reason: " in said
    assert page.ask("document.getElementById('status').getAttribute('aria-live')") == "polite"

    bars = page.ask("""[...document.querySelectorAll('.reason')].map((item) => {
        const bar = item.querySelector('.bar').getBoundingClientRect();
        const track = item.querySelector('.track').getBoundingClientRect();
        const middle = (track.left + track.right) / 2;
        const said = (part) => item.querySelector(part).textContent;
        return {amount: said('.amount'), text: said('.text'), right: bar.left >= middle - 1, left: bar.right <= middle + 1,
                width: parseFloat(item.querySelector('.bar').style.width)};
    })""")
    assert any(bar["text"].startswith("international plan is Yes: raises the risk") for bar in bars)
    for bar in bars:
        assert (bar["amount"][0], bar["right"], bar["left"]) in {("+", True, False), ("−", False, True)}  # noqa: RUF001
    widths = [bar["width"] for bar in bars]
    assert widths[0] == pytest.approx(50)
    assert widths == sorted(widths, reverse=True)

    assert page.complaints == []
    assert {urlsplit(one).netloc for one in page.addresses if not one.startswith("data:")} == {urlsplit(address).netloc}


def test_what_the_service_refuses_is_told_at_its_field(page: Browser, store: FakeStore) -> None:
    page.tab_to("field-total_day_minutes")
    page.type("99999")
    page.tab_to("field-total_eve_calls")
    page.type("1.5")
    page.press("Enter")
    page.wait_for("document.querySelector('[aria-invalid=true]')")
    assert page.focused() == "field-total_day_minutes"
    assert "44640" in page.text("error-total_day_minutes")
    assert page.text("error-total_eve_calls")
    assert page.ask("document.querySelectorAll('.error:not([hidden])').length") == 2
    assert page.ask("document.getElementById('alert').getAttribute('role')") == "alert"
    assert "2 problems" in page.text("alert")
    assert store.rows == []

    for _ in "99999":
        page.press("Backspace")
    page.type("200")
    page.tab_to("field-total_eve_calls")
    page.type("9")  # Tab selects what is there
    page.press("Enter")
    page.wait_for(ANSWERED)
    assert page.ask("document.querySelectorAll('[aria-invalid]').length") == 0
    assert page.ask("document.getElementById('alert').hidden")


def test_nothing_filled_in_is_told_above_the_form(page: Browser) -> None:
    page.tab_to("score")
    page.press("Enter")
    page.wait_for("!document.getElementById('alert').hidden")
    assert page.focused() == "alert"
    assert len(page.text("alert").splitlines()) > 1


def test_what_is_typed_is_told_and_never_read_as_something_else(page: Browser, store: FakeStore) -> None:
    # A browser's own field of numbers makes 125 of the first, and 1.2345 of the second.
    for field, typed in (("total_day_minutes", "12,5"), ("total_eve_minutes", "1.234,5"), ("total_intl_calls", "1 2")):
        page.ask(f"document.getElementById('field-{field}').focus()")
        page.type(typed)
    page.ask("document.getElementById('field-customer_id').focus()")
    page.send("Input.insertText", text="c" * 129)
    page.press("Enter")
    page.wait_for("document.querySelector('[aria-invalid=true]')")
    assert page.text("error-total_day_minutes") == page.text("error-total_eve_minutes") == "must be a number, as 1234.5"
    assert page.text("error-total_intl_calls").endswith(", as 1234")
    assert "128" in page.text("error-customer_id")
    assert page.ask("document.querySelectorAll('.error:not([hidden])').length") == 4
    assert store.rows == []


@pytest.mark.parametrize(
    ("probability", "threshold", "told"),
    [(0.1267, 0.1271, ["12.67%", "12.71%"]), (0.5, 0.5, ["50%", "50%"]), (0.3, 0.1, ["30%", "10%"])],
)
def test_a_probability_and_a_threshold_are_told_apart(
    page: Browser, probability: float, threshold: float, told: list[str]
) -> None:
    shares = {"churn_probability": probability, "threshold": threshold, "churn": probability >= threshold}
    answer = json.dumps({**shares, "prediction_id": "p", "model_version": "7"})
    page.ask(f"window.fetch = async () => new Response({json.dumps(answer)}); document.getElementById('score').click()")
    page.wait_for(ANSWERED)
    assert page.text("probability") == told[0]
    assert page.text("against").endswith(f"the threshold of {told[1]}.")


def test_the_example_fills_the_form_and_clear_empties_it(page: Browser) -> None:
    page.tab_to("example")
    page.press("Enter")
    assert page.ask("document.querySelectorAll('[data-decimal] input').length") == len(
        page.ask("[...document.querySelectorAll('[data-decimal] input')].map((one) => one.value).filter(Boolean)")
    )
    page.press("Tab", shift=True)
    assert page.focused() == "score"
    page.press("Space")
    page.wait_for(ANSWERED)
    assert page.ask("document.querySelectorAll('.reason').length") > 0
    page.tab_to("clear")
    page.press("Enter")
    assert not page.ask(ANSWERED)
    assert page.ask("[...document.querySelectorAll('#form input:not([type=radio]), select')].every((one) => one.value === '')")
    assert page.ask("[...document.querySelectorAll('input:checked')].every((one) => one.value === '')")
    # As the column's texts write numbers.
    page.ask("document.querySelector('[data-name=total_day_minutes]').dataset.decimal = ','")
    page.ask("document.getElementById('example').click()")
    assert re.fullmatch("[0-9]+,[0-9]+", page.ask("document.getElementById('field-total_day_minutes').value"))
    assert page.complaints == []


def test_tab_leads_through_the_page_and_out_of_it(page: Browser) -> None:
    seen = []
    for _ in range(150):
        page.press("Tab")
        seen.append(page.ask("document.activeElement.id || document.activeElement.textContent.trim().slice(0, 30)"))
        if seen.count("Skip to the form") > 1:
            break
    assert seen.count("Skip to the form") == 2, "Tab is trapped"
    assert {"field-state", "field-customer_id", "score", "example", "clear", "Model card"} <= set(seen)


def test_who_is_new_in_service_is_shown_with_its_first_answer(page: Browser, registry: FakeRegistry, model: Model) -> None:
    assert page.ask("document.querySelector('[data-version]').textContent") == "7"
    registry.models["8"] = Model(model.pipeline, model.info.model_copy(update={"version": "8", "run_id": "run-8"}))
    registry.champion = "8"
    assert page.ask("fetch('admin/reload', {method: 'POST'}).then((response) => response.status)") == 200
    page.tab_to("field-total_day_minutes")
    page.type("200")
    page.press("Enter")
    page.wait_for("document.querySelector('[data-version]').textContent === '8'")


def test_a_service_that_cannot_be_reached_is_told(page: Browser) -> None:
    page.ask("window.fetch = () => Promise.reject(new TypeError('gone'))")
    page.tab_to("field-total_day_minutes")
    page.type("200")
    page.press("Enter")
    page.wait_for("!document.getElementById('alert').hidden")
    assert "cannot be reached" in page.text("alert")
    assert page.focused() == "alert"
    assert not page.ask("document.getElementById('score').hasAttribute('aria-disabled')")


def test_it_fits_a_phone_and_reads_in_the_dark(page: Browser) -> None:
    try:
        page.send("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        assert page.ask("document.documentElement.scrollWidth") == 360
        # The buttons stand before the fields all the time: in one row, they leave room for these.
        assert page.ask("document.querySelector('.actions').offsetHeight") < 80
        shown = page.ask("""['.lead', '.hint', '.unit', 'h2', 'a', '#score', '#clear', '.choice span'].map((what) => {
            const found = document.querySelector(what);
            let behind = found;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
            return [what, getComputedStyle(found).color, getComputedStyle(behind).backgroundColor];
        })""")
        for what, ink, paper in shown:
            assert contrast(ink, paper) >= 4.5, what  # WCAG 2.2, 1.4.3
    finally:
        page.send("Emulation.clearDeviceMetricsOverride")
        page.send("Emulation.setEmulatedMedia", features=[])


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_a_key_opens_the_model_and_the_answers_and_stays_in_memory(browser: Browser, tmp_path: Path, model: Model) -> None:
    store = FakeStore()
    settings = make_settings(tmp_path, api_keys=KEYS)
    app = create_app(settings, registry=FakeRegistry(model), store=store, last_known_good=FakeLastKnownGood().last_known_good())
    with live(app) as (host, port):
        browser.open(f"http://{host}:{port}/")
        browser.tab_to("field-total_day_minutes")
        browser.type("200")
        browser.press("Enter")
        browser.wait_for("document.querySelector('[aria-invalid=true]')")
        assert browser.focused() == "key"
        assert browser.text("error-key") == "Enter a key."
        browser.send("Input.insertText", text="key\u2026")
        browser.press("Enter")
        browser.wait_for("document.getElementById('error-key').textContent.includes('copy it again')")
        browser.ask("document.getElementById('key').select()")
        browser.type(KEY_TEXT["outcomes"])
        browser.press("Enter")
        browser.wait_for("document.getElementById('error-key').textContent.includes('scope')")
        browser.ask("document.getElementById('key').select()")
        browser.type(KEY_TEXT["predict"])
        browser.press("Enter")
        browser.wait_for(ANSWERED)
        browser.wait_for("document.querySelector('[data-version]')")
        assert browser.ask("document.getElementById('field-total_day_minutes').placeholder") != ""
        browser.tab_to("example")
        browser.press("Enter")
        assert browser.ask("document.getElementById('key').value") == KEY_TEXT["predict"]
        assert browser.ask("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert len(store.rows) == 1


def test_a_model_without_reasons_still_answers(browser: Browser, tmp_path: Path) -> None:
    plain = make_model()
    steps = [(f"step{number}", step) for number, (_, step) in enumerate(plain.pipeline.steps)]
    unnamed = Model(type(plain.pipeline)(steps), plain.info)
    app = create_app(
        make_settings(tmp_path),
        registry=FakeRegistry(unnamed),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    with live(app) as (host, port):
        browser.open(f"http://{host}:{port}/")
        assert browser.ask("document.getElementById('example').hidden")
        browser.tab_to("field-total_day_minutes")
        browser.type("200")
        browser.press("Enter")
        browser.wait_for(ANSWERED)
        assert browser.text("why") == "This model cannot give reasons."
