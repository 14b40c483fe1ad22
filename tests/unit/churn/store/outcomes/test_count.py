"""How many outcomes there ever were: the same as counting them all, whatever moved the count or removed rows."""

from __future__ import annotations

from churn.store.outcomes.count import count_outcomes, count_removed, move_count
from churn.store.store import Store
from tests.unit.churn.store.rows import outcome, prediction


def counted(store: Store) -> int:
    with store.engine.connect() as connection:
        return count_outcomes(connection)


def add(store: Store, *numbers: int) -> None:
    store.write_predictions([prediction(n) for n in numbers])
    store.write_outcomes([outcome(f"p{n}") for n in numbers])


def move(store: Store, watermark: int) -> None:
    with store.engine.begin() as connection:
        move_count(connection, watermark)


def remove(store: Store, *seqs: int) -> None:
    with store.engine.begin() as connection:
        for seq in seqs:
            connection.exec_driver_sql("DELETE FROM outcomes WHERE seq = ?", (seq,))
        count_removed(connection, seqs)


def last_seq(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT last_seq FROM row_counts WHERE table_name = 'outcomes'").scalar_one())


def test_all_are_counted_wherever_the_count_has_come(store: Store) -> None:
    assert counted(store) == 0
    add(store, 1, 2, 3, 4, 5)
    for watermark in (0, 2, 3, 5, 9):
        move(store, watermark)
        assert counted(store) == 5
        assert last_seq(store) == watermark


def test_the_count_never_goes_back(store: Store) -> None:
    add(store, 1, 2, 3)
    move(store, 3)
    move(store, 2)
    assert (last_seq(store), counted(store)) == (3, 3)
    add(store, 4)
    assert counted(store) == 4


def test_removed_ones_stay_counted_once(store: Store) -> None:
    add(store, 1, 2, 3, 4)
    move(store, 2)
    remove(store, 1)  # it was counted before
    assert counted(store) == 4
    remove(store, 2, 3)  # one that was, and one that was not
    assert counted(store) == 4
    move(store, 4)
    assert counted(store) == 4
    remove(store)
    assert counted(store) == 4
