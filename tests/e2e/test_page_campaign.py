"""A campaign is planned on the page at / in a real Chromium: a file in, a ranked list with reasons out."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.csv
import pytest

from churn.batch.plan import Terms, make_plan
from churn.campaigns.call_list import write_list
from churn.campaigns.control_group import ControlGroup
from churn.campaigns.ranking import Limit
from churn.config.params import ProfitParams
from pipelines.candidates import find_candidates
from pipelines.planning import CampaignPlan, listed, make_campaign_plan
from service.app import create_app
from tests.e2e.browser import TIMEOUT_SECONDS, Browser
from tests.integration.files_to_score import customers, make_scorer
from tests.integration.live import live
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, with_segments

TWICE = b"customer_id,total_day_minutes\n" + b"".join(b"c%d,400\n" % (n % 1_500) for n in range(1_600))
# Nobody of them is worth a call.
TWICE_LOW = TWICE.replace(b",400", b",20")
FINISHED = "document.getElementById('progress').hidden && !document.getElementById('campaign-plan').hasAttribute('aria-disabled')"


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def page(browser: Browser, tmp_path: Path, store: FakeStore) -> Iterator[Browser]:
    app = create_app(
        make_settings(tmp_path / "home"),
        registry=FakeRegistry(with_segments(make_model())),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    with live(app) as (host, port):
        browser.complaints.clear()
        browser.addresses.clear()
        browser.open(f"http://{host}:{port}/")
        browser.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        yield browser


def put_in(page: Browser, file: Path) -> None:
    found = page.send("Runtime.evaluate", expression="document.getElementById('campaign-file')")
    page.send("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])


def press(page: Browser, button: str) -> None:
    page.ask(f"document.getElementById('{button}').focus()")
    page.press("Enter")


def planned(source: Path, limit: Limit, left_alone: dict[str, Any]) -> tuple[CampaignPlan, str]:
    scorer = make_scorer(control=ControlGroup(0.1), segments=True)
    candidates = find_candidates(scorer, make_plan(source, "d", Terms()), Terms(), ProfitParams())
    plan = make_campaign_plan(candidates, scorer, ProfitParams(), lambda _ids: left_alone, limit)
    write_list(source.with_name("expected.csv"), ".csv", listed(plan, scorer), segment=True)
    return plan, source.with_name("expected.csv").read_text()


def write(path: Path, rows: int) -> Path:
    pa.csv.write_csv(customers(rows), path)
    return path


def test_the_list_that_is_taken_away_is_that_of_the_command(page: Browser, store: FakeStore, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", 2_500)
    store.left_alone = {"c-1-7": "opted_out", "c-1-2400": "contacted_lately"}
    plan, expected = planned(source, Limit(calls=1_500), dict(store.left_alone))
    put_in(page, source)
    page.ask("document.getElementById('campaign-top').value = '1500'")
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    said = page.text("campaign-sum")
    assert said.startswith("1,500 calls, chosen from 2,500 customers")
    assert f"gain {plan.total(plan.expected.gain):,.0f} USD" in said
    assert "1 want no contacts; 1 were contacted lately" in page.text("campaign-left")
    assert page.ask("document.querySelectorAll('#campaign-rows tr').length") == 100
    assert "raises the risk" in page.ask("document.querySelector('#campaign-rows tr').textContent")
    heads = "[...document.querySelectorAll('.campaign th')].filter((one) => !one.hidden).map((one) => one.textContent)"
    assert page.ask(heads) == ["Rank", "Customer", "Risk", "Gain", "Segment", "Why"]
    assert page.ask("document.querySelector('#campaign-rows tr').cells[4].textContent") == "high total_day_minutes"
    reads_on_a_phone(page)
    press(page, "campaign-save")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (tmp_path / "campaign.csv").exists():
        assert time.monotonic() < deadline, page.complaints
        page.ask("1")
        time.sleep(0.05)
    assert (tmp_path / "campaign.csv").read_text() == expected
    assert (len(store.rows), store.contacts) == (2_500, [])
    assert page.complaints == []
    asked = [urlsplit(one) for one in page.addresses]
    assert sum(one.path == "/campaign/candidates" for one in asked) == 3
    assert page.ask("document.getElementById('campaign-gains').getAttribute('aria-label')").startswith(
        f"Gains curve: 1,500 calls should bring {plan.total(plan.expected.gain):,.0f} USD; a call to everybody"
    )
    assert {one.scheme for one in asked} <= {"http", "data", "blob"}


def reads_on_a_phone(page: Browser) -> None:
    """No column is out of sight to the side in any window, and on a phone why somebody is called has the whole width."""
    wide, row = "document.querySelector('.wide')", "document.querySelector('#campaign-rows tr')"
    page.ask(f"[1, 4].forEach((at) => {{ {row}.cells[at].textContent = 'x'.repeat(128); }})")
    try:
        for width in (1_100, 961, 700, 320):
            page.send("Emulation.setDeviceMetricsOverride", width=width, height=640, deviceScaleFactor=1, mobile=width < 600)
            assert page.ask(f"{wide}.scrollWidth === {wide}.clientWidth"), width
        assert page.ask(f"document.documentElement.scrollWidth === 320 && {wide}.scrollWidth === {wide}.clientWidth")
        assert page.ask(f"{row}.cells[5].offsetWidth === {row}.offsetWidth")
        assert page.ask(f"{row}.cells[5].offsetTop > {row}.cells[0].offsetTop")
        assert page.ask(f"[...{row}.cells].every((cell) => cell.scrollWidth <= cell.clientWidth)")
    finally:
        page.send("Emulation.clearDeviceMetricsOverride")


def test_a_budget_is_kept_as_by_the_command_and_the_curve_shows_what_more_would_bring(
    page: Browser, store: FakeStore, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.csv", 1_200)
    plan, _ = planned(source, Limit(budget=900.0), {})
    put_in(page, source)
    for value, words in (("-1", "Budget:"), ("1,5", "Budget: write a number as 1234.50"), ("900", "give one of them")):
        page.ask(f"document.getElementById('campaign-budget').value = '{value}'")
        page.ask(f"document.getElementById('campaign-top').value = '{5 if value == '900' else ''}'")
        press(page, "campaign-plan")
        assert words in page.text("campaign-error")
    assert store.rows == []
    page.ask("document.getElementById('campaign-top').value = ''")
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    assert page.text("campaign-sum").startswith(f"{len(plan.called):,} calls, chosen from 1,200 customers")
    assert 0 < len(plan.called) < len(plan.candidates.ids)
    everybody = float(plan.curve.gain[-1])
    said = page.ask("document.getElementById('campaign-gains').getAttribute('aria-label')")
    # Cents of those who are not worth a call are rounded.
    assert abs(float(said.rsplit("everybody ", 1)[1].split(" ")[0].replace(",", "")) - everybody) <= 7
    assert page.complaints == []


# Of Windows, with what Excel is told above the header; and of Excel's “CSV (Macintosh)”.
@pytest.mark.parametrize(("above", "end"), [("sep=,\r\n", "\r\n"), ("", "\r")])
def test_quotes_line_breaks_and_old_line_ends_make_no_other_customers(
    page: Browser, store: FakeStore, tmp_path: Path, above: str, end: str
) -> None:
    rows = [
        "customer_id,note,total_day_minutes",
        *(f'"c""{n}\u00fc","a\r\nb, ""c""",{200 + n % 9}' for n in range(1_100)),
        "",
        "",
    ]
    (tmp_path / "in.csv").write_bytes(f"\ufeff{above}".encode() + end.join(rows).encode())
    put_in(page, tmp_path / "in.csv")
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    assert "chosen from 1,100 customers" in page.text("campaign-sum")
    assert {row.customer_id for row in store.rows} == {f'c"{n}\u00fc' for n in range(1_100)}


