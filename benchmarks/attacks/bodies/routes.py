"""The routes that read bodies, and the headers that say what a body is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.attacks.attack import Attack

JSON, CSV, BINARY = "application/json", "text/csv", "application/octet-stream"
PARQUET, STREAM, FILE = (f"application/vnd.apache.{kind}" for kind in ("parquet", "arrow.stream", "arrow.file"))
PREDICT, BATCH, OUTCOMES, CONTACTS, INVOCATIONS = "/predict", "/predict/batch", "/outcomes", "/contacts", "/invocations"
INFER = "/v2/models/churn/infer"
# Who reads which format.
READERS = {JSON: (BATCH,), CSV: (BATCH, INVOCATIONS), PARQUET: (BATCH, INVOCATIONS), STREAM: (BATCH,), FILE: (BATCH,)}


def on_all_routes(name: str, content_type: str, body: bytes | Callable[[], bytes]) -> Iterator[Attack]:
    """Yield a body of customers for every route that reads its format.

    Parameters
    ----------
    name : str
    content_type : str
    body : bytes, or callable that returns them

    Yields
    ------
    Attack
    """
    for path in READERS[content_type]:
        yield post(name if path == BATCH else f"{name}, {path}", path, body, content_type)


def post(name: str, path: str, body: bytes | Callable[[], bytes], content_type: str = JSON, **headers: str) -> Attack:
    """Return a POST.

    Parameters
    ----------
    name, path : str
    body : bytes, or callable that returns them
    content_type : str
    **headers : str
        Further ones, with `_` for `-`.

    Returns
    -------
    Attack
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Attack(name, "POST", path, {"content-type": content_type, **named}, body)
