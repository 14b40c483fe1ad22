from __future__ import annotations

import hashlib

import pytest

from churn.errors import InputError
from service.api_keys import parse_keys

DIGEST = hashlib.sha256(b"k").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        f"s3cret:{DIGEST}",
        f"s3cret:predict:{DIGEST}0",
        f"s3cret:predict:{DIGEST[:-1]}",
        f"s3cret:fly:{DIGEST}",
        f"s3cret:predict+:{DIGEST}",
        f"s3cret::{DIGEST}",
        f"s3cret:predict:{DIGEST},s3cret:admin:{DIGEST}",
    ],
)
def test_malformed_keys_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_keys(text)
    assert str(caught.value).startswith("CHURN_API_KEYS: entry ")
    assert "s3cret" not in str(caught.value)
    assert DIGEST[:-1] not in str(caught.value)


def test_keys_may_have_several_scopes_and_blanks_between() -> None:
    first, second = parse_keys(f" shop:predict+outcomes:{DIGEST} ,, ops:admin:{DIGEST.upper()},")
    assert (first.name, first.scopes) == ("shop", {"predict", "outcomes"})
    assert second.digest == hashlib.sha256(b"k").digest()
