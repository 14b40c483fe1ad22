"""The monitoring flow: windows → drift + performance → report → policy → retrain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from churn.clock import now
from churn.config.params import load_params
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.registry.registry import Registry
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.monitor import HISTORY, RunResult, look, record, report_path
from monitoring.outbox import unheard
from monitoring.reference import Reference, keep_reference, load_reference
from monitoring.reports.summary import render_summary, write_summary
from pipelines.flows.dask_cluster import spread
from pipelines.flows.events import send_and_note
from pipelines.flows.monitor_failure import record_failure
from pipelines.flows.run_results import note_end

ACTED_ON = (DecisionAction.RETRAIN, DecisionAction.PAGE)


def _summaries(settings: Settings) -> Path:
    return settings.home / "summaries"


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def find_champion(registry: Registry, contract: Contract, settings: Settings) -> tuple[str, str, Reference]:
    """Name the model in service and its identity, and say what it was trained on."""
    version = registry.champion_version()
    identity = registry.identity(version)
    return version, identity, load_reference(_summaries(settings), identity, contract, lambda: registry.reference(version))


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def run_on_window(
    store: Store, contract: Contract, settings: Settings, version: str, identity: str, reference: Reference
) -> RunResult:
    """Compare what is new with the reference and decide what to do."""
    calibrated = len(reference.profile.cache)
    with spread(settings.dask_scheduler):
        seen = look(store, contract, settings, version, reference, campaign=load_params(settings.params).profit)
    if len(reference.profile.cache) > calibrated:
        keep_reference(_summaries(settings), identity, contract, reference)
    return seen


@task(cache_policy=NO_CACHE)
def summarise(store: Store, seen: RunResult, settings: Settings) -> None:
    """Write the look down on one page."""
    earlier = [r for r in store.monitor_runs(model_version=seen.run.model_version, limit=HISTORY) if r.run_id != seen.run.run_id]
    page = render_summary(seen.run, seen.decision, earlier, false_alarm_rate=settings.false_alarm_rate)
    write_summary(report_path(settings, seen.run.run_id), page)


@task(cache_policy=NO_CACHE)
def summarise_missed(store: Store, version: str, settings: Settings) -> None:
    """Write the page of the last look, if that was killed before it did."""
    runs = store.monitor_runs(model_version=version, limit=HISTORY)
    page = report_path(settings, runs[0].run_id) if runs else None
    if page is None or runs[0].report != str(page) or page.exists():
        return
    decided = store.decisions(kind=DecisionKind.POLICY, model_version=version, limit=HISTORY)
    decision = next((one for one in decided if one.evidence.get("run_id") == runs[0].run_id), None)
    if decision is not None:
        write_summary(page, render_summary(runs[0], decision, runs[1:], false_alarm_rate=settings.false_alarm_rate))


@task(cache_policy=NO_CACHE)
def report(seen: RunResult, reference: Reference, contract: Contract, settings: Settings) -> None:
    """Draw the window for people, with Evidently."""
    from monitoring.reports.evidently_report import write_report

    write_report(seen, reference.sample, contract, settings)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def conclude(store: Store, seen: RunResult) -> bool:
    """Write the look and its decision down; False if this window was judged before."""
    return record(store, seen)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def catch_up(store: Store, settings: Settings) -> list[Decision]:
    """Send again what earlier looks asked for, and nobody has heard: they were killed, or Prefect's server was away."""
    return [decision for decision in unheard(store, settings, now()) if send_and_note(store, settings.model_name, decision)]


@task(cache_policy=NO_CACHE)
def ask_for_it(store: Store, model_name: str, decision: Decision) -> None:
    """Say it to whoever listens: the retraining deployment does, and who is to be woken."""
    send_and_note(store, model_name, decision)


@flow(
    name="monitor",
    on_completion=[note_end],
    on_failure=[record_failure, note_end],
    on_crashed=[record_failure, note_end],
    log_prints=True,
)
def monitor_flow() -> dict[str, Any]:
    """Look once at everything new since the last look."""
    settings = load_settings()
    contract = load_contract(settings.contract)
    store, registry = Store.open(settings.store_url), Registry(settings)
    try:
        for sent in catch_up(store, settings):
            get_run_logger().warning("%s was decided at an earlier look, and is asked for again: %s", sent.action, sent.reason)
        version, identity, reference = find_champion(registry, contract, settings)
        summarise_missed(store, version, settings)
        seen = run_on_window(store, contract, settings, version, identity, reference)
        if seen.window.is_empty:
            get_run_logger().info("nothing to judge yet: %s", seen.decision.reason)
            return {"judged": False, "reason": seen.decision.reason}
        seen = seen.with_report(report_path(settings, seen.run.run_id))
        new = conclude(store, seen)
        if new and seen.decision.action in ACTED_ON:
            ask_for_it(store, settings.model_name, seen.decision)
        # The picture comes last: whatever happens to it, the decision stands and has been acted on.
        if new:
            shown = [summarise(store, seen, settings, return_state=True)]
            shown.append(report(seen, reference, contract, settings, return_state=True))
            for failed in (state for state in shown if state.is_failed()):
                get_run_logger().warning("the look is recorded, but could not be shown: %s", failed.message)
    finally:
        store.close()
    get_run_logger().info("%s: %s", seen.decision.action, seen.decision.reason)
    return {"judged": new, "action": seen.decision.action, "reason": seen.decision.reason, "run_id": seen.run.run_id}