PIECES = """(async () => {
  const found = [];
  for await (const {body, first} of piecesOf(new File([%s], "in.csv"))) found.push([body, first]);
  return found;
})()"""


def test_pieces_hold_the_rows_that_a_reader_of_csv_finds(page: Browser) -> None:
    draw, pieces = Random(7), 0  # noqa: S311 -- no secret
    for separator in ",;\t":
        # Quotes that begin a field, and such that do not; line breaks, separators of others, and, in two files, long texts.
        bare = ["", "a", 'x"y', '5"', 'b;"c' if separator == "," else "b", "" if separator == ";" else "l" * 2_000]
        cells = [*bare, '"q"', '"q""q"', '"q""\n"', '"q"r', f'"{separator}\n"', '"\r\n"']
        rows = [draw.choices(cells, k=2) for _ in range(2_600)]
        ends = ["\n", "\r\n", "\n\n"]
        text = "".join(separator.join(row) + draw.choice(ends) for row in [["id", "note"], *rows])
        found = page.ask(PIECES % json.dumps(text))
        read = []
        for body, first in found:
            header, *those = filter(None, csv.reader(io.StringIO(body, newline=""), delimiter=separator))
            assert (header, first, len(those) <= 1_000) == (["id", "note"], len(read) + 1, True)
            assert len(body) < 2**18 + 4_000
            read += those
        assert read == [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row][1:]
        pieces += len(found)
    assert pieces > 9


