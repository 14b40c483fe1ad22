"""Letting go of old records, a batch at a time: predictions with their outcomes, and what challengers would have answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from churn.store.engine import translated
from churn.store.outcome_count import keep_count
from churn.store.outcomes import chunks
from churn.store.records import EPOCH, Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from churn.store.tables import monitor_runs, outcomes, predictions, shadow_predictions

# Numbers a transaction: a tenth of a second or so, during which nobody else is held up but who tells outcomes of these.
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were removed (or would be), and how many old predictions were kept, as the monitor still needs them."""

    predictions: int = 0
    outcomes: int = 0
    shadow_predictions: int = 0
    kept_unjudged: int = 0


class Cursor(NamedTuple):
    """How far the looks at one model version have come; see `churn.store.records.MonitorRun`."""

    seq: int = 0
    outcome_seq: int = 0
    mature_until: datetime = EPOCH


class _Row(NamedTuple):
    seq: int
    version: str
    outcome_seq: int | None
    requested_at: datetime


def prune(
    store: Store,
    before: datetime,
    *,
    even_unjudged: bool = False,
    dry_run: bool = False,
    on_batch: Callable[[Pruned], None] = lambda _: None,
) -> Pruned:
    """Remove what was asked for before a moment. Looks and decisions stay: they hold no customers.

    What no look has judged yet is kept, of versions that still answered since then: their predictions, and predictions whose
    outcome came late. A version that has not answered since is not waited for.

    Parameters
    ----------
    before : datetime
        With time zone.
    even_unjudged : bool
        Remove also what no look has judged.
    dry_run : bool
        Only count.
    on_batch : callable
        Told of all so far after each batch. A batch is one transaction; what is done stays done if a later one fails.

    Raises
    ------
    StoreError
        If the store is away.
    """
    done = Pruned()
    with translated():
        judged = _Judged(store, before)
        start, last = _old_numbers(store, before)
        while start is not None and start <= last:
            found = _prune_batch(store, start, before, None if even_unjudged else judged, dry_run)
            done = replace(
                done,
                predictions=done.predictions + found.predictions,
                outcomes=done.outcomes + found.outcomes,
                kept_unjudged=done.kept_unjudged + found.kept_unjudged,
            )
            on_batch(done)
            start = _next_number(store, start + BATCH)
        done = replace(done, shadow_predictions=_prune_shadow(store, before, dry_run))
        if not dry_run and (done.predictions or done.shadow_predictions):
            evidence = asdict(done) | {"before": before.isoformat(), "even_unjudged": even_unjudged}
            store.write_decision(
                Decision(
                    DecisionKind.RETENTION, DecisionAction.PRUNED, "operator", f"older than {before.isoformat()}", None, evidence
                )
            )
    return done


class _Judged:
    """Tells what the monitor is done with."""

    def __init__(self, store: Store, before: datetime) -> None:
        m = monitor_runs.c
        query = sa.select(
            m.model_version, sa.func.max(m.last_seq), sa.func.max(m.last_outcome_seq), sa.func.max(m.mature_until)
        ).group_by(m.model_version)
        with store.engine.connect() as connection:
            self._cursors = {row[0]: Cursor(*row[1:]) for row in connection.execute(query)}
        self._answers = cache(lambda version: _newest_answer(store, version) >= before)

    def is_done(self, row: _Row) -> bool:
        """Tell whether no look will ask for a prediction or its outcome any more."""
        cursor = self._cursors.get(row.version, Cursor())
        predicted = row.seq <= cursor.seq
        told = row.outcome_seq is None or (row.outcome_seq <= cursor.outcome_seq and row.requested_at <= cursor.mature_until)
        return (predicted and told) or not self._answers(row.version)


def _newest_answer(store: Store, version: str) -> datetime:
    """Tell when a version last answered. The very last rows may be old ones, from a spool."""
    p = predictions.c
    last = sa.select(p.requested_at).where(p.model_version == version).order_by(p.seq.desc()).limit(BATCH).subquery()
    with store.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.max(last.c.requested_at))).scalar_one() or EPOCH


def _old_numbers(store: Store, before: datetime) -> tuple[int | None, int]:
    """Give the first number there is, and the last one of an old prediction; rows from a spool come late, so some are new."""
    # `offset(0)` keeps PostgreSQL from looking for the last one from the end, through everything that is new.
    old = sa.select(predictions.c.seq).where(predictions.c.requested_at < before).offset(0).subquery()
    with store.engine.connect() as connection:
        return _next_number(store, 0), int(connection.execute(sa.select(sa.func.max(old.c.seq))).scalar_one() or -1)


def _next_number(store: Store, start: int) -> int | None:
    with store.engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.min(predictions.c.seq)).where(predictions.c.seq >= start)).scalar_one()
    return None if found is None else int(found)


# An outcome may come between the look at a batch and its removal.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(5), reraise=True)
def _prune_batch(store: Store, start: int, before: datetime, judged: _Judged | None, dry_run: bool) -> Pruned:
    p, o = predictions.c, outcomes.c
    query = (
        sa.select(p.seq, p.model_version, o.seq, p.requested_at)
        .join(outcomes, o.prediction_id == p.prediction_id, isouter=True)
        .where(p.seq >= start, p.seq < start + BATCH, p.requested_at < before)
    )
    with store.engine.begin() as connection:
        rows = [_Row(*row) for row in connection.execute(query if dry_run else query.with_for_update(of=predictions))]
        going = [row for row in rows if judged is None or judged.is_done(row)]
        told = [row.outcome_seq for row in going if row.outcome_seq is not None]
        if going and not dry_run:
            for numbers in chunks(told):
                connection.execute(sa.delete(outcomes).where(o.seq.in_(numbers)))
            keep_count(connection, told)
            for numbers in chunks([row.seq for row in going]):
                connection.execute(sa.delete(predictions).where(p.seq.in_(numbers)))
    return Pruned(predictions=len(going), outcomes=len(told), kept_unjudged=len(rows) - len(going))


def _prune_shadow(store: Store, before: datetime, dry_run: bool) -> int:
    s = shadow_predictions.c
    if dry_run:
        with store.engine.connect() as connection:
            query = sa.select(sa.func.count()).select_from(shadow_predictions).where(s.requested_at < before)
            return int(connection.execute(query).scalar_one())
    some = sa.select(s.model_version, s.prediction_id).where(s.requested_at < before).limit(BATCH)
    removed = 0
    while True:
        with store.engine.begin() as connection:
            done = connection.execute(sa.delete(shadow_predictions).where(sa.tuple_(s.model_version, s.prediction_id).in_(some)))
        removed += done.rowcount
        if done.rowcount < BATCH:
            return removed
