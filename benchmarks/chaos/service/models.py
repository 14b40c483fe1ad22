"""Two replicas on one registry: a new champion reaches both, and so does a rollback, which is asked of one of them."""

from __future__ import annotations

from functools import partial

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from benchmarks.serving.fixture import make_fixture

ANSWERS = 60
POLL_SECONDS = 0.5


@scenario("replicas-models")
def models_across_replicas(size: Size) -> Row:
    """Change the champion, and change it back, while both replicas answer."""
    row = Row("replicas-models")
    fixture = make_fixture(size.work / "fixture", "plain", short=True)
    url = fixture.settings.store_url
    settings = {"CHURN_TRACKING_URI": fixture.settings.tracking_uri, "CHURN_REGISTRY_POLL_SECONDS": str(POLL_SECONDS)}
    with (
        serving(size.work / "one", url, settings=settings) as one,
        serving(size.work / "other", url, settings=settings) as other,
        Load(one.address, other.address, rate=size.rate) as load,
    ):
        first = _agree(one, other)
        load.wait_for(ANSWERS)
        # Trains another version in the same registry and lets it lead.
        make_fixture(size.work / "fixture", "plain", short=True)
        for _ in range(int(size.pick(1, 3))):
            second = _agree(one, other, after=first)
            load.wait_for(ANSWERS)
            told = one.post("/admin/rollback", {"reason": "chaos benchmark"}).raise_for_status().json()
            row.expect("a rollback leads back", told["model_version"] == first)
            row.expect("the other replica follows", _agree(one, other, after=second) == first)
            load.wait_for(ANSWERS)
            # The same words again, to the other one, which has followed: they undo the first, as the documentation says.
            again = other.post("/admin/rollback", {"reason": "another one"}).raise_for_status().json()
            row.expect("a second rollback undoes the first", again["model_version"] == second)
            row.expect("the first replica follows", _agree(one, other, after=first) == second)
            row.faults += 3
        load.wait_for(ANSWERS)
    enter(row, url, load.tally)
    row.expect(f"no prediction fails ({load.tally.failed[:1]})", not row.failed + row.cut)
    return row


def _agree(one: Service, other: Service, after: str = "") -> str:
    """Wait until both serve the same version, another one than before; give it."""
    one.wait_until(lambda: _version(one) != after)
    other.wait_until(partial(_same, one, other))
    return _version(one)


def _same(one: Service, other: Service) -> bool:
    return _version(one) == _version(other)


def _version(service: Service) -> str:
    return str(service.get("/model").json()["version"])
