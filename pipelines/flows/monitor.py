"""The monitoring flow: windows → drift + performance → report → policy → retrain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from churn.clock import now
from churn.config.params import load_params
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.errors import ModelRefused, NoModel
from churn.explain.segmenter import Segmenter
from churn.explain.segmenting import load_segmenter
from churn.lifecycle.same_registry import check_version
from churn.registry.registry import Registry
from churn.store.records import Decision, DecisionAction, MonitorRun
from churn.store.store import Store
from monitoring.monitor import MonitoringRun, record_run, report_path, run_monitor
from monitoring.outbox import decisions_to_send
from monitoring.reference import Reference
from monitoring.reference_cache import load_reference, save_reference
from monitoring.reports.page import write_page
from monitoring.reports.summary import render_summary
from monitoring.run_result import RunResult
from pipelines.flows.artifacts import publish_monitoring_run
from pipelines.flows.dask_cluster import spread
from pipelines.flows.events import send_and_note
from pipelines.flows.foreground import run_here
from pipelines.flows.monitor_failure import record_failure
from pipelines.flows.run_results import note_end

logger = logging.getLogger(__name__)
ACTED_ON = (DecisionAction.RETRAIN, DecisionAction.PAGE)
# Runs before it that a run's page looks back on.
EARLIER = 200


def _summaries(settings: Settings) -> Path:
    return settings.home / "summaries"


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a failure may pass by itself: a registry that is away does, one without a champion does not.

    Parameters
    ----------
    _task, _run : object
        Unused.
    state : State
        The failure.

    Returns
    -------
    bool
    """
    return not isinstance(state.data, NoModel)


@dataclass(frozen=True)
class Champion:
    """The model in service.

    Attributes
    ----------
    version, identity : str
        Its number, and what no other version has.
    reference : Reference
        What it was trained on.
    segmenter : Segmenter or None
        Finds the segments of its customers, where it has any.
    """

    version: str
    identity: str
    reference: Reference
    segmenter: Segmenter | None


class MonitoringReport(TypedDict):
    """Whether there was something to judge that no other run judged, and why the policy decided what; then which run it was."""

    judged: bool
    reason: str
    action: NotRequired[str]
    run_id: NotRequired[str]


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5, retry_condition_fn=may_pass)
def find_champion(registry: Registry, contract: Contract, settings: Settings) -> Champion:
    """Return the model in service, and what it was trained on."""
    version = registry.champion_version()
    identity = registry.identity(version)
    segmenter = _find_segmenter(registry, version, contract)
    slices = load_params(settings.params).evaluation.slices
    reference = load_reference(_summaries(settings), identity, contract, lambda: registry.reference(version), slices, segmenter)
    return Champion(version, identity, reference, segmenter)


def _find_segmenter(registry: Registry, version: str, contract: Contract) -> Segmenter | None:
    """Return what finds the segments of a version's customers; a version that cannot be loaded is judged without them."""
    try:
        return load_segmenter(registry.load(version), contract)
    except ModelRefused as error:
        logger.warning("version %s is monitored without its segments: %s", version, error)
        return None


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def run_on_window(store: Store, contract: Contract, settings: Settings, champion: Champion) -> MonitoringRun:
    """Compare what is new with the reference and decide what to do."""
    reference = champion.reference
    calibrated = len(reference.profile.cache)
    with spread(settings.dask_scheduler):
        params = load_params(settings.params)
        run = run_monitor(
            *(store, contract, settings, champion.version, reference),
            campaign=params.profit,
            segmenter=champion.segmenter,
            gaps=params.fairness.gaps,
        )
    if len(reference.profile.cache) > calibrated:
        save_reference(_summaries(settings), champion.identity, contract, reference)
    return run


@task(cache_policy=NO_CACHE)
def summarise(store: Store, run: MonitoringRun, settings: Settings) -> None:
    """Write the run's page."""
    known = store.monitor_runs(model_version=run.result.model_version, limit=EARLIER)
    _write_page(run.result, [record for record in known if record.run_id != run.result.run_id], settings)


