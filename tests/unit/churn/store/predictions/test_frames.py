"""Stored predictions as frames: the same as reading each row's JSON, whatever wrote it."""

from __future__ import annotations

import orjson
import pandas as pd
import pytest

from churn.contract import Contract
from churn.customers.frame import frame_from_records
from churn.simulation.simulate import simulate
from churn.store.predictions import frames
from churn.store.predictions.frames import frame_of_columns, parse_features


def slowly(texts: list[str], contract: Contract) -> pd.DataFrame:
    return frame_from_records([orjson.loads(text) for text in texts], contract)


@pytest.fixture(scope="module")
def texts(contract: Contract) -> list[str]:
    """Customers with a gap in each column now and then."""
    frame = simulate(contract, 200, seed=3).features
    rows = []
    for n, given in enumerate(frame.to_dict("records")):
        record = {name: None if pd.isna(value) or (n + k) % 23 == 0 else value for k, (name, value) in enumerate(given.items())}
        for column in contract.features:
            if column.kind == "flag" and record[column.name] is not None:
                record[column.name] = bool(record[column.name])
        rows.append(orjson.dumps(record).decode())
    return rows


def test_features_are_what_reading_row_by_row_gives(
    texts: list[str], contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = slowly(texts, contract)
    pd.testing.assert_frame_equal(parse_features(texts, contract), expected, check_exact=True)
    # In many blocks too; and row by row is not the way that was taken.
    monkeypatch.setattr(frames, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr("churn.customers.frame.frame_from_records", None)
    pd.testing.assert_frame_equal(parse_features(texts, contract), expected, check_exact=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"international_plan": 1}',
        '{"total_day_minutes": 1, "new_feature": [1]}',
        "{}",
        '{"state": null, "total_day_calls": null, "international_plan": null}',
        '{"state": "Ü\\n\\u2028", "total_day_minutes": 1e-300}',
    ],
)
def test_what_another_writer_wrote_is_read_as_well(text: str, texts: list[str], contract: Contract) -> None:
    for given in ([text], [*texts[:3], text]):
        pd.testing.assert_frame_equal(parse_features(given, contract), slowly(given, contract), check_exact=True)


def test_nobody_is_a_frame_without_rows(contract: Contract) -> None:
    found = parse_features([], contract)
    assert (len(found), list(found)) == (0, contract.feature_names)


def test_columns_get_their_types() -> None:
    times = ["2026-03-01 12:00:00.000005", "2026-03-01 12:00:00"]
    names = ["seq", "customer_id", "requested_at", "churn_probability"]
    frame = frame_of_columns([[1, 2], ["7", None], times, [0.5, None]], names)
    assert frame.dtypes.astype(str).to_dict() == {
        "seq": "int64",
        "customer_id": "object",
        "requested_at": frame["requested_at"].dtype.name,
        "churn_probability": "float64",
    }
    assert [moment.isoformat() for moment in frame["requested_at"]] == [
        "2026-03-01T12:00:00.000005+00:00",
        "2026-03-01T12:00:00+00:00",
    ]
    assert frame["customer_id"].tolist() == ["7", None]
    assert frame["churn_probability"].isna().tolist() == [False, True]
    assert list(frame) == names
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        frame_of_columns([[1]], names)
