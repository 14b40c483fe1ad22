"""What a campaign brought to each segment: all intervals hold together, and of too few nothing is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churn.campaigns.by_segment import effects_by_segment
from churn.campaigns.effect import estimate_effect
from tests.unit.churn.campaigns.test_report import customers


def test_each_segment_has_its_own_effect_by_an_interval_that_allows_for_the_others() -> None:
    parts = {
        "helped": customers((300, 60, False, True), (100, 40, True, False)),
        "harmed": customers((400, 200, False, True), (60, 12, True, False)),
        "few": customers((90, 30, False, True), (19, 5, True, False)),
        "nobody known": customers((50, None, False, True), (9, None, True, False)),
    }
    found = {one.segment: one for one in effects_by_segment(parts)}
    assert list(found) == ["harmed", "helped", "few", "nobody known"]
    assert found["few"].effect is None
    assert (found["few"].left, found["few"].known, found["few"].held_out_left, found["few"].held_out_known) == (30, 90, 5, 19)
    assert (found["nobody known"].named, found["nobody known"].known, found["nobody known"].effect) == (50, 0, None)
    for name in ("helped", "harmed"):
        one, effect = parts[name], found[name].effect
        assert effect is not None
        assert effect == estimate_effect(one.customers, one.left, one.contacted_left, confidence=0.975)
        alone = estimate_effect(one.customers, one.left, one.contacted_left)
        assert alone is not None
        assert effect.saved.low < alone.saved.low < alone.saved.high < effect.saved.high
    assert found["helped"].effect.saved.low > 0  # type: ignore[union-attr]
    assert found["harmed"].effect.saved.high < 0  # type: ignore[union-attr]
    assert effects_by_segment({}) == []


def test_in_95_of_100_campaigns_no_interval_misses_the_truth() -> None:
    rng = np.random.default_rng(11)
    rates, saved = (0.2, 0.4, 0.6, 0.5), (0.0, 0.1, -0.1, 0.3)
    campaigns, covered = 300, 0
    for _ in range(campaigns):
        parts = {
            str(at): customers(
                (270, int(rng.binomial(270, rate - less)), False, True), (40, int(rng.binomial(40, rate)), True, False)
            )
            for at, (rate, less) in enumerate(zip(rates, saved, strict=True))
        }
        found = {one.segment: one.effect for one in effects_by_segment(parts)}
        effects = [found[str(at)] for at in range(len(rates))]
        covered += all(
            one is not None and one.saved.low <= 270 * less <= one.saved.high for one, less in zip(effects, saved, strict=True)
        )
    assert covered / campaigns >= 0.93


def test_leakage_and_contacts_of_the_named_are_counted() -> None:
    part = replace(customers((100, 30, False, True), (40, 12, False, False), (30, 10, True, False)), not_named=0)
    (one,) = effects_by_segment({"all": part})
    assert (one.named, one.contacted, one.held_out) == (140, 100, 30)
    assert one.effect is not None
    assert one.effect.saved.value == pytest.approx(140 * 10 / 30 - 42)
