"""The training flow: data → contract → split → tune + fit → evaluate → gate → registry."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import CancelledRun
from prefect.runtime import flow_run
from prefect.states import Cancelled

from churn.clock import now
from churn.config.params import Params, load_params
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset, read_dataset
from churn.data.doubts import telling_columns
from churn.diagnostics.curves import Curves, find_curves
from churn.errors import Busy, ChampionChanged, ChurnError, ModelRefused, NoModel
from churn.evaluation.weights import repeated_size
from churn.explain.segmenting import add_segments
from churn.ids import new_id
from churn.lifecycle.gate import GateDecision, decide
from churn.lifecycle.judges import judges_of
from churn.lifecycle.mature_traffic import MatureTraffic, read_mature_traffic
from churn.lifecycle.promotion import ANY_CHAMPION, promote
from churn.lifecycle.same_registry import check_registry
from churn.lifecycle.training_result import telling_what_became_true
from churn.lifecycle.training_runs import LOCK, clean_up_orphans, record_end, record_skipped, record_start, trainer
from churn.model_card.card import render_card
from churn.modeling.model import Model
from churn.modeling.search.candidates import expected_scores
from churn.modeling.training import Trained, train
from churn.modeling.training_set import TrainingSet, assemble
from churn.registry.registry import Registry
from churn.simulation.pretraining import pretraining_customers
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from pipelines.data_sources.source import find_data
from pipelines.flows.artifacts import publish_gate
from pipelines.flows.dask_cluster import spread
from pipelines.flows.foreground import run_here
from pipelines.flows.run_results import note_end
from pipelines.flows.serving_check import check_serving
from pipelines.flows.train_failure import record_failure
from pipelines.flows.training_record import TrainingReport, TrainingResult, gate_evidence, git_commit, run_files, run_tags

logger = logging.getLogger(__name__)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def begin(store: Store, registry: Registry, training: str, trigger: str, asked_by: str | None) -> list[str]:
    """Clean up after trainings that were killed, and record that this one begins. Fails if the registry or the store is away."""
    check_registry(store, registry)
    found = clean_up_orphans(store, registry)
    record_start(store, training, trigger, asked_by)
    return found


@task(cache_policy=NO_CACHE)
def read_customers(settings: Settings, contract: Contract) -> Dataset:
    """Read the labelled customers and check them against the contract."""
    source = find_data(settings)
    return read_dataset(source.path, contract, simulated=source.simulated)


@task(cache_policy=NO_CACHE, retries=3, retry_delay_seconds=5)
def read_labelled_traffic(store: Store, contract: Contract, settings: Settings) -> MatureTraffic:
    """Read the newest predictions whose outcome is known and mature."""
    maturity, effect, newest = settings.label_maturity_seconds, settings.contact_effect, settings.max_training_rows
    traffic = read_mature_traffic(store, contract, maturity, newest=newest, now=now(), contact_effect=effect)
    if len(traffic.rows) or store.last_outcome_at() is not None:
        tell = get_run_logger().warning if traffic.doubtful else get_run_logger().info
        tell("%d labelled predictions: %s", len(traffic.rows), traffic)
    return traffic


@task(cache_policy=NO_CACHE)
def tune_and_fit(
    training_set: TrainingSet, contract: Contract, params: Params, name: str, trigger: str, scheduler: str = ""
) -> Trained:
    """Search the grid, fit the best, score it on the holdout, find its segments; on a cluster, if there is a scheduler."""
    logger, total = get_run_logger(), expected_scores(params.tuning, params.model.form)

    def log_progress(scores: int) -> None:
        if scores % params.tuning.folds == 0:
            logger.info("tuning: %d%s fits scored", scores, "" if total is None else f" of {total}")

    with spread(scheduler):
        # Scores made by workers are not reported here.
        on_score = None if scheduler else log_progress
        fit = partial(train, name=name, trigger=trigger, git_commit=git_commit(), on_score=on_score)
        trained = fit(training_set, contract, params, pretraining=pretraining_customers(contract, params))
    logger.info("left out of the search: %s", "; ".join(trained.tuned.reduced) or "nothing")
    return add_segments(trained, training_set.holdout, contract, params)


@task(cache_policy=NO_CACHE)
def measure_curves(trained: Trained, params: Params, measure: bool, scheduler: str = "") -> Curves:
    """Read the validation curves that the tuning drew; or, if asked, measure these and the learning curve by more fits."""
    features = trained.model.info.features
    with spread(scheduler):
        return find_curves(trained.tuned, trained.learned, features, params.tuning, params.seed, measure=measure)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def load_champion(registry: Registry) -> Model | None:
    """Load the model in service, if there is one."""
    try:
        return registry.load_judged(registry.champion_version())
    except NoModel:
        return None
    except ModelRefused as error:
        remedy = "make another version champion, then train again: churn model rollback --reason ..."
        raise ModelRefused(f"no challenger can be compared with the champion: {error}; {remedy}") from error


@task(cache_policy=NO_CACHE)
def judge(
    trained: Trained,
    champion: Model | None,
    training_set: TrainingSet,
    contract: Contract,
    params: Params,
    traffic: MatureTraffic | None = None,
) -> GateDecision:
    """Let the gate compare challenger and champion on customers that neither was trained on."""
    fresh = judges_of(training_set.fresh, trained.learned, params.gate)
    serving = check_serving(trained.model, fresh.features, contract)
    decision = decide(trained.model, champion, fresh, params, contract, serving=serving, holdout=training_set.holdout)
    known: dict[str, Any] = {"reserved_but_trained_on": training_set.left_out, "labels": traffic.report() if traffic else None}
    known["effective_rows"] = len(fresh) if fresh.original is None else repeated_size(fresh.original)
    said = f" ({traffic.selection})" if traffic and traffic.selection else ""
    return replace(decision, reason=decision.reason + said, evidence=decision.evidence | known)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def register(
    registry: Registry,
    trained: Trained,
    training_set: TrainingSet,
    decision: GateDecision,
    contract: Contract,
    params: Params,
    training: str = "",
    curves: Curves | None = None,
) -> Model:
    """Log the run with its pictures and its card, and register the version, not yet as champion. Tried again, it is made once."""
    files, learned = run_files(trained, training_set, decision, contract, params, curves), training_set.train
    known = {"evaluation": files["scorecard.json"], "gate": files["gate.json"], "curves": curves.report() if curves else None}
    known |= {"reweighing": files.get("fairness.json"), "reduced": trained.tuned.reduced, "telling": telling_columns(learned)}
    card = render_card(trained.model.info, contract=contract, params=params, churn_rate=float(learned.outcome.mean()), **known)
    return registry.register(trained, files, run_tags(trained.model.info, training), card=card)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def record_decision(store: Store, model: Model, decision: GateDecision) -> None:
    """Record the gate's decision before anything follows from it."""
    action = DecisionAction.PASSED if decision.promote else DecisionAction.REJECTED
    store.write_decision(
        Decision(DecisionKind.GATE, action, "gate", decision.reason, model.info.version, gate_evidence(model.info, decision))
    )


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def conclude(
    store: Store,
    registry: Registry,
    model: Model,
    decision: GateDecision,
    training: str = "",
    baseline: str | None = ANY_CHAMPION,
) -> TrainingResult:
    """Promote the challenger if it passed, and record the result of the training.

    Nothing says "promoted" before it is true. A process that dies on the way leaves the gate's decision, at most an open intent,
    and a version that nobody serves; the next training cleans up and makes another. If another version became champion since the
    gate compared with `baseline`, that version stays.
    """
    info, reason, promoted = model.info, decision.reason, decision.promote
    if promoted:
        evidence = gate_evidence(info, decision)
        try:
            promote(registry, store, info, actor="gate", reason=reason, evidence=evidence, replacing=baseline)
        except ChampionChanged as error:
            promoted, reason = False, f"{error}, as it was compared with another"
    record_end(
        store, training, info.trigger, DecisionAction.PROMOTED if promoted else DecisionAction.REJECTED, reason, info.version
    )
    return {"version": info.version, "promoted": promoted, "reason": reason, "metrics": info.metrics}


