"""Whoever is opted out under another id than the one that is called would be called all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churn.campaigns.id_list import read_id_list
from churn.contract import Contract
from churn.errors import InputError


def read(tmp_path: Path, contract: Contract, text: str) -> list[str]:
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode())
    return read_id_list(path, contract)


@pytest.mark.parametrize(
    "text",
    [
        "c1\nc,2\n007\n",
        "\ufeffc1\r\n\r\n c,2 \r\n007",
        "c1\rc,2\r007\r",
        '"c1"\n"c,2"\n"007"\n',
        'customer_id\nc1\n"c,2"\n007\n',
        'Customer ID\r\n"c1"\r\n"c,2"\r\n"007"\r\n',
        "said_at;customer_id\n2026-03-01;c1\n;c,2\n;007\n",
        "\ufeffsep=;\r\nsaid_at;customer_id\r\n;c1\r\n;c,2\r\n;007\r\n",
        'customer_id,why\nc1,"moved, he says"\n"c,2",\n007,\n',
    ],
)
def test_however_a_list_is_written_it_names_the_same_customers(tmp_path: Path, contract: Contract, text: str) -> None:
    assert read(tmp_path, contract, text) == ["c1", "c,2", "007"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c1;2026-03-01\nc2;2026-03-02\n", "more than one column, and none that is called customer_id"),
        ("Kunde,Datum\nc1,2026-03-01\n", "more than one column"),
        ("customer_id,why\nc1,moved, he says\n", "line 2: must have 2 fields, as the header has, not 3"),
        ('customer_id,why\nc1,"moved\nhe says"\n', "line 2: must have 2 fields"),
        ("customer_id,why\n,moved\n", "line 2: which customer"),
        ("c1\n1.23457E+12\n", "line 2: customer id '1.23457E.12' is rounded"),
        ("c1\nc\t2\nc3\n", "line 2: .* must not contain control characters"),
        ("c1\n\udc80", "must be UTF-8"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, contract: Contract, text: str, said: str) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=said):
        read_id_list(path, contract)


def test_a_list_of_nobody_is_empty(tmp_path: Path, contract: Contract) -> None:
    assert read(tmp_path, contract, "") == read(tmp_path, contract, "customer_id\n") == []


def test_a_pipe_is_not_waited_for(tmp_path: Path, contract: Contract) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(InputError, match="is no file but a folder, a device or a pipe"):
            read_id_list(path, contract)
