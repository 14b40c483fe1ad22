"""The `Content-Type` header of a request."""

from __future__ import annotations

from collections.abc import Mapping

from service.http.errors import WrongMediaType


def parse_media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """Return a header's media type and its parameters, in lower case.

    Every body is read as UTF-8, so another declared charset is refused: its texts would be read as others than were sent.

    Parameters
    ----------
    content_type : str
        The header; empty if there is none.

    Returns
    -------
    str
    mapping of str to str

    Raises
    ------
    WrongMediaType
        If the header says that texts are not UTF-8.

    Examples
    --------
    >>> parse_media_type('Text/CSV; header=present; charset="UTF-8"')
    ('text/csv', {'header': 'present', 'charset': 'utf-8'})
    """
    name, *rest = content_type.split(";")
    pairs = (parameter.partition("=") for parameter in rest)
    parameters = {key.strip().lower(): value.strip().strip('"').lower() for key, _, value in pairs}
    if parameters.get("charset", "utf-8") not in ("utf-8", "utf8", "us-ascii"):
        raise WrongMediaType("Texts must be UTF-8.")
    return name.strip().lower(), parameters
