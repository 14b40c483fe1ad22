"""Remove old predictions with their outcomes, answers of challengers, contacts and sensitive levels, one batch at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.database.pieces import give_turn
from churn.store.decisions import Decisions
from churn.store.monitor_runs import Position, read_positions
from churn.store.outcomes.count import count_removed
from churn.store.records import EPOCH, Decision, DecisionAction, DecisionKind
from churn.store.tables import contacts, outcomes, predictions, sensitive_levels, shadow_predictions

# Numbers in a transaction: some hundredths of a second, for which SQLite's other writers wait.
BATCH = 2_000
# The very last rows may be old ones, from a spool.
NEWEST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were removed (or would be), and how many old predictions were kept because the monitor still needs them."""

    predictions: int = 0
    outcomes: int = 0
    shadow_predictions: int = 0
    kept_unjudged: int = 0
    contacts: int = 0
    sensitive_levels: int = 0


class _Row(NamedTuple):
    seq: int
    version: str
    outcome_seq: int | None
    requested_at: datetime


def prune(
    engine: sa.Engine,
    before: datetime,
    *,
    contact_effect: timedelta = timedelta(),
    even_unjudged: bool = False,
    dry_run: bool = False,
    on_batch: Callable[[Pruned], None] = lambda _: None,
) -> Pruned:
    """Remove predictions that were requested before a moment. Monitoring runs and decisions stay: they hold no customers.

    What no monitoring run has judged yet is kept as long as its model version still answers: predictions, and predictions with an
    outcome. A version that has not answered since `before` is not waited for. Sensitive levels go with the last prediction of
    their customer, unless they came since `before`.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    before : datetime
        With time zone.
    contact_effect : timedelta
        How long a contact may change what a customer does: contacts are kept for so much longer than predictions.
    even_unjudged : bool
        Remove also what no monitoring run has judged.
    dry_run : bool
        Only count.
    on_batch : callable
        Called after each batch with all that was done so far. A batch is one transaction; it stays done if a later one fails.

    Returns
    -------
    Pruned

    Raises
    ------
    StoreError
        If the store is away.
    """
    done = Pruned()
    with translated():
        judged = _Judged(engine, before)
        start, last = _old_numbers(engine, before)
        while start is not None and start <= last:
            begun = time.monotonic()
            found = _prune_batch(engine, start, before, None if even_unjudged else judged, dry_run)
            give_turn(engine, 0.0 if dry_run else time.monotonic() - begun)
            done = replace(
                done,
                predictions=done.predictions + found.predictions,
                outcomes=done.outcomes + found.outcomes,
                kept_unjudged=done.kept_unjudged + found.kept_unjudged,
            )
            on_batch(done)
            start = _next_number(engine, start + BATCH)
        shadow = _prune_table(engine, shadow_predictions, shadow_predictions.c.requested_at < before, dry_run)
        done = replace(done, shadow_predictions=shadow)
        forgotten = contacts.c.contacted_at < before - contact_effect
        done = replace(done, contacts=_prune_table(engine, contacts, forgotten, dry_run))
        done = replace(done, sensitive_levels=_prune_table(engine, sensitive_levels, _of_nobody(before, dry_run), dry_run))
        if not dry_run and (done.predictions or done.shadow_predictions or done.contacts or done.sensitive_levels):
            evidence = asdict(done) | {"before": before.isoformat(), "even_unjudged": even_unjudged}
            Decisions(engine).write(
                Decision(
                    DecisionKind.RETENTION, DecisionAction.PRUNED, "operator", f"older than {before.isoformat()}", None, evidence
                )
            )
    return done


