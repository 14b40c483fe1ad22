"""Read the window of a monitoring run: predictions in parts, however many there are, and labelled ones as a few columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import StoreAway
from churn.store.database.engine import store_error, translated
from churn.store.database.watermark import LARGEST, find_watermark
from churn.store.predictions.frames import frame_of_columns, parse_features
from churn.store.scoring_runs import seen_until
from churn.store.tables import outcomes, predictions
from churn.store.treatment.labels import learnable
from churn.store.treatment.marks import CONTACT_EFFECT

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 20_000
# A share of the rows is picked by a multiple of their number modulo a prime, so that no pattern in the traffic shows in it.
FACTOR, PRIME = 7_919, 10_007
ANSWERS = ["seq", "requested_at", "churn_probability", "threshold"]
PART_COLUMNS = [*ANSWERS, "customer_id"]


class Span(NamedTuple):
    """Predictions of one model version: how many, and the numbers of the first and the last (0 and 0 if there are none)."""

    rows: int
    first_seq: int
    last_seq: int


class WindowReader:
    """The predictions and outcomes of one database. Each method raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find_span(self, model_version: str, *, after_seq: int, newest: int) -> Span:
        """Find the newest predictions of a model version. The index alone answers.

        The span ends at the watermark: below it no row can appear later and be missed. It also ends before the predictions of a
        file that is being logged, so that half of it is not taken for all.

        Parameters
        ----------
        model_version : str
        after_seq : int
            Only predictions numbered above it.
        newest : int
            At most so many.

        Returns
        -------
        Span
        """
        p = predictions.c
        with translated(), self._engine.connect() as connection:
            watermark = find_watermark(connection, predictions)
            rows = (
                sa.select(p.seq)
                .where(p.model_version == model_version, p.seq > after_seq, p.seq <= watermark)
                .where(p.seq <= sa.func.coalesce(seen_until(), LARGEST))
                .order_by(p.seq.desc())
                .limit(newest)
                .subquery()
            )
            query = sa.select(sa.func.count(), sa.func.min(rows.c.seq), sa.func.max(rows.c.seq))
            count, first, last = connection.execute(query).one()
        return Span(int(count), int(first or 0), int(last or 0))

    def iter_parts(
        self, contract: Contract, model_version: str, span: Span, *, share: float = 1.0, newest_first: bool = False
    ) -> Iterator[pd.DataFrame]:
        """Read the predictions of a span in parts, in the order of `seq`: a million rows need no more memory than 20,000.

        Parameters
        ----------
        contract : Contract
            Names the features.
        model_version : str
            As for `find_span`.
        span : Span
        share : float, default 1.0
            In (0, 1]; below 1 only about that share of the rows, evenly spread and the same ones each time.
        newest_first : bool, default False
            Against the order of `seq`.

        Yields
        ------
        pandas.DataFrame, shape (at most 20,000, 5 + n_features)
            Columns seq, requested_at (in UTC), churn_probability, threshold (0 to 1), customer_id (None where the prediction had
            none), then the contract's features as in `churn.customers.frame`.
        """
        p = predictions.c
        # The moment is what the driver returns: SQLAlchemy would convert it row by row.
        moment = sa.type_coerce(p.requested_at, sa.types.NULLTYPE)
        query = (
            sa.select(p.seq, moment, p.churn_probability, p.threshold, p.customer_id, sa.cast(p.features, sa.Text))
            .where(p.model_version == model_version, p.seq >= span.first_seq, p.seq <= span.last_seq)
            .order_by(p.seq.desc() if newest_first else p.seq)
        )
        if share < 1:
            query = query.where((p.seq * FACTOR) % PRIME < round(PRIME * share))
        with translated(), self._engine.connect() as connection:
            parts = (_part(rows, contract) for rows in _fetch(connection, query))
            # While one part is in use, the next is read.
            with ThreadPoolExecutor(1) as pool:
                ahead = pool.submit(next, parts, None)
                while (part := ahead.result()) is not None:
                    ahead = pool.submit(next, parts, None)
                    yield part

    def read_labelled(
        self,
        model_version: str,
        *,
        after_outcome_seq: int,
        newest: int,
        mature: tuple[datetime, datetime] | None = None,
        contact_effect: timedelta = CONTACT_EFFECT,
    ) -> pd.DataFrame:
        """Read labelled predictions of a model version without their features, in the order of `seq`.

        Only outcomes are read: they hold a copy of what performance is measured on.

        Parameters
        ----------
        model_version : str
        after_outcome_seq : int
            Only predictions whose outcome is numbered above it.
        newest : int
            At most so many, the newest.
        mature : (datetime, datetime), optional
            Only predictions requested up to the second moment; of those requested after the first one, also predictions whose
            outcome is numbered lower, since they were too young before.
        contact_effect : timedelta
            How long a contact may change what a customer does.

        Returns
        -------
        pandas.DataFrame, shape (n_labelled, 7)
            Columns seq, requested_at (in UTC), churn_probability, threshold (0 to 1), churned (0.0 or 1.0), outcome_seq, and
            customer_id (None where the prediction had none). Where customers were acted on, also those of
            `churn.store.treatment.labels.learnable`, and churned is NaN where nothing may be learned from it.
        """
        import pandas as pd

        names = [*ANSWERS, "churned", "outcome_seq", "customer_id"]
        with translated(), self._engine.connect() as connection:
            watermark = find_watermark(connection, outcomes)
            query = _labelled(model_version, after_outcome_seq, watermark, mature)
            query = query.order_by(query.selected_columns[0].desc()).limit(newest)
            found = connection.execution_options(stream_results=True).execute(query).partitions(PART_ROWS)
            parts = [frame_of_columns(list(zip(*rows, strict=True)), names) for rows in found]
            frame = pd.concat(parts, ignore_index=True) if parts else frame_of_columns([[] for _ in names], names)
            return learnable(connection, frame[::-1].reset_index(drop=True), contact_effect)


