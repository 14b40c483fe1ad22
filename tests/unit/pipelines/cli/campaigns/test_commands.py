"""`churn campaign …` as a person or a script meets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.config.params import load_params
from churn.registry.runs import Runs
from churn.store.contacts.records import Contact
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from tests.unit.pipelines.cli.command import Churn, assert_one_line

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, churn: Churn) -> Path:
    return tmp_path / "home"


def opened(home: Path) -> Store:
    return Store.open(f"sqlite:///{home}/store.db")


def test_campaigns_are_listed_newest_first(churn: Churn, home: Path) -> None:
    assert "no contacts yet" in churn("campaign", "list").out
    store = opened(home)
    store.write_contacts([Contact(NOON + timedelta(hours=n), customer_id=f"c{n}", campaign="[may]") for n in range(3)])
    store.write_contacts([Contact(NOON + timedelta(days=1), customer_id="c1")])
    store.close()
    said = churn("campaign", "list", "--json")
    assert said.code == 0, said.err
    assert [(one["name"], one["contacts"]) for one in said.json] == [("", 1), ("[may]", 3)]
    shown = churn("campaign", "list").out
    assert "[may]" in shown
    assert "(no name)" in shown
    assert shown.index("(no name)") < shown.index("[may]")


def test_a_report_says_what_a_campaign_brought_or_that_it_is_not_known(churn: Churn, home: Path) -> None:
    assert churn("campaign", "report", "may").code == 2
    store = opened(home)
    store.write_predictions(
        [Prediction(f"p{n}", f"c{n}", NOON, "1", 0.6, 0.5, True, {}, held_out=n % 4 == 0) for n in range(400)]
    )
    store.write_contacts([Contact(NOON, customer_id=f"c{n}", campaign="may") for n in range(400) if n % 4])
    unknown = churn("campaign", "report", "may").out
    assert "300, of whom 300 were contacted" in unknown
    assert "not known: no outcome counts yet" in unknown
    store.write_outcomes([Outcome(n % 4 == 0 or n % 8 == 1, NOON, f"p{n}") for n in range(400)])
    store.close()
    said = churn("campaign", "report", "may", "--json")
    assert (said.code, said.json["effect"]["saved"]["value"]) == (0, pytest.approx(250))
    told = churn("campaign", "report", "may").out
    assert "left                 50 of 300; held out: 100 of 100" in told
    assert "saved                250 [" in told


def filled(home: Path, *, known: bool = True) -> None:
    store = opened(home)
    store.write_predictions(
        [Prediction(f"p{n}", f"c{n}", NOON, "1", 0.6, 0.5, True, {}, held_out=n % 4 == 0) for n in range(400)]
    )
    store.write_contacts([Contact(NOON, customer_id=f"c{n}", campaign="may") for n in range(400) if n % 4])
    if known:
        store.write_outcomes([Outcome(n % 4 == 0 or n % 8 == 1, NOON, f"p{n}") for n in range(400)])
    store.close()


def test_the_measured_acceptance_goes_into_params_if_it_is_known(churn: Churn, home: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("profit:\n  acceptance: 0.3  # a guess\n")
    filled(home, known=False)
    assert_one_line(churn("campaign", "report", "may", "--write-params"), 2, "acceptance of campaign 'may' is not known")
    assert params.read_text() == "profit:\n  acceptance: 0.3  # a guess\n"
    store = opened(home)
    store.write_outcomes([Outcome(n % 4 == 0 or n % 8 == 1, NOON, f"p{n}") for n in range(400)])
    store.close()
    told = churn("campaign", "report", "may", "--write-params")
    assert told.code == 0, told.err
    assert "profit.acceptance is 0.833 now, and was 0.3" in told.out
    assert params.read_text() == "profit:\n  acceptance: 0.833  # a guess\n"
    params.write_text("profit: {acceptance_beta: 14, acceptance: 0.3, acceptance_alpha: 6}\n")
    assert churn("campaign", "report", "may", "--write-params").code == 0
    profit = load_params(params).profit
    assert profit.acceptance == 0.833
    assert profit.acceptance_alpha / (profit.acceptance_alpha + profit.acceptance_beta) == pytest.approx(0.833, abs=0.001)
    assert profit.acceptance_alpha + profit.acceptance_beta > 100, "400 customers tell more than the 20 that were assumed"


def test_a_report_is_logged_with_its_page(churn: Churn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Runs, "log_campaign", lambda _runs, *given: asked.append(given) or "run-7")
    filled(home)
    said = churn("campaign", "report", "may", "--log", "--json").json
    ((name, metrics, params, files),) = asked
    page = Path(said["page"]).read_text()
    assert (said["mlflow_run"], name, metrics["saved"]) == ("run-7", "may", pytest.approx(250))
    assert (params["acceptance"], files["campaign.html"]) == (0.3, page)
    assert "SAVED CUSTOMERS" in page


def test_an_opt_out_is_noted_once_and_can_be_taken_back(churn: Churn, home: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("\ufeffc2\n\n c3 \nc1\n", "utf-8")
    said = churn("campaign", "opt-out", "c1", "--file", str(tmp_path / "ids.txt"), "--json")
    assert (said.code, said.json) == (0, {"customers": 3, "opt_out": True, "opted_out_in_all": 3})
    assert churn("campaign", "opt-out", "c1").out == "1 customer will not be contacted; 3 want no contacts in all\n"
    assert "2 customers may be contacted again; 1 want" in churn("campaign", "opt-out", "c1", "c2", "--undo").out
    store = opened(home)
    assert store.opted_out(["c1", "c2", "c3"]) == {"c3"}
    store.close()


def test_an_id_is_read_as_the_service_reads_it(churn: Churn, home: Path, tmp_path: Path) -> None:
    """Opted out under another name than the one that is called, a customer would be called all the same."""
    (tmp_path / "ids.txt").write_text("\ufeff416.0\r\n \r\nc\u20283\r\n", "utf-8", newline="")
    assert churn("campaign", "opt-out", "415.0", " c1", "--file", str(tmp_path / "ids.txt")).code == 0
    store = opened(home)
    assert store.opted_out(["415", "416", "c1", "c\u20283"]) == {"415", "416", "c1", "c\u20283"}
    assert store.count_opt_outs() == 4
    store.close()
    (tmp_path / "ids.txt").write_text("c4\nc\t5\n", "utf-8")
    said = churn("campaign", "opt-out", "--file", str(tmp_path / "ids.txt"))
    assert (said.code, "line 2: customer id 'c\\t5' must not contain control characters" in said.err) == (2, True)
    assert churn("campaign", "opt-out", "c" * 129).code == 2


def test_with_a_key_the_pseudonym_opts_out(churn: Churn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_PSEUDONYM_KEY", "a key of sixteen or more")
    assert churn("campaign", "opt-out", "c1").code == 0
    store = opened(home)
    assert store.opted_out(["c1"]) == set()
    assert store.count_opt_outs() == 1
    store.close()


def test_nobody_is_a_wrong_input(churn: Churn, home: Path, tmp_path: Path) -> None:
    for arguments in ([], [""], ["c1", ""], ["--file", str(tmp_path / "none.txt")]):
        said = churn("campaign", "opt-out", *arguments)
        assert said.code == 2
        assert said.err.count("\n") == 1
