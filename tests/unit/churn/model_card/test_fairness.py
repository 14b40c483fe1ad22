"""What the card says of reweighing: the gaps, the price, and nothing where it was not tried."""

from __future__ import annotations

from churn.fairness.gaps import Widening
from churn.fairness.reweighing import Reweighing
from churn.model_card.card import render_card
from churn.model_card.fairness import fairness_section
from tests.unit.churn.model_card.test_card import known

GAP = Widening("gender", "recall", 0.30, 0.12, -0.18, -0.25, -0.11, {"f": (0.4, 0.55), "m": (0.7, 0.67)})
TAKEN = Reweighing(
    taken=True,
    sentence="trained with reweighed customers: that narrows recall by gender",
    cells=["gender=f", "gender=m"],
    weighed=2400,
    rows=2500,
    log_loss_cost=0.01,
    gaps=[GAP],
    costs={"log_loss": (0.5, 0.506, 0.006, 0.001, 0.011), "profit": (3.0, 2.9, -0.1, -0.2, 0.05)},
)


def test_it_says_what_changed_for_whom_and_what_that_cost() -> None:
    text = fairness_section(TAKEN.report(), "USD")
    assert "Trained with reweighed customers: that narrows recall by gender." in text
    assert "| gap: recall by `gender` | 0.3000 | 0.1200 | -0.1800 [-0.2500, -0.1100] |" in text
    assert "| log_loss | 0.5000 | 0.5060 | +0.0060 [0.0010, 0.0110] |" in text
    assert "| profit (USD per customer) | 3 | 2.9 | -0.1000 [-0.2000, 0.0500] |" in text
    assert "2,400 of 2,500 training rows (the others weigh 1): `gender=f`; `gender=m`." in text
    assert "95%" in text


def test_what_could_not_be_tried_is_one_sentence() -> None:
    text = fairness_section(Reweighing(False, "there are no groups to reweigh (gender: one level)").report())
    assert text == "### Reweighing\n\nThere are no groups to reweigh (gender: one level)."


def test_a_card_without_it_says_nothing_of_it() -> None:
    assert "Reweighing" in render_card(known(), reweighing=TAKEN.report())
    assert render_card(known()) == render_card(known(), reweighing=None)
    assert "Reweighing" not in render_card(known())
