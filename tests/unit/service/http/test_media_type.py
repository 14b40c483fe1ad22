"""The Content-Type header: its type, its parameters, and texts that are not UTF-8."""

from __future__ import annotations

import pytest

from service.http.errors import WrongMediaType
from service.http.media_type import parse_media_type


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", ("", {})),
        (" Application/JSON ", ("application/json", {})),
        ('text/csv; HEADER = Present ;charset="UTF8"', ("text/csv", {"header": "present", "charset": "utf8"})),
        ("text/csv;charset=us-ascii", ("text/csv", {"charset": "us-ascii"})),
        ("text/csv; header", ("text/csv", {"header": ""})),
    ],
)
def test_types_and_parameters_are_in_lower_case(header: str, found: tuple[str, dict[str, str]]) -> None:
    assert parse_media_type(header) == found


@pytest.mark.parametrize("charset", ["latin-1", "", '"utf-16"'])
def test_another_charset_is_refused(charset: str) -> None:
    with pytest.raises(WrongMediaType, match=r"Texts must be UTF-8\."):
        parse_media_type(f"text/csv; Charset={charset}")
