"""The public address: what it takes for an answer. (With a server: test_pull.py.)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.config.settings import Settings
from pipelines.data_sources import public_url
from pipelines.data_sources.public_url import MAX_BYTES, fetch_url
from pipelines.data_sources.source import SourceUnavailable

ADDRESS = "https://ada:secret@example.com/telecom.csv"


class Web:
    """Answers with these pieces, or with an error."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = [b"a", b"b"]
        self.error: Exception | None = None
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.read = 0

    @contextmanager
    def stream(self, method: str, address: str, **more: Any) -> Iterator[Web]:
        self.asked.append((method, address, more))
        yield self

    def raise_for_status(self) -> None:
        if self.error is not None:
            raise self.error

    def iter_bytes(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            yield piece


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    made = Web()
    monkeypatch.setattr(public_url.httpx2, "stream", made.stream)
    return made


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes, str]]:
    found: list[tuple[str, bytes, str]] = []
    monkeypatch.setattr(public_url, "check_telecom", lambda *given: found.append(given))
    return found


def fetch(home: Path, address: str = ADDRESS) -> bytes:
    return fetch_url(Settings(home=home, data_url=address))


def test_what_comes_is_checked_and_returned(web: Web, checked: list[tuple[str, bytes, str]], tmp_path: Path) -> None:
    assert fetch(tmp_path) == b"ab"
    assert web.asked == [("GET", ADDRESS, {"timeout": 20, "follow_redirects": True})]
    ((shown, content, advice),) = checked
    assert (content, advice) == (b"ab", "set CHURN_DATA_URL to another copy, or to nothing")
    assert "example.com" in shown
    assert "secret" not in shown


def test_without_an_address_nobody_is_asked(web: Web, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="CHURN_DATA_URL is empty"):
        fetch(tmp_path, "")
    assert web.asked == []


@pytest.mark.parametrize("error", [httpx2.ConnectError("no"), httpx2.InvalidURL("no")])
def test_an_address_that_does_not_answer_is_named_without_its_password(
    web: Web, checked: list[tuple[str, bytes, str]], tmp_path: Path, error: Exception
) -> None:
    web.error = error
    with pytest.raises(SourceUnavailable, match=rf"example.com/telecom.csv does not answer \({type(error).__name__}\)") as caught:
        fetch(tmp_path)
    assert "secret" not in str(caught.value)
    assert checked == []


def test_no_more_is_read_than_such_a_file_could_be(web: Web, checked: list[tuple[str, bytes, str]], tmp_path: Path) -> None:
    web.pieces = [b"x" * MAX_BYTES, b"y", b"z", b"z"]
    assert len(fetch(tmp_path)) == MAX_BYTES + 1
    assert web.read == 2