def test_a_connection_that_is_lost_in_the_middle_is_no_end(page: Browser, store: FakeStore, tmp_path: Path) -> None:
    page.ask(
        """window.setTimeout = (done) => Promise.resolve().then(done);
        const offline = () => { throw new TypeError("offline"); }, proxy = () => new Response("<html>", {status: 502});
        const asked = window.fetch, lost = [null, offline, proxy];
        window.fetch = async (...request) => (lost.shift() ?? (() => asked(...request)))(); 0"""
    )
    put_in(page, write(tmp_path / "in.csv", 2_500))
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    assert "chosen from 2,500 customers" in page.text("campaign-sum")
    assert len(store.rows) == 2_500

    # Of the first piece, and of what does not come back, it is told.
    page.ask("window.fetch = async () => { throw new TypeError('offline'); }; 0")
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('campaign-error').hidden")
    assert page.text("campaign-error").startswith("The service cannot be reached")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The file has no customers"),
        (b"customer_id,state\na,OH\nb,XX\n", "customer 2 of the file:"),
        (b"state\nOH\n", "customer 1 of the file:"),
        (b"customer_id,state\n\xff\xfe,OH\n", "The file is not UTF-8 text"),
        (TWICE, "Two customers have the id c0"),
        (TWICE_LOW, "Two customers have the id c0"),
        # A letter that ends in the middle; a line of the second piece.
        (b"customer_id,state\na,OH\nb\xc3", "The file is not UTF-8 text"),
        (
            b"customer_id,state\n" + b"".join(b"c%d,OH\n" % n for n in range(1_003)) + b'"d"e,OH\n',
            "about customer 1004 of the file:",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(page: Browser, tmp_path: Path, body: bytes, words: str) -> None:
    (tmp_path / "in.csv").write_bytes(body)
    put_in(page, tmp_path / "in.csv")
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && !document.getElementById('campaign-error').hidden")
    assert words in page.text("campaign-error")
    assert page.ask("document.getElementById('ranked').hidden")


def test_a_file_that_is_gone_or_another_by_now_is_not_called_a_wrong_one(page: Browser, tmp_path: Path) -> None:
    for change in (lambda file: file.write_text("customer_id,state\nanother,OH\n"), lambda file: file.unlink()):
        put_in(page, write(tmp_path / "in.csv", 20))
        # Chromium looks at a file when it is first asked about it, which may be after it has changed.
        assert page.ask("document.getElementById('campaign-file').files[0].size") > 0
        change(tmp_path / "in.csv")
        press(page, "campaign-plan")
        page.wait_for(f"{FINISHED} && !document.getElementById('campaign-error').hidden")
        assert page.text("campaign-error").startswith("The file cannot be read: it was changed, moved or deleted")


def test_it_can_be_stopped_and_begun_again(page: Browser, store: FakeStore, tmp_path: Path) -> None:
    put_in(page, write(tmp_path / "in.csv", 4_000))
    stop = "document.getElementById('campaign-stop')"
    page.ask(
        f"""window.asks = () => !dispatchEvent(new Event("beforeunload", {{cancelable: true}}));
        window.watch = new MutationObserver(() => {{
          watch.disconnect(); window.asked = asks(); {stop}.focus(); {stop}.click();
        }});
        watch.observe(document.getElementById('campaign-status'), {{childList: true, characterData: true, subtree: true}})"""
    )
    press(page, "campaign-plan")
    page.wait_for(f"{FINISHED} && document.getElementById('campaign-status').textContent.startsWith('Stopped')")
    assert page.ask("document.getElementById('ranked').hidden && document.getElementById('campaign-error').hidden")
    assert page.ask(f"{stop}.hidden")
    # Whoever leaves the page meanwhile is asked, and nobody else.
    assert page.ask("[window.asked, asks()]") == [True, False]
    assert page.focused() == "campaign-plan"
    assert len(store.rows) < 4_000
    page.press("Enter")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    assert "chosen from 4,000 customers" in page.text("campaign-sum")
    assert page.complaints == []


def test_a_file_that_is_dropped_anywhere_is_chosen_and_takes_no_page_away(page: Browser) -> None:
    dropped = """(() => {
      const dragged = new DataTransfer();
      dragged.items.add(%s);
      return ["dragover", "drop"].map((kind) => document.getElementById("form").dispatchEvent(
        new DragEvent(kind, {dataTransfer: dragged, bubbles: true, cancelable: true})));
    })()"""
    assert page.ask(dropped % "new File(['customer_id'], 'dropped.csv')") == [False, False]
    assert page.ask("document.getElementById('campaign-file').files[0].name") == "dropped.csv"
    # A text that is dropped goes where it is dropped.
    assert page.ask(dropped % "'265.1', 'text/plain'") == [True, True]


def test_without_a_file_it_asks_for_one(page: Browser) -> None:
    press(page, "campaign-plan")
    page.wait_for("!document.getElementById('campaign-error').hidden")
    assert page.focused() == "campaign-file"


@pytest.mark.parametrize("thousands", [40, pytest.param(100, marks=pytest.mark.long)])
def test_many_thousand_customers_come_with_a_bar_and_hold_up_nobody(
    page: Browser, store: FakeStore, tmp_path: Path, thousands: int
) -> None:
    with (tmp_path / "in.csv").open("w") as file:
        file.write("customer_id,total_day_minutes,state\n")
        # One in ten is worth a call.
        file.writelines(f"c-{n},{20 if n % 10 else 300 + n % 50},OH\n" for n in range(1_000 * thousands))
    page.ask(
        """window.seen = []; new MutationObserver(() => seen.push(document.getElementById('progress').value))
        .observe(document.getElementById('campaign-status'), {childList: true})"""
    )
    put_in(page, tmp_path / "in.csv")
    press(page, "campaign-plan")
    # Single customers are answered meanwhile.
    page.wait_for("window.seen.length > 3")
    asked = "fetch('predict', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{\"state\": \"OH\"}'})"
    assert page.ask(f"{asked}.then((response) => response.status)") == 200
    assert not page.ask(FINISHED)
    for pieces in range(20, thousands + 1, 20):
        page.wait_for(f"window.seen.length >= {pieces}")
    page.wait_for(f"{FINISHED} && !document.getElementById('ranked').hidden")
    seen = page.ask("window.seen")
    assert len(seen) >= thousands
    assert seen == sorted(seen)
    assert f"chosen from {thousands},000 customers" in page.text("campaign-sum")
    assert len(store.rows) == 1_000 * thousands + 1
