"""The scoring flow: a file that another system writes each night → answers → the store. The same file again changes nothing."""

from __future__ import annotations

from datetime import UTC, date
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from churn.batch.plan import Terms
from churn.batch.run import Summary, on_threads, score_folder
from churn.batch.single_file import is_file_name, score_file
from churn.clock import now
from churn.config.settings import Settings, load_settings
from churn.contract import load_contract
from churn.errors import InputError
from pipelines.flows.input_check import require_whole
from pipelines.flows.run_results import note_end
from pipelines.scoring import find_scorer, open_log, with_opt_outs


@task(cache_policy=NO_CACHE)
def check_input(settings: Settings, source: Path) -> None:
    """Refuse an input that is late, or not whole: then nothing is scored, and the answers of the night before stay."""
    require_whole(source, settle_seconds=settings.score_settle_seconds, max_age_seconds=settings.score_max_age_seconds)


@task(cache_policy=NO_CACHE)
def score_and_log(settings: Settings, source: Path, output: Path) -> Summary:
    """Score the input with the champion and log the answers; killed and run again, it goes on from where it was."""
    scorer = with_opt_outs(find_scorer(settings, load_contract(settings.contract), "champion"), settings)
    into = score_file if is_file_name(output) else score_folder
    with open_log(settings, None, lambda holder: get_run_logger().info("waiting for %s, which logs a file", holder)) as log:
        return into(scorer, source, output, Terms(), on_threads(), overwrite=True, log=log)


@flow(name="score", on_completion=[note_end], on_failure=[note_end], on_crashed=[note_end], log_prints=True)
def score_flow(day: str | None = None) -> dict[str, Any]:
    """Score and log the input of a day.

    Parameters
    ----------
    day : str, optional
        What `{date}` stands for; by default, the day for which the run was scheduled, in UTC.
    """
    settings = load_settings()
    if not settings.score_input:
        raise InputError("CHURN_SCORE_INPUT is not set: name the file to score")
    try:
        of = date.fromisoformat(day) if day else (flow_run.scheduled_start_time or now()).astimezone(UTC).date()
    except ValueError:
        raise InputError(f"day {day!r} is no date, such as 2026-03-31") from None
    source, output = (Path(name.replace("{date}", of.isoformat())) for name in (settings.score_input, settings.score_output))
    check_input(settings, source)
    summary = score_and_log(settings, source, output)
    logged = summary.logged
    assert logged is not None  # noqa: S101 -- it was asked for
    get_run_logger().info("%s: %d customers scored, %d logged now", source, summary.scored, logged.written)
    return {"scored": summary.scored, "churn": summary.churn, "logged": logged.written, "version": summary.model_version}
