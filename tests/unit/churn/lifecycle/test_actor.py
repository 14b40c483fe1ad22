from __future__ import annotations

import getpass
import os
import socket

import pytest

from churn.lifecycle.actor import current_user


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no passwd file")])
def test_who_has_no_name_is_recorded_by_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unknown() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setattr(os, "getuid", lambda: 10001)
    monkeypatch.setattr(socket, "gethostname", lambda: "pod-1")
    assert current_user() == "uid 10001@pod-1"


def test_a_user_is_recorded_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    monkeypatch.setattr(socket, "gethostname", lambda: "desk")
    assert current_user() == "ana@desk"
