"""What only this machine can reach: a mistake here opens a service without keys to a network."""

from __future__ import annotations

import pytest

from service.http.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_addresses_of_this_machine_alone_are_loopback(host: str) -> None:
    assert is_loopback(host) is True


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "localhost.example", "churn", "127.0.0.1.example"])  # noqa: S104
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert is_loopback(host) is False
