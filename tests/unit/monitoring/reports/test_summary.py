from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

from churn.store.records import DecisionAction
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.metrics import Performance
from monitoring.reports.page import write_page
from monitoring.reports.summary import render_summary
from monitoring.run_result import RetrainDecision
from tests.unit.monitoring.fakes import NOW, FakeStore, customers, launch, logged
from tests.unit.monitoring.results import make_drift, make_drift_result, make_groups, make_result, make_slice, make_slices
from tests.unit.monitoring.test_monitor import run_once


def render(run, earlier=()):
    return render_summary(run, earlier, false_alarm_rate=0.01)


moved = make_drift_result


def drifted(*results, **overrides):
    return make_result(labelled_rows=0, drift=make_drift(*results), **overrides)


def test_a_run_after_a_launch_says_what_moved_and_how_the_model_does():
    run = run_once(FakeStore(logged(launch(400, 2))))
    page = render(run.result)
    assert run.decision.action.upper() in page
    assert "<b>plan</b>" in page
    assert "ROC AUC" in page
    assert "one in 100" in page
    assert len(page) < 60_000


def test_a_calm_run_says_that_nothing_moved():
    assert "Nothing: the new predictions look like the reference" in render(run_once(FakeStore(logged(customers(300, 2)))).result)


def test_what_matters_most_to_the_model_comes_first_and_what_it_ignores_apart():
    page = render(drifted(moved("calls", impact=0.01), moved("minutes"), moved("state", note=True)))
    assert page.index("<b>minutes</b>") < page.index("<b>calls</b>")
    assert "<b>state</b>" not in page
    assert "the model makes nothing of them: state (values)" in page
    assert "a lot, more churn expected (+0.40 log-odds)" in page


def test_since_when_is_the_first_of_an_unbroken_row_of_runs():
    ago = [NOW - timedelta(hours=n) for n in range(1, 6)]
    earlier = [
        drifted(moved(), started_at=ago[0]),
        make_result(started_at=ago[1], drift=None),
        drifted(moved(), started_at=ago[2]),
        drifted(moved("calls"), started_at=ago[3]),
        drifted(moved(), started_at=ago[4]),
    ]
    page = render(drifted(moved()), earlier=earlier)
    assert ago[2].strftime("%Y-%m-%d %H:%M") in page.split("How good")[0]
    assert ago[4].strftime("%Y-%m-%d %H:%M") not in page.split("How good")[0]
    assert "this run" in render(drifted(moved("calls")))


def test_names_and_reasons_cannot_become_markup():
    hostile = "<script>alert(1)</script>"
    page = render(
        drifted(
            moved(hostile, measure=hostile, other=hostile),
            moved(hostile, note=True),
            model_version='1"><b>',
            policy=RetrainDecision(DecisionAction.NONE, hostile),
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert "script" not in tags


def test_the_strip_tells_decisions_by_letter_oldest_first_and_not_too_many():
    earlier = [make_result(action=DecisionAction.RETRAIN), *[make_result()] * 50]
    page = render(make_result(action=DecisionAction.PAGE), earlier)
    strip = page.split("<svg")[1].split("</svg>")[0]
    assert strip.count("<rect") == 30
    assert strip.index(">·<") < strip.index(">R<") < strip.index(">P<")


def test_a_page_is_whole_or_not_there(tmp_path):
    path = tmp_path / "reports" / "r1.html"
    write_page(path, "<p>Ä</p>")
    assert path.read_text(encoding="utf-8") == "<p>Ä</p>"
    assert list(path.parent.iterdir()) == [path]


def test_slices_that_are_worse_are_named_with_what_was_expected():
    calm = make_slice("area", "north", p_value=0.4, alarm=False, churn_rate=0.113)
    run = make_result(slices=make_slices(calm, make_slice()), performance=PerformanceComparison(Performance(100, brier=0.1)))
    page = render(run)
    assert page.index("customers with plan Yes") < page.index("customers with area north")
    worse = page[page.index("customers with plan Yes") :]
    assert 0 < worse.index("120") < worse.index("31.0%") < worse.index("12.0%")
    assert "2 groups were judged" in page
    assert "By group of customers" not in render(make_result())


def test_gaps_between_sensitive_groups_have_their_groups_and_how_much_is_chance():
    measured = PerformanceComparison(Performance(100, brier=0.1))
    page = render(make_result(groups=make_groups(), performance=measured))
    row = page[page.index("recall by gender") :]
    assert 0 < row.index("29.0%") < row.index("= 0.0010") < row.index("male 71% of 310, female 42% of 190")
    assert "1,900 of 2,000 customers with an" in page
    assert "age: not known of these customers." in page
    assert "Between sensitive groups" not in render(make_result(performance=measured))
