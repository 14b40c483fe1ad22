from __future__ import annotations

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.customers.frame import frame_digest, frame_from_records


def test_absent_and_null_are_missing(contract: Contract) -> None:
    frame = frame_from_records([{"state": None, "voice_mail_plan": False}, {"total_day_minutes": 2}], contract)
    assert list(frame.columns) == contract.feature_names
    assert frame["state"].tolist() == [None, None]
    assert frame["voice_mail_plan"].tolist()[0] == 0.0
    assert frame["total_day_minutes"].isna().tolist() == [True, False]
    assert set(frame.dtypes.astype(str)) == {"float64", "object"}


def test_no_records_make_an_empty_frame_of_the_same_types(contract: Contract) -> None:
    frame = frame_from_records([], contract)
    assert len(frame) == 0
    assert frame.dtypes.equals(frame_from_records([{}], contract).dtypes)


def test_digest_stands_for_names_values_and_order() -> None:
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    assert frame_digest(frame) == frame_digest(frame.copy().set_index(pd.Index([7, 8])))
    # The number itself: model cards keep it, so it must not differ between machines or versions.
    assert frame_digest(frame) == "5a8944c4522256c8"
    others = [
        frame.rename(columns={"a": "c"}),
        frame[["b", "a"]],
        frame[::-1],
        frame.assign(a=[1.0, 0.0]),
        frame.assign(b=["x", ""]),
    ]
    assert len({frame_digest(other) for other in [frame, *others]}) == 6
