from __future__ import annotations

import numpy as np
import pytest

from churn.campaigns.control_group import ControlGroup

NAMES = [f"customer-{n}" for n in range(20_000)]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_about_the_share_belongs_to_it(share: float) -> None:
    found = sum(map(ControlGroup(share).has, NAMES)) / len(NAMES)
    assert found == pytest.approx(share, abs=4 * (share * (1 - share) / len(NAMES)) ** 0.5)


def test_a_larger_share_keeps_everybody_and_another_key_draws_anew() -> None:
    small, large, other = ControlGroup(0.1), ControlGroup(0.2), ControlGroup(0.1, key="2027")
    members = {name for name in NAMES if small.has(name)}
    assert members < {name for name in NAMES if large.has(name)}
    both = sum(map(other.has, members)) / len(members)
    assert both == pytest.approx(0.1, abs=0.03), "no more than by chance"


def test_nobody_without_an_id_and_nobody_of_no_share() -> None:
    assert not ControlGroup(0.999).has(None)
    assert not any(map(ControlGroup().has, NAMES[:100]))


def test_any_id_and_any_key_will_do() -> None:
    for name in ("", "ä" * 128, "\udc80", "x" * 10_000):
        assert ControlGroup(0.5, "key" * 300).has(name) in (True, False)
    longer = [[ControlGroup(0.5, "k" * length).has(name) for name in NAMES[:64]] for length in (65, 66)]
    assert longer[0] != longer[1]


def test_many_are_judged_as_one_and_only_where_asked() -> None:
    group, names = ControlGroup(0.3), [*NAMES[:500], None]
    asked = np.arange(501) % 2 == 0
    expected = [bool(ask) and group.has(name) for name, ask in zip(names, asked, strict=True)]
    assert group.among(names, asked).tolist() == expected