@flow(
    name="train",
    on_completion=[note_end],
    on_failure=[record_failure, note_end],
    on_crashed=[record_failure, note_end],
    log_prints=True,
)
def train_flow(
    trigger: str = "manual",
    data: str | None = None,
    asked_by: str | None = None,
    wait: bool = False,
    curves: bool = False,
    form: str | None = None,
) -> TrainingReport | State[Any]:
    """Train a challenger on the data and the labelled traffic; it becomes champion if it passes the gate.

    One at a time trains, on whichever host. Another is cancelled, since the first sees what it would see; or it waits.

    Parameters
    ----------
    trigger : str
        Why: schedule, manual, or what the monitor saw.
    data : str, optional
        File of labelled customers; None is the one of CHURN_DATA.
    asked_by : str, optional
        The decision of the monitor that asked for it.
    wait : bool
        Wait for a training that is under way.
    curves : bool
        Also measure whether more customers would help, which takes about as long as the training.
    form : str, optional
        Of the challenger; None is the one of params.yaml.
    """
    settings = load_settings() if data is None else load_settings(data=data)
    contract, params = load_contract(settings.contract), load_params(settings.params).with_form(form)
    store, registry, logger = Store.open(settings.store_url), Registry(settings), get_run_logger()
    training = str(flow_run.id or new_id())
    with ExitStack() as stack:
        stack.callback(store.close)
        try:
            timeout_seconds = float("inf") if wait else 0.0
            waiting = partial(logger.info, "waiting for the training of %s")
            lock = stack.enter_context(store.lock(LOCK, trainer(trigger), timeout_seconds=timeout_seconds, on_wait=waiting))
        except Busy as busy:
            record_skipped(store, trigger, asked_by, str(busy))
            return Cancelled(message=str(busy))
        cleared = begin(store, registry, training, trigger, asked_by)
        for found in cleared:
            logger.warning(found)
        dataset = read_customers(settings, contract)
        traffic = read_labelled_traffic(store, contract, settings)
        training_set = assemble(dataset, traffic.rows, contract, params, Pseudonymiser(settings.pseudonym_key.get_secret_value()))
        trained = tune_and_fit(training_set, contract, params, settings.model_name, trigger, settings.dask_scheduler)
        measured = measure_curves(trained, params, curves, settings.dask_scheduler)
        champion = load_champion(registry)
        decision = judge(trained, champion, training_set, contract, params, traffic)
        lock.confirm()
        with telling_what_became_true(registry, training):
            model = register(registry, trained, training_set, decision, contract, params, training, measured)
            record_decision(store, model, decision)
            lock.confirm()
            baseline = None if champion is None else champion.info.version
            result = conclude(store, registry, model, decision, training, baseline)
    publish_gate(settings, result["version"], decision, promoted=result["promoted"])
    logger.info("version %s %s: %s", result["version"], "promoted" if result["promoted"] else "rejected", result["reason"])
    return {**result, "cleared": cleared, "reduced": list(trained.tuned.reduced)}


def train_once(
    trigger: str, *, data: Path | None = None, warn: Callable[[str], None] = logger.warning, **options: Any
) -> TrainingReport:
    """Run the flow once, and return its result; see `train_flow`.

    Parameters
    ----------
    trigger : str
        Why, for the record.
    data : Path, optional
        File of labelled customers; None is the one of CHURN_DATA.
    warn : callable
        Called with a sentence if the training ended, and Prefect's server was away and does not know of it.
    **options : object
        `wait`, `curves` and `form`, as of `train_flow`.

    Returns
    -------
    TrainingReport

    Raises
    ------
    ChurnError
        If another training is under way and this one is not to wait; the message says whose. If it broke off; the message says
        what became true.
    """
    try:
        return cast(TrainingReport, run_here(train_flow, warn, trigger=trigger, data=str(data) if data else None, **options))
    except CancelledRun as cancelled:
        raise ChurnError(str(cancelled)) from cancelled
