"""After an erasure the customer is nowhere: in no byte of SQLite's files, in no column of PostgreSQL; others are untouched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from churn.customers.pseudonym import Pseudonymiser
from churn.errors import StoreError
from churn.store.contacts.records import Contact
from churn.store.erasure import Erased, erase_customer
from churn.store.records import DecisionKind, Outcome, Prediction
from churn.store.sensitive_levels import SensitiveLevel
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from churn.store.tables import metadata

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN = "anna-4711-müller", "ben-4712"
KEY = "a key of sixteen or more"
HIDDEN = Pseudonymiser(KEY)(ANNA)


def prediction(n: int, who: str | None) -> Prediction:
    return Prediction(f"p{n}", who, NOON, "1", n / 1000, 0.5, False, {"total_day_minutes": float(n)})


def fill(store: Store) -> None:
    """Three hundred rows, every third of Anna: enough for pages of the file to be split, moved and left behind."""
    store.write_predictions([prediction(n, (ANNA, BEN, HIDDEN)[n % 3]) for n in range(300)])
    store.write_outcomes([Outcome(True, NOON, f"p{n}") for n in range(0, 300, 2)])
    store.write_contacts([Contact(NOON, customer_id=who, campaign="may") for who in (ANNA, BEN, HIDDEN)])
    store.write_contacts([Contact(NOON, customer_id=ANNA, opt_out=True)])
    store.write_sensitive_levels([SensitiveLevel(who, "gender", "f") for who in (ANNA, BEN, HIDDEN)])
    store.write_shadow([ShadowRow(f"p{n}", "12"[n % 2], 0.1, False, NOON) for n in range(0, 300, 3)])


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for name, table in metadata.tables.items()
        }


def of(rows: list[dict[str, Any]], *remainders: int) -> list[dict[str, Any]]:
    return [row for row in rows if int(row["prediction_id"][1:]) % 3 in remainders]


def is_anywhere(store: Store, word: str) -> bool:
    """Tell whether a word is in the files of SQLite, or in any column of PostgreSQL."""
    path = store.engine.url.database
    if store.engine.dialect.name == "sqlite":
        return any(word.encode() in file.read_bytes() for file in Path(str(path)).parent.iterdir() if file.is_file())
    with store.engine.connect() as connection:
        columns = connection.execute(
            sa.text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()")
        ).all()
        assert len(columns) > 40
        return any(
            connection.execute(
                sa.text(f'SELECT 1 FROM "{table}" WHERE strpos("{column}"::text, :word) > 0'),  # noqa: S608
                {"word": word},
            ).all()
            for table, column in columns
        )


def test_one_customer_is_gone_and_the_others_are_as_they_were(store: Store) -> None:
    fill(store)
    before = everything(store)
    assert is_anywhere(store, ANNA)
    assert erase_customer(store.engine, [ANNA], reason="request 17") == Erased(100, 50, 100, 1, 1)
    after = everything(store)
    assert not is_anywhere(store, ANNA)
    for table in ("predictions", "outcomes"):
        assert after[table] == of(before[table], 1, 2), table
    assert after["shadow_predictions"] == []
    assert [row["customer_id"] for row in after["contacts"]] == [BEN, HIDDEN]
    assert [row["customer_id"] for row in after["sensitive_levels"]] == [BEN, HIDDEN]
    assert store.opted_out([ANNA]) == {ANNA}, "an opt-out outlives the erasure"
    assert store.count_outcomes() == 150, "how many were ever stored"
    (noted,) = store.decisions(kind=DecisionKind.ERASURE)
    assert noted.reason == "request 17"
    counted = {"predictions": 100, "outcomes": 50, "shadow_predictions": 100, "contacts": 1, "sensitive_levels": 1}
    assert noted.evidence == counted | {"spooled": 0}


def test_a_pseudonym_is_erased_with_the_plain_id(store: Store) -> None:
    fill(store)
    before = everything(store)
    assert erase_customer(store.engine, [ANNA, HIDDEN], reason="x").predictions == 200
    assert everything(store)["predictions"] == of(before["predictions"], 1)
    assert not is_anywhere(store, HIDDEN)


def test_the_contacts_of_predictions_that_name_nobody_stay(store: Store) -> None:
    store.write_predictions([prediction(0, ANNA), prediction(1, None)])
    store.write_contacts([Contact(NOON, prediction_id=f"p{n}") for n in (0, 1)])
    assert erase_customer(store.engine, [ANNA], reason="x").contacts == 1
    assert [row["prediction_id"] for row in everything(store)["contacts"]] == ["p1"]


def test_nobody_is_erased_by_a_name_that_nobody_has(store: Store) -> None:
    fill(store)
    before = everything(store)
    assert erase_customer(store.engine, ["anna", ANNA[:-1], "%"], reason="x") == Erased()
    assert everything(store) | {"decisions": []} == before


def test_in_sqlite_rows_are_written_over_as_they_are_removed(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    fill(store)
    asked: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
    erase_customer(store.engine, [ANNA], reason="x")
    first = next(place for place, statement in enumerate(asked) if statement.startswith("DELETE"))
    assert "PRAGMA secure_delete=ON" in asked[:first]
    store.close()


def test_a_file_that_could_not_be_cleaned_is_an_error(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    fill(store)
    with store.engine.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT * FROM predictions").fetchone()
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=10")
        with pytest.raises(StoreError, match="do it again"):
            erase_customer(store.engine, [ANNA], reason="x")
    erase_customer(store.engine, [ANNA], reason="x")
    assert not is_anywhere(store, ANNA)
    store.close()
