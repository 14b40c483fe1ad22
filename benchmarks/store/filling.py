"""A store of years: millions of predictions in the order of time, a tenth of them with outcomes, made within PostgreSQL."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa

from churn.contract import Contract
from churn.simulation.simulate import simulate
from churn.store.store import Store

SAMPLES = 200
OUTCOMES_EACH = 10
SHADOW_EACH = 20
# Each customer is asked about so many times, as in three months.
TIMES_ASKED = 3
VERSIONS = 3
DAYS = 180

PREDICTIONS = """
INSERT INTO predictions
  (prediction_id, customer_id, requested_at, model_version, churn_probability, threshold, churn, features, held_out)
SELECT substr(born, 1, 8) || '-' || substr(born, 9, 4) || '-7' || substr(chance, 1, 3) || '-8' || substr(chance, 4, 3)
         || '-' || substr(chance, 7, 12),
       'c-' || floor(random() * :rows / :times)::int, at, (1 + (n - 1) * :versions / :rows)::text, p, 0.3, p > 0.3, features,
       p > 0.97
FROM (SELECT n, at, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS born, md5(n::text) AS chance,
             random() AS p, features
      FROM (SELECT n, now() - make_interval(secs => 86400 * :days * (1 - n::float8 / :rows)) AS at
            FROM generate_series(1, :rows) AS n) AS moments
      JOIN LATERAL (SELECT features FROM samples WHERE k = n % :samples) AS picked ON true) AS made
"""
OUTCOMES = """
INSERT INTO outcomes (prediction_id, churned, observed_at, received_at, prediction_seq, customer_id, model_version, requested_at,
                      churn_probability, threshold)
SELECT prediction_id, random() < churn_probability, requested_at + interval '30 days', requested_at + interval '31 days', seq,
       customer_id, model_version, requested_at, churn_probability, threshold
FROM predictions WHERE hashint8(seq) % :each = 0 ORDER BY seq
"""
SHADOW = """
INSERT INTO shadow_predictions
SELECT prediction_id, 'challenger', churn_probability, churn, requested_at FROM predictions WHERE seq % :each = 0 ORDER BY seq
"""
MONITOR_RUNS = """
INSERT INTO monitor_runs
SELECT 'run-' || n, now() - make_interval(mins => 5 * (2000 - n)), 'long-ago', n, n, 200, 0, false, false,
       json_build_object('padding', repeat(md5(n::text), 200)), NULL, now()
FROM generate_series(1, 2000) AS n
"""


def feature_texts(contract: Contract, seed: int) -> list[str]:
    """Give customers as the log spells them."""
    frame = simulate(contract, SAMPLES, seed).features
    records = orjson.loads(frame.to_json(orient="records"))
    flags = [column.name for column in contract.features if column.kind == "flag"]
    return [orjson.dumps(row | {name: bool(row[name]) for name in flags}).decode() for row in records]


def fill(store: Store, texts: list[str], rows: int) -> None:
    """Fill an empty store."""
    values: dict[str, Any] = {"rows": rows, "times": TIMES_ASKED, "versions": VERSIONS, "days": DAYS, "samples": SAMPLES}
    with store.engine.begin() as connection:
        connection.execute(sa.text("CREATE TEMPORARY TABLE samples (k int PRIMARY KEY, features json)"))
        connection.execute(
            sa.text("INSERT INTO samples VALUES (:k, :text)"), [{"k": k, "text": text} for k, text in enumerate(texts)]
        )
        connection.execute(sa.text(PREDICTIONS), values)
        connection.execute(sa.text(OUTCOMES), {"each": OUTCOMES_EACH})
        connection.execute(sa.text(SHADOW), {"each": SHADOW_EACH})
        connection.execute(sa.text(MONITOR_RUNS))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # As autovacuum does it in time.
        connection.execute(sa.text("VACUUM ANALYZE"))
        connection.execute(sa.text("CHECKPOINT"))


def sizes(store: Store, rows: int) -> dict[str, float]:
    """Give bytes on disk a prediction: of the table, of each of its indexes, and of all; and of an outcome with its indexes."""
    found: dict[str, float] = {}
    with store.engine.connect() as connection:
        size = sa.text("SELECT pg_relation_size(CAST(:name AS regclass))")
        whole = sa.text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
        names = sa.text("SELECT indexname FROM pg_indexes WHERE tablename = 'predictions' ORDER BY 1")
        found["predictions"] = connection.execute(size, {"name": "predictions"}).scalar_one() / rows
        for name in connection.execute(names).scalars().all():
            found[name] = connection.execute(size, {"name": name}).scalar_one() / rows
        found["all of a prediction"] = connection.execute(whole, {"name": "predictions"}).scalar_one() / rows
        told = connection.execute(sa.text("SELECT count(*) FROM outcomes")).scalar_one()
        found["all of an outcome"] = connection.execute(whole, {"name": "outcomes"}).scalar_one() / told
    return found
