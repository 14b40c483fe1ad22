"""Sums of chosen weights, looked up by the byte that says which."""

from __future__ import annotations

from churn.inference.terms import sums_by_byte


def test_every_choice_of_each_eight_weights_has_its_sum() -> None:
    weights = [float(10**n) for n in range(11)]
    first, second = sums_by_byte(weights)
    assert (len(first), len(second)) == (256, 8)
    assert [first[0], first[1], first[0b1000_0010], first[255]] == [0.0, 1.0, 10_000_010.0, 11_111_111.0]
    assert second[0b101] == 1e8 + 1e10
    assert sums_by_byte([]) == ()
