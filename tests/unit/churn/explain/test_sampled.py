from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from churn.contract import load_contract
from churn.explain import sampled
from churn.explain.sampled import SampledAttributor
from churn.inference.kinds import compile_model
from churn.inference.network import CompiledNetwork
from tests.unit.churn.inference.test_compiled import asked, rows_of
from tests.unit.churn.networks import hand_made

CONTRACT = load_contract()


@pytest.fixture(scope="module")
def network() -> CompiledNetwork:
    found = compile_model(hand_made(CONTRACT), CONTRACT.feature_names, CONTRACT)
    assert isinstance(found, CompiledNetwork)
    return found


@pytest.fixture(scope="module")
def attributor(network: CompiledNetwork) -> SampledAttributor:
    return SampledAttributor(network)


def changed(network: CompiledNetwork, **values: Any) -> list[Any]:
    return [values.get(name, network.typical[name]) for name in network.columns]


def exact(network: CompiledNetwork, values: list[Any]) -> dict[str, float]:
    """Shapley values by all orders."""
    typical = [network.typical[name] for name in network.columns]
    players = [at for at, value in enumerate(values) if value != typical[at]]
    orders = list(permutations(players))
    found = dict.fromkeys(players, 0.0)
    for order in orders:
        now = list(typical)
        for player in order:
            before = network.logit(now)
            now[player] = values[player]
            found[player] += (network.logit(now) - before) / len(orders)
    return {network.columns[at]: gain for at, gain in found.items()}


def test_base_and_contributions_add_up_to_the_logit(network: CompiledNetwork, attributor: SampledAttributor) -> None:
    for values in rows_of(asked(40), network.columns):
        assert attributor.base + sum(attributor.contributions(values)) == pytest.approx(network.logit(values), abs=1e-9)


def test_they_are_near_the_exact_ones(network: CompiledNetwork, attributor: SampledAttributor) -> None:
    values = changed(network, international_plan=1.0, total_day_minutes=320.0, total_eve_minutes=90.0, state="OH")
    wanted = exact(network, values)
    found = dict(zip(network.columns, attributor.contributions(values), strict=True))
    assert {name for name, gain in found.items() if gain} == set(wanted)
    largest = max(map(abs, wanted.values()))
    assert max(abs(found[name] - wanted[name]) for name in wanted) < 0.1 * largest
    assert max(map(abs, wanted.values())) > 0.1


def test_where_the_network_is_a_sum_they_are_exact(network: CompiledNetwork) -> None:
    width = len(network.inputs.ramps)
    slopes = np.linspace(-1, 1, width)[np.newaxis] / 50
    # Two units that are never both off: u - (-u) is u.
    pair = (np.concatenate([slopes, -slopes]), np.zeros(2))
    linear = replace(network, layers=(pair, (np.array([[1.0, -1.0]]), np.zeros(1))))
    values = changed(linear, total_day_minutes=320.0, total_day_calls=140, customer_service_calls=4, voice_mail_plan=1.0)
    found = dict(zip(linear.columns, SampledAttributor(linear).contributions(values), strict=True))
    for name, gain in exact(linear, values).items():
        assert found[name] == pytest.approx(gain, abs=1e-9)


def test_the_same_customer_is_told_the_same(network: CompiledNetwork, attributor: SampledAttributor) -> None:
    values = rows_of(asked(1), network.columns)[0]
    first = attributor.contributions(values)
    assert SampledAttributor(network).contributions(values) == first
    plan = network.columns.index("international_plan")
    as_flag = [*values[:plan], bool(values[plan]), *values[plan + 1 :]]
    as_number = [*values[:plan], float(bool(values[plan])), *values[plan + 1 :]]
    assert attributor.contributions(as_flag) == attributor.contributions(as_number)


def test_orders_are_drawn_anew_for_another_customer_and_each_is_taken_backwards(
    network: CompiledNetwork, attributor: SampledAttributor
) -> None:
    first, second = (attributor._draw_ranks(6, changed(network, total_day_calls=calls)) for calls in (90, 91))
    assert first.shape == (2 * sampled.PAIRS, 6)
    assert (np.sort(first, axis=1) == np.arange(6)).all()
    assert (first[: sampled.PAIRS] + first[sampled.PAIRS :] == 5).all()
    assert (first != second).any()


def test_what_is_missing_makes_no_difference_and_what_follows_belongs_to_its_origin(
    network: CompiledNetwork, attributor: SampledAttributor
) -> None:
    place = {name: at for at, name in enumerate(network.columns)}
    nothing = attributor.contributions(changed(network, total_day_calls=None))
    assert nothing[place["total_day_calls"]] == 0
    followed = attributor.contributions(changed(network, total_day_minutes=320.0, total_day_charge=None))
    assert followed[place["total_day_charge"]] == 0
    assert followed[place["total_day_minutes"]] != 0
    assert [gain for gain in attributor.contributions(changed(network)) if gain] == []
