from __future__ import annotations

import numpy as np
import pytest

from monitoring.performance.correlation import ADDED_CUSTOMERS, intraclass_correlation


def slowly(residual: np.ndarray, deviation: np.ndarray, customer: np.ndarray) -> float:
    """Pair by pair, with the added customers whose rows all say the same."""
    found = expected = 0.0
    for one in range(len(customer)):
        for other in range(len(customer)):
            if one != other and customer[one] == customer[other]:
                found += residual[one] * residual[other]
                expected += deviation[one] * deviation[other]
    added = expected * ADDED_CUSTOMERS / (customer.max() + 1)
    return min(max((found + added) / (expected + added), 0.0), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_product_of_a_customer_s_residuals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    customer = np.unique(rng.integers(0, 12, 40), return_inverse=True)[1]
    shared = rng.normal(size=12)[customer] * 0.5
    residual, deviation = rng.normal(size=40) * 0.5 + shared, rng.uniform(0.3, 0.6, 40)
    assert intraclass_correlation(residual, deviation, customer) == pytest.approx(slowly(residual, deviation, customer))


def test_independent_rows_of_many_customers_hardly_correlate_and_same_rows_do() -> None:
    rng = np.random.default_rng(0)
    customer = np.repeat(np.arange(3_000), 2)
    noise = rng.normal(size=6_000)
    assert intraclass_correlation(noise, np.ones(6_000), customer) == pytest.approx(0.01, abs=0.05)
    same = np.repeat(rng.normal(size=3_000), 2)
    assert intraclass_correlation(same, np.ones(6_000), customer) == pytest.approx(1.0, abs=0.05)
    opposite = np.tile([1.0, -1.0], 3_000)
    assert intraclass_correlation(opposite, np.ones(6_000), customer) == 0.0


def test_few_customers_count_as_alike_and_nobody_twice_as_independent() -> None:
    opposite, deviation = np.array([0.4, -0.4]), np.full(2, 0.4)
    assert intraclass_correlation(opposite, deviation, np.zeros(2, dtype=int)) == pytest.approx(
        (ADDED_CUSTOMERS - 1) / (ADDED_CUSTOMERS + 1)
    )
    assert intraclass_correlation(opposite, deviation, np.arange(2)) == 0.0
    assert intraclass_correlation(opposite, np.zeros(2), np.zeros(2, dtype=int)) == 0.0
