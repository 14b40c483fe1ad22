from __future__ import annotations

import gzip
import zlib

import pytest

from service.http.content_encoding import content_encoding, unpack
from service.http.errors import TooLarge, Unprocessable, WrongMediaType


@pytest.mark.parametrize(
    ("header", "encoding"),
    [(None, ""), ("", ""), ("identity", ""), (" GZIP ", "gzip"), ("x-gzip", "x-gzip"), ("deflate", "deflate")],
)
def test_encodings_that_are_understood(header: str | None, encoding: str) -> None:
    assert content_encoding({} if header is None else {"content-encoding": header}) == encoding


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, gzip", "gzip, br", "*", "chunked"])
def test_encodings_that_are_not(header: str) -> None:
    with pytest.raises(WrongMediaType, match="gzip or deflate"):
        content_encoding({"content-encoding": header})


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_bodies_are_unpacked_up_to_the_limit(encoding: str, pack: object) -> None:
    assert callable(pack)
    assert unpack(pack(b"x" * 1000), encoding, 1000) == b"x" * 1000
    with pytest.raises(TooLarge):
        unpack(pack(b"x" * 1001), encoding, 1000)
    with pytest.raises(TooLarge):
        unpack(pack(b"\0" * 50_000_000), encoding, 1000)
    for broken in (b"", b"no such thing", pack(b"x" * 1000)[:-5], pack(b"x") + b"more", pack(b"x") + pack(b"y")):
        with pytest.raises(Unprocessable):
            unpack(broken, encoding, 1000)
