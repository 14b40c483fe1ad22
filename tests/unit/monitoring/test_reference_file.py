from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.contract import load_contract
from churn.simulation.simulate import simulate
from monitoring.drift.detect import detect_drift
from monitoring.reference import Reference
from monitoring.reference_file import Unreadable, decode, encode
from tests.unit.monitoring.fakes import CONTRACT, customers

TELECOM = load_contract("telecom")


def telecom(rows: int, seed: int) -> pd.DataFrame:
    dataset = simulate(TELECOM, rows, seed)
    p = np.random.default_rng(seed).random(rows)
    return dataset.features.assign(churn_probability=p, served_probability=p, churned=dataset.labelled.astype(float))


def odd(rows: int) -> pd.DataFrame:
    """Columns that are constant, empty or partly missing."""
    frame = customers(rows, 1)
    frame["state"], frame["calls"] = None, 3.0
    frame.loc[::3, "minutes"] = np.nan
    return frame


@pytest.mark.parametrize(
    ("rows", "window", "contract"),
    [
        (customers(300, 1), customers(200, 2), CONTRACT),
        (odd(300), customers(200, 2), CONTRACT),
        (customers(0, 1), customers(200, 2), CONTRACT),
        (telecom(6_000, 1), telecom(500, 2), TELECOM),
        (telecom(700, 1).assign(requested_month=[f"2025-{n % 7 + 1:02}" for n in range(700)]), telecom(500, 2), TELECOM),
    ],
    ids=["small", "odd columns", "no rows", "telecom", "months"],
)
def test_what_is_read_back_gives_the_same_numbers_to_the_last_digit(rows, window, contract):
    reference = Reference.of(rows, contract)
    before = detect_drift(reference.profile, window, contract, 0.01)
    read = decode(encode(reference), contract)
    assert read.profile.cache.keys() == reference.profile.cache.keys()
    assert detect_drift(read.profile, window, contract, 0.01) == before
    read.profile.cache.clear()
    assert detect_drift(read.profile, window, contract, 0.01) == before
    pd.testing.assert_frame_equal(read.outcomes, reference.outcomes)
    assert len(read.sample) == len(reference.sample)
    assert len(read.profile.months.sums) == len(reference.profile.months.sums) == (7 if "requested_month" in rows else 0)
    assert (read.slicing, read.baselines) == (reference.slicing, reference.baselines)
    assert bool(reference.baselines) == (contract is TELECOM)
    np.testing.assert_array_equal(read.members, reference.members)
    assert encode(decode(encode(read), contract)) == encode(read)


def test_a_single_flipped_bit_is_found_wherever_it_is():
    content = encode(Reference.of(customers(60, 1), CONTRACT))
    for place in np.random.default_rng(0).integers(0, len(content), 50):
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << int(place) % 8
        with pytest.raises(Unreadable):
            decode(bytes(spoiled), CONTRACT)
