"""Which format a body has, and which one its answer shall have."""

from __future__ import annotations

from enum import Enum

from starlette.exceptions import HTTPException

from service.http.errors import WrongMediaType
from service.http.media_type import parse_media_type


class Media(Enum):
    """The formats of batches, by their media types."""

    JSON = "application/json"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"
    ARROW_STREAM = "application/vnd.apache.arrow.stream"
    ARROW_FILE = "application/vnd.apache.arrow.file"


ALL = tuple(Media)
# In these, a row takes at least a byte.
TEXTS = (Media.JSON, Media.CSV)


def parse_content_type(content_type: str, allowed: tuple[Media, ...] = ALL) -> Media:
    """Return a body's format by its `Content-Type` header; JSON if the header is empty.

    Parameters
    ----------
    content_type : str
    allowed : tuple of Media

    Returns
    -------
    Media

    Raises
    ------
    WrongMediaType
        If it is none of `allowed`, or its parameters say that texts are not UTF-8, or that CSV has no header.
    """
    name, parameters = parse_media_type(content_type)
    if name == Media.CSV.value and parameters.get("header") == "absent":
        raise WrongMediaType("The first line of CSV must name the columns; send it without header=absent.")
    if not name or name.endswith("+json"):
        return Media.JSON
    found = next((media for media in allowed if media.value == name), None)
    if found is None:
        raise WrongMediaType(f"Send one of {', '.join(media.value for media in allowed)}.")
    return found


def negotiate_media(accept: str, given: Media) -> Media:
    """Choose an answer's format by an `Accept` header (RFC 9110, 12.5.1): the body's own where several will do.

    Parameters
    ----------
    accept : str
        The header; empty accepts anything.
    given : Media
        The body's format.

    Returns
    -------
    Media

    Raises
    ------
    HTTPException
        406, if none will do.

    Examples
    --------
    >>> negotiate_media("*/*", Media.CSV), negotiate_media("text/csv;q=0.5, application/json", Media.PARQUET)
    (<Media.CSV: 'text/csv'>, <Media.JSON: 'application/json'>)
    """
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return given
    # The first of equals wins: what was given stands first.
    order = [given, *(media for media in ALL if media is not given)]
    quality = {media: _quality(media, ranges) for media in order}
    best = max(order, key=lambda media: quality[media])
    if quality[best] <= 0:
        raise HTTPException(406)
    return best


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def _quality(media: Media, ranges: list[tuple[str, float]]) -> float:
    """Return the quality of the most specific range that matches."""
    for name in (media.value, f"{media.value.partition('/')[0]}/*", "*/*"):
        matching = [quality for asked, quality in ranges if asked == name]
        if matching:
            return max(matching)
    return 0.0
