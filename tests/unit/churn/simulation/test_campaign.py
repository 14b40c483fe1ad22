"""A campaign in the simulation changes what the contacted do, as the knobs say, and nothing else; the truth is kept."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from churn.contract import load_contract
from churn.errors import InputError
from churn.simulation.campaign import Whom, simulate_campaign, write_truth
from churn.simulation.simulate import SCENARIOS, simulate, simulate_with_risk
from churn.simulation.treatment import Reaction

CONTRACT = load_contract()
ROWS = 20_000


@pytest.mark.parametrize("whom", ["riskiest", "anybody"])
def test_who_is_left_alone_does_what_they_would_have_done(whom: Whom) -> None:
    shift = SCENARIOS["minutes-up"].shift
    untouched, risk = simulate_with_risk(CONTRACT, ROWS, 3, shift=shift)
    reaction = Reaction(acceptance=0.4, spread=0.5, sleeping_dogs=0.2, harm=0.6)
    found, treated = simulate_campaign(CONTRACT, ROWS, 3, share=0.15, whom=whom, reaction=reaction, shift=shift)
    before, after = (one.labelled.to_numpy() == 1 for one in (untouched, found))
    assert found.features.equals(untouched.features)
    assert np.array_equal(treated.would_leave, before)
    assert np.array_equal(treated.left, after)
    called = treated.contacted
    assert called.sum() == ROWS * 0.15
    assert np.array_equal(before[~called], after[~called])
    assert np.array_equal(treated.saved, before & ~after)
    assert np.array_equal(treated.driven_away, ~before & after)
    if whom == "riskiest":
        assert risk[called].min() >= risk[~called].max()
    else:
        assert abs(before[called].mean() - before.mean()) < 0.03
    # The shares are those of the knobs, and differ from customer to customer.
    assert (before & ~after)[called].sum() / before[called].sum() == pytest.approx(0.4, abs=0.05)
    assert (treated.harm > 0).mean() == pytest.approx(0.2, abs=0.02)
    assert treated.acceptance.min() < 0.22
    assert treated.acceptance.max() > 0.58
    assert not treated.driven_away[treated.harm == 0].any()
    eager = treated.acceptance > 0.5
    assert treated.saved[called & before & eager].mean() > treated.saved[called & before & ~eager].mean()


def test_nobody_contacted_is_the_simulation_without_a_campaign_and_seeds_repeat() -> None:
    found, treated = simulate_campaign(CONTRACT, 500, 3, share=0.0)
    assert found.labelled.equals(simulate(CONTRACT, 500, 3).labelled)
    assert not treated.contacted.any()
    one, other = (simulate_campaign(CONTRACT, 500, 4, share=0.5)[1] for _ in range(2))
    assert np.array_equal(one.left, other.left)
    everybody = simulate_campaign(CONTRACT, 500, 4, share=1.0, reaction=Reaction(acceptance=1.0, spread=0.0))[1]
    assert everybody.saved.sum() == everybody.would_leave.sum() > 0


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        simulate_campaign(CONTRACT, 10, 1, share=share)


def test_an_acceptance_above_1_is_refused() -> None:
    with pytest.raises(InputError, match="at most 1"):
        simulate_campaign(CONTRACT, 10, 1, share=0.5, reaction=Reaction(acceptance=0.8, spread=0.5))


def test_the_truth_is_a_file(tmp_path: Path) -> None:
    _, treated = simulate_campaign(CONTRACT, 50, 1, share=0.4)
    write_truth(treated, tmp_path / "truth.csv")
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == [str(n) for n in range(50)]
    assert [row["saved"] == "True" for row in rows] == treated.saved.tolist()
    assert [float(row["acceptance"]) for row in rows] == treated.acceptance.tolist()
    with pytest.raises(InputError, match="cannot be written"):
        write_truth(treated, tmp_path / "no" / "truth.csv")
