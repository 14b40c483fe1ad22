"""`churn note`: what to say to a customer who may leave."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.store import names_of, opened_store
from pipelines.console import console, errors, print_json, warn

if TYPE_CHECKING:
    from churn.batch.model import Scorer
    from churn.config.settings import Settings
    from churn.contract import Contract
    from churn.store.predictions.newest import NewestPrediction
    from pipelines.notes.facts import Facts
    from pipelines.notes.note import Note, Writer


def note(
    customer_id: Annotated[str, typer.Argument(help="As it was sent to the service.")],
    template: Annotated[bool, typer.Option("--template", help="Do not ask the language model of CHURN_LLM_MODEL.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Write five lines about a customer, for whoever calls.

    They say the newest answer in the store, its reasons, and what these mean. With CHURN_LLM_MODEL, a local language model puts
    them into its own words; where it says what the reasons do not, the template's words stand. It is not told who the customer
    is.

    Example: churn note c-4711
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from pipelines.environment import prepare_environment
    from pipelines.notes.facts import Facts
    from pipelines.notes.note import write_note
    from pipelines.scoring import find_scorer

    settings = load_settings()
    writer = None if template else _language_model(settings)
    prepare_environment(settings)
    contract = load_contract(settings.contract)
    newest = _newest_prediction(customer_id)
    reasons = _reasons(newest, find_scorer(settings, contract, newest.model_version), contract)
    facts = Facts.of(contract, newest.churn_probability, newest.threshold, reasons)
    with errors.status("writing"):
        written = write_note(facts, contract, writer)
    if as_json:
        print_json(_document(customer_id, newest, written, facts))
        return
    for line in written.lines:
        console.print(line, markup=False, highlight=False)
    if written.why_template:
        warn(f"in the template's words, for {written.why_template}")


def _language_model(settings: Settings) -> Writer | None:
    """Return what rewrites a note with the model of CHURN_LLM_MODEL; None if none is set, InputError if it is no file."""
    from churn.errors import InputError
    from pipelines.notes.language_model import rewrite

    if not settings.llm_model:
        return None
    model = Path(settings.llm_model)
    if not model.is_file():
        raise InputError(f"CHURN_LLM_MODEL: {model} is no file")
    return partial(rewrite, model=model, timeout_seconds=settings.llm_timeout_seconds)


def _newest_prediction(customer_id: str) -> NewestPrediction:
    from churn.errors import InputError
    from churn.store.predictions.newest import read_newest

    names = names_of(customer_id)
    with opened_store() as store:
        newest = read_newest(store.engine, names)
    if newest is None:
        raise InputError(
            f"customer {customer_id!r}: no prediction in the store; ask for one first (POST /predict, churn score --log)"
        )
    return newest


def _reasons(newest: NewestPrediction, scorer: Scorer, contract: Contract) -> list[dict[str, Any]]:
    """Return all reasons of a stored prediction, strongest first; NoReasons if its model version, the scorer's, gives none."""
    from churn.errors import NoReasons
    from pipelines.planning import call_reasons

    explained = call_reasons(scorer)
    if explained.explainer is None:
        raise NoReasons(f"version {newest.model_version} is not compiled: it gives no reasons, and a note is made of them")
    values = explained.pick([newest.features.get(name) for name in contract.feature_names])
    _, reasons = explained.explainer.reasons_for(values, len(values))
    return reasons


def _document(customer_id: str, newest: NewestPrediction, written: Note, facts: Facts) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "prediction_id": newest.prediction_id,
        "model_version": newest.model_version,
        "requested_at": newest.requested_at.isoformat(),
        "churn_probability": newest.churn_probability,
        "note": written.lines,
        "written_by": written.written_by,
        "why_template": written.why_template,
        "reasons": list(facts.reasons),
    }
