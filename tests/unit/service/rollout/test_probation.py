from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from churn.contract import Contract
from churn.store.shadow import Realized
from service.app import ServiceApp
from service.observability.metrics import ServiceMetrics
from service.rollout.active_model import ActiveModel
from service.rollout.probation import Probation
from service.rollout.probation_test import Bounds, ProbationResult
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import CUSTOMER, FEATURES, make_model, served_model
from tests.unit.service.rollout.test_shadow import FakeComparisonStore

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUNDS = Bounds(min_requests=50, min_outcomes=20)


class Watching:
    """A probation with everything around it: two models, counters, a clock that a test moves."""

    def __init__(self, contract: Contract, seconds: float = 900.0) -> None:
        self.time = 0.0
        self.old, self.new = served_model(make_model("1"), "registry"), served_model(make_model("2", slope=3), "registry")
        self.metrics, self.store, self.active_model = ServiceMetrics(contract), FakeComparisonStore(), ActiveModel()
        self.reasons: list[str] = []
        self.active_model.activate(self.old)
        counters, counted = self.metrics.registry, self.metrics.models
        self.probation = Probation(
            seconds, BOUNDS, self.store, counters, counted, self.active_model, self.roll_back, lambda: self.time
        )

    async def roll_back(self, leaving: ServedModel, result: ProbationResult) -> None:
        assert leaving is self.new
        assert result.evidence
        self.reasons.append(result.reason)
        self.active_model.activate(self.old)

    def activate(self) -> None:
        self.active_model.activate(self.new)
        self.probation.begin(self.old, self.new)

    def requests(self, number: int, status: str = "200", seconds: float = 0.002, route: str = "/predict") -> None:
        self.metrics.requests.labels(route, "POST", status).inc(number)
        for _ in range(number):
            self.metrics.seconds.labels(route).observe(seconds)

    def told(self, number: int, probability: float, churned: bool, customer_id: str | None = None) -> None:
        first, features = len(self.store.outcomes) + 1, dict.fromkeys(FEATURES, 100.0)
        self.store.outcomes += [
            Realized(first + n, probability, churned, features, NOON + timedelta(seconds=first + n), customer_id)
            for n in range(number)
        ]

    def ended(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("churn_probations_total", {"result": result}) or 0.0

    @property
    def active(self) -> float | None:
        return self.metrics.registry.get_sample_value("churn_probation_active")


@pytest.fixture
def watching(contract: Contract) -> Watching:
    return Watching(contract)


async def test_an_idle_probation_passes_when_its_time_is_over(watching: Watching) -> None:
    watching.activate()
    for watching.time in (15, 450, 899):
        await watching.probation.poll()
        assert watching.active == 1
    watching.time = 900
    await watching.probation.poll()
    assert (watching.active, watching.ended("passed"), watching.reasons) == (0, 1, [])
    watching.requests(500, "500")
    await watching.probation.poll()
    assert watching.reasons == [], "it is over"


async def test_errors_since_the_activation_roll_back_with_figures(watching: Watching) -> None:
    watching.requests(1_000)
    watching.activate()
    watching.requests(180)
    watching.requests(20, "500")
    await watching.probation.poll()
    assert watching.reasons == ["20 of 200 requests failed; 0.00% did before, 1.00% more may"]
    assert watching.active_model.current() is watching.old
    assert (watching.active, watching.ended("rolled back")) == (0, 1)
    await watching.probation.poll()
    assert len(watching.reasons) == 1


@pytest.mark.parametrize(
    ("number", "status", "route"),
    [(200, "503", "/predict"), (200, "422", "/predict"), (200, "500", "/outcomes"), (200, "500", "unmatched")],
)
async def test_what_is_not_the_model_s_fault_is_not_held_against_it(
    watching: Watching, number: int, status: str, route: str
) -> None:
    watching.activate()
    watching.requests(300)
    watching.requests(number, status, route=route)
    await watching.probation.poll()
    assert watching.reasons == []


@pytest.mark.parametrize("route", ["/predict/batch", "/invocations", "/v2/models/{name}/infer"])
async def test_every_route_that_predicts_counts(watching: Watching, route: str) -> None:
    watching.activate()
    watching.requests(200, "500", route=route)
    await watching.probation.poll()
    assert len(watching.reasons) == 1


async def test_what_failed_before_the_activation_is_no_fault_of_the_new_model(watching: Watching) -> None:
    watching.requests(500, "500")
    watching.activate()
    watching.requests(200)
    await watching.probation.poll()
    assert watching.reasons == []


async def test_a_second_probation_is_compared_with_the_time_since_the_first(watching: Watching) -> None:
    watching.requests(1_000, "500")
    watching.activate()
    watching.requests(200)
    watching.time = 900
    await watching.probation.poll()
    assert watching.ended("passed") == 1
    watching.requests(1_000)
    watching.activate()
    watching.requests(180)
    watching.requests(20, "500")
    await watching.probation.poll()
    assert watching.reasons == ["20 of 200 requests failed; 0.00% did before, 1.00% more may"]


async def test_slow_answers_roll_back_only_poll_after_poll(watching: Watching) -> None:
    watching.requests(1_000)
    watching.activate()
    for slow in (True, True, True, False, True, True, True):
        watching.requests(100, seconds=0.4 if slow else 0.002)
        await watching.probation.poll()
    assert watching.reasons == []
    watching.requests(100, seconds=0.4)
    await watching.probation.poll()
    assert len(watching.reasons) == 1
    assert "longer than 0.1 s, in 4 polls in a row" in watching.reasons[0]


async def test_polls_with_few_requests_say_nothing_of_latency_but_add_up(watching: Watching) -> None:
    watching.requests(1_000)
    watching.activate()
    for _ in range(7):
        watching.requests(25, seconds=0.4)
        await watching.probation.poll()
    assert watching.reasons == []
    watching.requests(25, seconds=0.4)
    await watching.probation.poll()
    assert len(watching.reasons) == 1


async def test_a_worse_brier_score_on_the_same_customers_rolls_back(watching: Watching) -> None:
    old = watching.old.scorer.one([100.0 if name in FEATURES else None for name in watching.old.contract.feature_names])
    watching.activate()
    watching.told(60, 0.95, churned=False)
    await watching.probation.poll()
    assert f"{0.95**2 - old**2:.4f} worse" in watching.reasons[0]


async def test_a_customer_with_many_outcomes_is_one_customer(watching: Watching) -> None:
    watching.activate()
    watching.told(300, 0.95, churned=False, customer_id="C1")
    watching.told(49, 0.95, churned=False)  # without ids: each is another
    await watching.probation.poll()
    assert watching.probation.result is not None
    assert watching.probation.result.evidence["outcomes"] == 50


async def test_outcomes_are_asked_for_once_each(watching: Watching) -> None:
    watching.activate()
    watching.told(3, 0.2, churned=False)
    await watching.probation.poll()
    watching.told(2, 0.2, churned=False)
    await watching.probation.poll()
    assert watching.store.asked == [("2", 0), ("2", 3)]
    assert watching.store.judged_until == NOON + timedelta(seconds=3)
    assert watching.probation.result is not None
    assert watching.probation.result.evidence["outcomes"] == 5


async def test_a_store_that_is_away_leaves_the_rest_of_the_watch(watching: Watching) -> None:
    watching.activate()
    watching.store.away = True
    watching.requests(200, "500")
    await watching.probation.poll()
    assert len(watching.reasons) == 1


async def test_another_model_in_service_cuts_a_probation_short(watching: Watching) -> None:
    watching.activate()
    watching.active_model.activate(watching.old)
    watching.requests(200, "500")
    await watching.probation.poll()
    assert (watching.reasons, watching.active, watching.ended("cut short")) == ([], 0, 1)


async def test_the_same_model_loaded_anew_is_still_on_probation(watching: Watching) -> None:
    watching.activate()
    watching.active_model.activate(served_model(make_model("2", slope=3), "disk"))
    watching.requests(200, "500")
    await watching.probation.poll()
    assert len(watching.reasons) == 1


async def test_a_probation_of_no_seconds_is_none(contract: Contract) -> None:
    watching = Watching(contract, seconds=0)
    watching.activate()
    watching.requests(200, "500")
    await watching.probation.poll()
    assert (watching.reasons, watching.active) == ([], 0)


async def test_it_reads_the_counters_that_the_service_keeps(app: ServiceApp, client: httpx2.AsyncClient) -> None:
    """Whoever renames these, or keeps them elsewhere, leaves every champion unwatched."""
    for body in (CUSTOMER, CUSTOMER, {"shoe_size": 3}):
        await client.post("/predict", json=body)
    await client.post("/predict/batch", json={"customers": [CUSTOMER]})
    await client.get("/healthz")
    counted = app.state.rollout.probation.count()
    assert (counted.requests, counted.errors) == (4, 0)
    assert sum(number for _, number in counted.latencies) == 3
    assert counted.latencies[-1][0] == float("inf")
