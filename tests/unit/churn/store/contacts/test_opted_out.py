"""Who wants no contacts, eight bytes each: the same as a set of ids, whatever is said, and wherever it is sent."""

from __future__ import annotations

import numpy as np
import pytest

from churn.customers.pseudonym import Pseudonymiser
from churn.store.contacts.opted_out import NOBODY_OPTED_OUT, OptedOut, opt_out_digest, prefixes

NAMES = [*(f"c{n}" for n in range(300)), "", " c1", "ü", "\ud800"]


@pytest.mark.parametrize("key", ["", "a key of sixteen or more"])
def test_it_answers_as_a_set_of_ids_after_any_changes(key: str) -> None:
    rng = np.random.default_rng(3)
    stored = Pseudonymiser(key)
    known, expected = OptedOut(pseudonym=stored if key else None), set[str]()
    for _ in range(40):
        some = [NAMES[at] for at in rng.choice(len(NAMES), size=int(rng.integers(0, 40)), replace=False)]
        out, willing = some[::2], some[1::2]
        told = (prefixes(opt_out_digest(stored(name)) for name in names) for names in (out, willing))
        known = known.changed(*told)
        expected = (expected | set(out)) - set(willing)
        assert {name for name in NAMES if known.has(name)} == expected
        assert len(known) == len(expected)
        asked = rng.random(len(NAMES)) < 0.5
        assert known.among(NAMES, asked).tolist() == [name in expected and bool(a) for name, a in zip(NAMES, asked, strict=True)]
    assert expected
    assert not known.has(None)
    assert not known.among([None], np.ones(1, np.bool_)).any()


def test_it_comes_through_json_without_the_key() -> None:
    some = OptedOut(pseudonym=Pseudonymiser("a key of sixteen or more")).changed(prefixes([opt_out_digest("a")]), prefixes([]))
    again = OptedOut.from_text(some.to_text())
    assert again == some
    assert again.pseudonym is None
    assert "key" not in repr(some)
    assert again.has("a")
    assert not NOBODY_OPTED_OUT
