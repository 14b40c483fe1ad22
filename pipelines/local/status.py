"""What is up, which model answers, the last monitoring run, what comes next. Each part is asked by itself: any may be down."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import sqlalchemy as sa

from churn.clock import CLOCK_SKEW, now
from churn.config.settings import Settings
from churn.config.ui_links import evidently_project, mlflow_models, prefect_deployments
from churn.config.urls import shown
from churn.errors import ChurnError
from churn.store.records import Decision, DecisionKind
from churn.store.store import Store
from pipelines.deployment_names import TRAIN
from pipelines.environment import prefect_api
from pipelines.local.status_facts import (
    DecisionFacts,
    FlowFacts,
    ModelFacts,
    MonitorFacts,
    NextRun,
    StoreFacts,
    TrafficFacts,
)

TIMEOUT_SECONDS = 3.0
# So many predictions of the last hour are counted at most: 2,800 a second.
MAX_COUNTED = 10_000_000
HOUR = timedelta(hours=1)
LAST_DECISIONS, NEXT_RUNS = 5, 200
KINDS = (DecisionKind.POLICY, DecisionKind.GATE, DecisionKind.PROMOTION, DecisionKind.ROLLBACK, DecisionKind.RETRAIN)


@dataclass(frozen=True)
class Part:
    """One part of the system: where it is, whether it answers, what is wrong with it, and the page that people open."""

    name: str
    address: str
    up: bool
    problem: str = ""
    page: str = ""


@dataclass(frozen=True)
class Status:
    """All that is known now. What could not be asked is None or empty, and its part says why.

    Attributes
    ----------
    problems : list of str
        Why the system is not healthy; empty if it is.
    """

    at: datetime
    parts: list[Part]
    model: ModelFacts | None = None
    traffic: TrafficFacts | None = None
    monitor: MonitorFacts | None = None
    decisions: list[DecisionFacts] = field(default_factory=list)
    flows: list[FlowFacts] = field(default_factory=list)
    upcoming: list[NextRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {"healthy": self.healthy, **asdict(self)}


def find_status(settings: Settings) -> Status:
    """Ask every part, all at the same time, for a few seconds at most."""
    local = "http://127.0.0.1"
    own_mlflow = settings.tracking_uri.startswith("sqlite:")
    mlflow = f"{local}:{settings.mlflow_port}" if own_mlflow else settings.tracking_uri
    prefect = os.environ.get("PREFECT_API_URL", prefect_api(settings))
    service = settings.service_url or f"{local}:{settings.port}"
    evidently = settings.evidently_url or f"{local}:{settings.evidently_port}"
    asked = (
        ("service", service, "/readyz"),
        ("mlflow", mlflow, "/health"),
        ("prefect", prefect, "/health"),
        ("exporter", settings.exporter_url or f"{local}:{settings.exporter_port}", "/metrics"),
        ("evidently", evidently, "/"),
    )
    pages = {
        "mlflow": mlflow_models(shown(mlflow), settings.model_name),
        "prefect": prefect_deployments(shown(prefect.removesuffix("/api"))),
        "evidently": evidently_project(shown(evidently), settings.home / "evidently"),
    }
    with _client() as client, ThreadPoolExecutor(len(asked) + 4) as pool:
        parts = [pool.submit(_ask, client, *one) for one in asked]
        model, upcoming = pool.submit(_model, client, service), pool.submit(_upcoming, client, prefect)
        runner, remembered = pool.submit(_runner, client, prefect), pool.submit(_remembered, settings)
        store, known = remembered.result()
        found = [replace(part.result(), page=pages.get(part.result().name, "")) for part in parts]
        found += [runner.result(), store]
        status = Status(now(), found, model=model.result(), upcoming=upcoming.result(), **known)
    status.problems.extend(_problems(status, settings))
    return status


def _problems(status: Status, settings: Settings) -> list[str]:
    """List what is not as it should be."""
    # Evidently's pages are for looking; nothing waits for them.
    wrong = [f"{part.name}: {part.problem}" for part in status.parts if part.problem and part.name != "evidently"]
    wrong += [f"flow {flow['flow']} failed: {flow['last_failure']}" for flow in status.flows if flow["last_failure"]]
    last_run = next((flow["last_ended_at"] for flow in status.flows if flow["flow"] == "monitor"), None)
    longest = timedelta(seconds=3 * settings.monitor_interval_seconds + 300)
    if last_run is not None and status.at - last_run > longest:
        wrong.append(f"the monitor last ran {format_age(status.at - last_run)} ago")
    wrong += _dated_ahead(status)
    if status.monitor is not None and status.monitor["action"] == "page":
        wrong.append(f"the monitor pages someone: {status.monitor['reason']}")
    return wrong


def _dated_ahead(status: Status) -> list[str]:
    """List what is said to have happened later than now: until that moment nothing can be seen to be too long ago."""
    moments = {
        "the newest prediction is of": None if status.traffic is None else status.traffic["last_prediction_at"],
        "the newest decision of the monitor is of": None if status.monitor is None else status.monitor["at"],
        **{f"the flow {flow['flow']} last ended at": flow["last_ended_at"] for flow in status.flows},
    }
    return [
        f"{what} {at:%Y-%m-%d %H:%M} UTC, which is still to come: is this clock right?"
        for what, at in moments.items()
        if at is not None and at - status.at > CLOCK_SKEW
    ]


def _client() -> httpx2.Client:
    """One for all parts: each would read the certificates of all authorities anew. No connection is kept for a second request."""
    return httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))


def _get(client: httpx2.Client, url: str, *, with_key: bool) -> httpx2.Response:
    # The key is the service's: no other part gets it.
    key = os.environ.get("CHURN_API_KEY") if with_key else None
    return client.get(url, headers={"x-api-key": key} if key else {})


def _ask(client: httpx2.Client, name: str, address: str, path: str) -> Part:
    try:
        answer = _get(client, address + path, with_key=name == "service")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Part(name, shown(address), up=False, problem=f"does not answer at {shown(address)} ({type(error).__name__})")
    address = shown(address)
    if answer.status_code == httpx2.codes.OK:
        told = _told(answer) if name == "service" else {}
        if told is None:
            return Part(name, address, up=False, problem="another program answers there")
        waits = told.get("log") == "spool"
        return Part(name, address, up=True, problem="the store is away: predictions wait on disk" if waits else "")
    detail = f"answers {answer.status_code}"
    problems = (_told(answer) or {}).get("errors") or []
    return Part(name, address, up=False, problem="; ".join(str(problem.get("problem")) for problem in problems) or detail)


def _told(answer: httpx2.Response) -> dict[str, Any] | None:
    """Return the JSON object in an answer; None if it is none: any program may listen at a part's address."""
    try:
        told = answer.json()
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _model(client: httpx2.Client, service: str) -> ModelFacts | None:
    try:
        answer = _get(client, f"{service}/model", with_key=True)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return None
    described = _told(answer) if answer.status_code == httpx2.codes.OK else None
    if described is None or "version" not in described:
        return None
    return cast(ModelFacts, {name: described.get(name) for name in ModelFacts.__annotations__})


