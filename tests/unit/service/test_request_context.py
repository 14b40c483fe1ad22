from __future__ import annotations

import pytest

from service.request_context import RequestContext

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "traceparent",
    [
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        "garbage",
    ],
)
def test_an_invalid_traceparent_is_ignored(traceparent: str) -> None:
    assert RequestContext(b"", traceparent.encode()).trace_id == ""


def test_a_later_version_may_have_more_fields() -> None:
    assert RequestContext(b"", f"01-{TRACE}-{PARENT}-01-more".encode()).trace_id == TRACE
