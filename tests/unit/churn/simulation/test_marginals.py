from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from churn.simulation.marginals import Counts, Levels, Marginal, Normal, Share

ROWS = 20_000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class Fixed:
    """Draws that a test writes down."""

    def __init__(self, *values: float) -> None:
        self.values = np.array(values)

    def normal(self, loc: float, scale: float, size: int) -> Any:
        return loc + scale * self.values

    def random(self, size: int) -> Any:
        return self.values.copy()


def test_a_number_is_normal_clipped_from_below_and_zero_for_some() -> None:
    values = Normal(mean=10, sd=2).draw(rng(), ROWS)
    assert (values.mean(), values.std()) == (pytest.approx(10, abs=0.05), pytest.approx(2, abs=0.05))
    assert np.array_equal(values, rng().normal(10, 2, ROWS))
    assert Normal(mean=10, sd=2, least=11).draw(Fixed(-1, 0.5, 1), 3).tolist() == [11, 11, 12]
    assert Normal(mean=10, sd=2).draw(Fixed(0, 1), 2, np.array([5.0, -5.0])).tolist() == [15, 7]
    zeros = Normal(mean=10, sd=1, zero_share=0.25).draw(rng(), ROWS)
    assert np.mean(zeros == 0) == pytest.approx(0.25, abs=0.02)
    assert Normal(mean=1, sd=0, zero_share=0.5).draw(Fixed(0.49, 0.5), 2).tolist() == [0, 1]


def test_counts_are_as_frequent_as_they_say_and_begin_at_zero() -> None:
    values = Counts(counts=(1, 0, 3)).draw(rng(), ROWS)
    assert set(values) == {0.0, 2.0}
    assert np.mean(values == 2) == pytest.approx(0.75, abs=0.02)
    assert values.dtype == np.float64
    assert Counts(counts=(1, 1)).draw(Fixed(0.0, 0.499, 0.5, 1.0), 4).tolist() == [0, 0, 1, 1]
    assert Counts(counts=(1, 1, 0)).draw(Fixed(1.0), 1).tolist() == [1]


def test_a_flag_is_had_by_its_share() -> None:
    assert Share(share=0.3).draw(Fixed(0.0, 0.299, 0.3, 0.99), 4).tolist() == [1, 1, 0, 0]
    assert Share(share=0).draw(rng(), 100).sum() == 0
    assert Share(share=1).draw(rng(), 100).sum() == 100


def test_levels_are_texts_as_frequent_as_they_say() -> None:
    values = Levels(levels={"a": 1, "b": 0, "c": 3}).draw(rng(), ROWS)
    assert values.dtype == object
    assert set(values) == {"a", "c"}
    assert np.mean(values == "c") == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"mean": 1, "sd": 1}, Normal),
        ({"counts": [1]}, Counts),
        ({"share": 0.5}, Share),
        ({"levels": {"a": 1}}, Levels),
        (Share(share=1), Share),
    ],
)
def test_its_own_key_says_which_form_it_is(value: Any, kind: type) -> None:
    assert type(TypeAdapter(Marginal).validate_python(value)) is kind


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"x": 1},
        7,
        {"mean": 1, "sd": -1},
        {"mean": 1, "sd": 1, "decimals": 13},
        {"share": 1.1},
        {"share": -0.1},
        {"counts": []},
        {"counts": [-1]},
        {"levels": {}},
        {"mean": float("inf"), "sd": 1},
        {"share": 0.5, "other": 1},
        {"mean": 1, "sd": 1, "zero_share": 2},
    ],
)
def test_what_is_no_distribution_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Marginal).validate_python(value)
