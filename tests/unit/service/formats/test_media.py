"""Which media types are read, and which one an Accept header chooses."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from service.formats.media import Media, negotiate_media, parse_content_type
from service.http.errors import WrongMediaType


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("", Media.JSON),
        ("application/json; charset=UTF-8", Media.JSON),
        ("application/ld+json", Media.JSON),
        ('TEXT/CSV; header=present; charset="utf-8"', Media.CSV),
        ("application/vnd.apache.arrow.stream", Media.ARROW_STREAM),
    ],
)
def test_content_types_that_are_read(header: str, media: Media) -> None:
    assert parse_content_type(header) is media


@pytest.mark.parametrize("header", ["text/plain", "multipart/form-data; boundary=x", "text/csv; charset=latin-1", "/", ";"])
def test_content_types_that_are_not(header: str) -> None:
    if header == ";":
        assert parse_content_type(header) is Media.JSON
        return
    with pytest.raises(WrongMediaType):
        parse_content_type(header)


def test_csv_that_says_it_has_no_header_is_told_that_it_needs_one() -> None:
    with pytest.raises(WrongMediaType, match="first line of CSV must name the columns"):
        parse_content_type('text/csv; charset=utf-8; header="absent"')


def test_only_what_a_route_allows_is_read() -> None:
    with pytest.raises(WrongMediaType, match="application/json"):
        parse_content_type("text/csv", (Media.JSON,))


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", Media.CSV),
        ("*/*", Media.CSV),
        ("text/*", Media.CSV),
        ("application/json", Media.JSON),
        ("application/json, */*;q=0.1", Media.JSON),
        ("text/csv;q=0, */*", Media.JSON),
        ("application/vnd.apache.parquet, text/csv;q=0.9", Media.PARQUET),
        ("text/html, application/json;q=0.5", Media.JSON),
    ],
)
def test_the_accept_header_chooses_the_media_type(accept: str, wanted: Media) -> None:
    assert negotiate_media(accept, Media.CSV) is wanted


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "text/csv;q=x", "application/json;q=0"])
def test_accept_of_nothing_that_there_is_is_406(accept: str) -> None:
    with pytest.raises(HTTPException) as error:
        negotiate_media(accept, Media.CSV)
    assert error.value.status_code == 406