@task(cache_policy=NO_CACHE)
def summarise_missed(store: Store, version: str, settings: Settings) -> None:
    """Write the page of the last run, if that was killed before it did."""
    runs = store.monitor_runs(model_version=version, limit=EARLIER)
    page = report_path(settings, runs[0].run_id) if runs else None
    if page is None or runs[0].report != str(page) or page.exists():
        return
    _write_page(RunResult.from_record(runs[0]), runs[1:], settings)


def _write_page(result: RunResult, earlier: Sequence[MonitorRun], settings: Settings) -> None:
    page = render_summary(result, [RunResult.from_record(r) for r in earlier], false_alarm_rate=settings.false_alarm_rate)
    write_page(report_path(settings, result.run_id), page)


@task(cache_policy=NO_CACHE)
def report(run: MonitoringRun, reference: Reference, contract: Contract, settings: Settings) -> None:
    """Draw the window for people, with Evidently."""
    from monitoring.reports.evidently_report import write_report

    write_report(run, reference.sample, contract, settings)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def conclude(store: Store, run: MonitoringRun) -> bool:
    """Store the run and its decision; False if this window was judged before."""
    return record_run(store, run)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def catch_up(store: Store, settings: Settings) -> list[Decision]:
    """Send again what earlier runs asked for and nobody took up: they were killed, or Prefect's server was away."""
    return [
        decision for decision in decisions_to_send(store, settings, now()) if send_and_note(store, settings.model_name, decision)
    ]


@task(cache_policy=NO_CACHE)
def send_request(store: Store, model_name: str, decision: Decision) -> None:
    """Send the event that the retraining deployment, or whoever is to be paged, listens to."""
    send_and_note(store, model_name, decision)


@flow(
    name="monitor",
    on_completion=[note_end],
    on_failure=[record_failure, note_end],
    on_crashed=[record_failure, note_end],
    log_prints=True,
)
def monitor_flow(pictures: bool = True) -> MonitoringReport:
    """Judge everything that is new since the last run.

    Parameters
    ----------
    pictures : bool
        Let Evidently draw the window, which takes longer than all the rest. The run's own page is written in any case.
    """
    settings = load_settings()
    contract = load_contract(settings.contract)
    store, registry = Store.open(settings.store_url), Registry(settings)
    try:
        for sent in catch_up(store, settings):
            get_run_logger().warning("%s was decided by an earlier run, and is asked for again: %s", sent.action, sent.reason)
        champion = find_champion(registry, contract, settings)
        check_version(store, champion.version, champion.identity)
        summarise_missed(store, champion.version, settings)
        run = run_on_window(store, contract, settings, champion)
        if run.window.is_empty:
            get_run_logger().info("nothing to judge yet: %s", run.decision.reason)
            return {"judged": False, "reason": run.decision.reason}
        run = run.with_report(report_path(settings, run.result.run_id))
        new = conclude(store, run)
        if new and run.decision.action in ACTED_ON:
            send_request(store, settings.model_name, run.decision)
        # The picture comes last: whatever happens to it, the decision stands and has been acted on.
        if new:
            shown = [summarise(store, run, settings, return_state=True)]
            if pictures:
                shown.append(report(run, champion.reference, contract, settings, return_state=True))
            for failed in (state for state in shown if state.is_failed()):
                get_run_logger().warning("the run is recorded, but its pages could not be written: %s", failed.message)
            publish_monitoring_run(settings, run.result)
    finally:
        store.close()
    get_run_logger().info("%s: %s", run.decision.action, run.decision.reason)
    return {"judged": new, "action": run.decision.action, "reason": run.decision.reason, "run_id": run.result.run_id}


def monitor_once(warn: Callable[[str], None] = logger.warning) -> MonitoringReport:
    """Run the flow once in this process, and return its result.

    Parameters
    ----------
    warn : callable
        Called with a sentence if the run ended, and Prefect's server was away and does not know of it.

    Returns
    -------
    MonitoringReport
    """
    result: MonitoringReport = run_here(monitor_flow, warn)
    return result