class _Judged:
    """Which predictions the monitor does not need any more."""

    def __init__(self, engine: sa.Engine, before: datetime) -> None:
        with engine.connect() as connection:
            self._positions = read_positions(connection)
        self._still_answers = cache(lambda version: _last_requested_at(engine, version) >= before)

    def is_done(self, row: _Row) -> bool:
        """Return whether no monitoring run will read a prediction or its outcome any more."""
        at = self._positions.get(row.version, Position())
        predicted = row.seq <= at.last_seq
        labelled = row.outcome_seq is None or (row.outcome_seq <= at.last_outcome_seq and row.requested_at <= at.mature_until)
        return (predicted and labelled) or not self._still_answers(row.version)


def _last_requested_at(engine: sa.Engine, version: str) -> datetime:
    """Return when a version last answered."""
    p = predictions.c
    last = sa.select(p.requested_at).where(p.model_version == version).order_by(p.seq.desc()).limit(NEWEST_ROWS).subquery()
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.max(last.c.requested_at))).scalar_one() or EPOCH


def _old_numbers(engine: sa.Engine, before: datetime) -> tuple[int | None, int]:
    """Return the first number there is, and the last one of an old prediction; rows from a spool come late, so some are new."""
    # `offset(0)` keeps PostgreSQL from searching for the last one from the end, through everything that is new.
    old = sa.select(predictions.c.seq).where(predictions.c.requested_at < before).offset(0).subquery()
    with engine.connect() as connection:
        return _next_number(engine, 0), int(connection.execute(sa.select(sa.func.max(old.c.seq))).scalar_one() or -1)


def _next_number(engine: sa.Engine, start: int) -> int | None:
    with engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.min(predictions.c.seq)).where(predictions.c.seq >= start)).scalar_one()
    return None if found is None else int(found)


# An outcome may be stored after a batch was read and before it is removed.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(5), reraise=True)
def _prune_batch(engine: sa.Engine, start: int, before: datetime, judged: _Judged | None, dry_run: bool) -> Pruned:
    p, o = predictions.c, outcomes.c
    query = (
        sa.select(p.seq, p.model_version, o.seq, p.requested_at)
        .join(outcomes, o.prediction_id == p.prediction_id, isouter=True)
        .where(p.seq >= start, p.seq < start + BATCH, p.requested_at < before)
    )
    with engine.begin() as connection:
        rows = [_Row(*row) for row in connection.execute(query if dry_run else query.with_for_update(of=predictions))]
        removable = [row for row in rows if judged is None or judged.is_done(row)]
        labelled = [row.outcome_seq for row in removable if row.outcome_seq is not None]
        if removable and not dry_run:
            for numbers in chunks(labelled):
                connection.execute(sa.delete(outcomes).where(o.seq.in_(numbers)))
            count_removed(connection, labelled)
            for numbers in chunks([row.seq for row in removable]):
                connection.execute(sa.delete(predictions).where(p.seq.in_(numbers)))
    return Pruned(predictions=len(removable), outcomes=len(labelled), kept_unjudged=len(rows) - len(removable))


def _of_nobody(before: datetime, dry_run: bool) -> sa.ColumnElement[bool]:
    """Choose old levels of customers without predictions; where these are only counted, of customers without new ones."""
    s, p = sensitive_levels.c, predictions.c
    left = sa.exists().where(p.customer_id == s.customer_id, *([p.requested_at >= before] if dry_run else []))
    return sa.and_(s.received_at < before, ~left)


def _prune_table(engine: sa.Engine, table: sa.Table, old: sa.ColumnElement[bool], dry_run: bool) -> int:
    """Remove the old rows of a table, some at a time; return how many there were."""
    if dry_run:
        with engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(old)).scalar_one())
    key = sa.tuple_(*table.primary_key.columns)
    some = sa.select(*table.primary_key.columns).where(old).limit(BATCH)
    removed = 0
    while True:
        begun = time.monotonic()
        with engine.begin() as connection:
            done = connection.execute(sa.delete(table).where(key.in_(some)))
        give_turn(engine, time.monotonic() - begun)
        removed += done.rowcount
        if done.rowcount < BATCH:
            return removed