def empty_part(contract: Contract) -> pd.DataFrame:
    """Return a part, as of `WindowReader.iter_parts`, without rows."""
    import pandas as pd

    from churn.customers.frame import frame_from_records

    return pd.concat([frame_of_columns([[] for _ in PART_COLUMNS], PART_COLUMNS), frame_from_records([], contract)], axis=1)


def _labelled(
    model_version: str, after_outcome_seq: int, watermark: int, mature: tuple[datetime, datetime] | None
) -> sa.Select[Any]:
    o = outcomes.c
    # The moment is what the driver returns: converted row by row, a million would take longer than everything else.
    moment = sa.type_coerce(o.requested_at, sa.types.NULLTYPE)
    columns = [
        *(o.prediction_seq, moment, o.churn_probability, o.threshold),
        *(sa.type_coerce(o.churned, sa.Integer), o.seq, o.customer_id),
    ]
    of_version = sa.select(*columns).where(o.model_version == model_version, o.seq <= watermark)
    if mature is None:
        return of_version.where(o.seq > after_outcome_seq)
    # Two ranges, each found by an index; as one condition with "or", all outcomes would have to be read.
    before, until = mature
    new = of_version.where(o.seq > after_outcome_seq, o.requested_at <= until)
    grown = of_version.where(o.seq <= after_outcome_seq, o.requested_at > before, o.requested_at <= until)
    both = sa.union_all(new, grown).subquery()
    return sa.select(*both.c)


def _part(rows: Sequence[tuple[Any, ...]], contract: Contract) -> pd.DataFrame:
    import pandas as pd

    *head, texts = zip(*rows, strict=True)
    return pd.concat([frame_of_columns(head, PART_COLUMNS), parse_features(texts, contract)], axis=1)


def _fetch(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Fetch rows as the driver returns them: SQLAlchemy's own take twice as long. Their values must need no conversion."""
    compiled = query.compile(connection.engine)
    values = compiled.params if compiled.positiontup is None else [compiled.params[name] for name in compiled.positiontup]
    # Only with a name does PostgreSQL's cursor not hold all rows in memory.
    names = ["parts"] if connection.dialect.name == "postgresql" else []
    with closing(connection.connection.cursor(*names)) as cursor:
        try:
            cursor.execute(str(compiled), values)
            while rows := cursor.fetchmany(PART_ROWS):
                yield rows
        except connection.dialect.loaded_dbapi.Error as error:
            failure = store_error(error)
            if isinstance(failure, StoreAway):
                # SQLAlchemy did not see it break, and would print a traceback when the connection comes back to the pool.
                connection.invalidate()
            raise failure from error
