from __future__ import annotations

import re

import pytest

from churn.customers.pseudonym import Pseudonymiser

KEY = "a key of sixteen or more"


@pytest.mark.parametrize("customer_id", ["1", "customer-1", "Zoë 😀", "x" * 128, "\ud800", "p:5bdcc146bf60754e6a042426089575c7"])
def test_every_identifier_has_one_pseudonym_of_one_form(customer_id: str) -> None:
    pseudonym = Pseudonymiser(KEY)(customer_id)
    assert re.fullmatch(r"p:[0-9a-f]{32}", pseudonym)
    assert pseudonym == Pseudonymiser(KEY)(customer_id)


def test_customers_keep_apart_and_another_key_unlinks() -> None:
    ids = [f"customer-{n}" for n in range(1_000)]
    one, other = ([Pseudonymiser(key)(i) for i in ids] for key in (KEY, KEY + "!"))
    assert len({*one, *other}) == 2_000


def test_it_is_hmac_sha256() -> None:
    # RFC 4231, test case 2.
    assert Pseudonymiser("Jefe")("what do ya want for nothing?") == "p:5bdcc146bf60754e6a042426089575c7"


def test_a_pseudonym_is_pseudonymised_again() -> None:
    once = Pseudonymiser(KEY)("customer-1")
    assert Pseudonymiser(KEY)(once) != once


def test_without_a_key_nothing_is_changed_and_the_key_never_shows() -> None:
    assert Pseudonymiser("")("customer-1") == "customer-1"
    assert KEY not in repr(Pseudonymiser(KEY))