def _runner(client: httpx2.Client, prefect: str) -> Part:
    """Tell whether a runner asks Prefect for the flows' runs: it listens nowhere, and without it nothing trains or monitors."""
    # One process comes for the runs of all flows, and Prefect notes of each deployment when that was.
    problem = ""
    try:
        answer = _get(client, f"{prefect}/deployments/name/{TRAIN}", with_key=False)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        problem = "not known while prefect does not answer"
    else:
        told = _told(answer) or {}
        if answer.status_code == httpx2.codes.NOT_FOUND:
            problem = "no process has come for its runs yet: churn up starts one"
        elif told.get("status") != "READY":
            problem = f"no process has come for its runs since {told.get('last_polled') or 'prefect started'}"
    return Part("flows", shown(prefect), up=not problem, problem=problem)


def _upcoming(client: httpx2.Client, prefect: str) -> list[NextRun]:
    wanted = {"sort": "EXPECTED_START_TIME_ASC", "limit": NEXT_RUNS, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    try:
        answer = client.post(f"{prefect}/flow_runs/filter", json=wanted)
        if answer.status_code != httpx2.codes.OK:
            return []
        flows = {flow["id"]: flow["name"] for flow in client.post(f"{prefect}/flows/filter", json={}).json()}
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return []
    # Of each flow the next one. The runs are sorted: the earliest stand first.
    following: dict[str, datetime] = {}
    for run in answer.json():
        following.setdefault(flows.get(run["flow_id"], "?"), datetime.fromisoformat(run["expected_start_time"]))
    return [{"flow": flow, "at": at} for flow, at in following.items()]


def _remembered(settings: Settings) -> tuple[Part, StoreFacts]:
    url = sa.make_url(settings.store_url)
    address = shown(settings.store_url)
    # Asking for the status must not create a store.
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return Part("store", address, up=False, problem="there is none yet; churn up makes it"), {}
    try:
        store = Store.open(settings.store_url, timeout_seconds=TIMEOUT_SECONDS)
    except ChurnError as error:
        return Part("store", address, up=False, problem=str(error)), {}
    try:
        known: StoreFacts = {
            "traffic": _traffic(store),
            "flows": [cast(FlowFacts, asdict(flow)) for flow in store.flow_runs()],
            "decisions": [_without_evidence(decision) for decision in store.decisions(kind=KINDS, limit=LAST_DECISIONS)],
            "monitor": _monitor(store),
        }
    except ChurnError as error:
        return Part("store", address, up=False, problem=str(error)), {}
    finally:
        store.close()
    return Part("store", address, up=True), known


def _without_evidence(decision: Decision) -> DecisionFacts:
    return {
        "decided_at": decision.decided_at,
        "kind": decision.kind,
        "action": decision.action,
        "actor": decision.actor,
        "model_version": decision.model_version,
        "reason": decision.reason,
    }


def _monitor(store: Store) -> MonitorFacts | None:
    """Return the newest monitoring run and what the policy decided of it; None if there was none."""
    policy = store.decisions(kind=DecisionKind.POLICY, limit=1)
    if not policy:
        return None
    runs = store.monitor_runs(limit=1)
    return {
        "at": policy[0].decided_at,
        "action": policy[0].action,
        "reason": policy[0].reason,
        "model_version": policy[0].model_version,
        "rows": runs[0].rows if runs else 0,
        "labelled_rows": runs[0].labelled_rows if runs else 0,
        "report": runs[0].report if runs else None,
    }


def _traffic(store: Store) -> TrafficFacts:
    hour = store.count_predictions_since(now() - HOUR, max_rows=MAX_COUNTED)
    return {
        "last_hour": hour,
        "at_least": hour >= MAX_COUNTED,
        "last_prediction_at": store.last_prediction_at(),
        "last_outcome_at": store.last_outcome_at(),
    }


def format_age(age: timedelta) -> str:
    """Format a span of time for people.

    Examples
    --------
    >>> [format_age(timedelta(seconds=s)) for s in (4, 200, 8_000, 300_000, -90)]
    ['4 s', '3 min', '2 h', '3 days', 'in 1 min']
    """
    seconds = int(abs(age.total_seconds()))
    units = ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h"))
    amount = next((f"{seconds // size} {name}" for limit, size, name in units if seconds < limit), f"{seconds // 86_400} days")
    return f"in {amount}" if age < timedelta(0) else amount
