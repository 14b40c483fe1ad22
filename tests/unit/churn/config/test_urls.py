from __future__ import annotations

import pytest

from churn.config.urls import parse_links, put_password, require_address, require_host, require_scheme, scheme, shown


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("postgresql://churn:s3:cr@t@db:5432/churn", "postgresql://churn:***@db:5432/churn"),
        ("postgresql://churn@db/churn?PASSWORD=x&sslmode=require", "postgresql://churn@db/churn?PASSWORD=***&sslmode=require"),
        ("https://host/?api_token=x&aws_secret_access_key=y&a=b", "https://host/?api_token=***&aws_secret_access_key=***&a=b"),
        ("http://:secret@host", "http://:***@host"),
        ("http://ada:@host", "http://ada:***@host"),
        ("http://ada@host:80/p:w@x", "http://ada@host:80/p:w@x"),
        ("cannot reach http://a:b@h and password=x now", "cannot reach http://a:***@h and password=*** now"),
        ("sqlite:////var/lib/churn.db", "sqlite:////var/lib/churn.db"),
    ],
)
def test_no_password_is_shown(address: str, safe: str) -> None:
    assert shown(address) == safe


@pytest.mark.parametrize(
    ("address", "expected"),
    [("postgresql+psycopg://db/x", "postgresql"), ("HTTP://x", "http"), ("sqlite:///x", "sqlite"), ("store.db", ""), ("", "")],
)
def test_a_scheme_is_told_without_its_driver(address: str, expected: str) -> None:
    assert scheme(address) == expected


def test_a_password_goes_into_a_url_that_has_none() -> None:
    assert put_password("postgresql://churn@db:5432/churn?sslmode=require", "p@ss/w") == (
        "postgresql://churn:p%40ss%2Fw@db:5432/churn?sslmode=require"
    )
    handed_on = put_password("postgresql://churn@db/churn", "p@ss")
    assert put_password(handed_on, "p@ss") == handed_on
    for url in ("postgresql://churn:other@db/churn", "sqlite:///store.db", "postgresql:///churn"):
        with pytest.raises(ValueError, match="must name a host and no password: CHURN_STORE_PASSWORD is set as well"):
            put_password(url, "p@ss")
    with pytest.raises(ValueError, match="is no database URL, such as postgresql://"):
        put_password("store.db", "p@ss")


def test_another_scheme_names_those_that_there_may_be() -> None:
    assert require_scheme(("sqlite", "postgresql"), "postgresql+psycopg://x") == "postgresql+psycopg://x"
    with pytest.raises(ValueError, match=r"^must begin with a:, b: or c:$"):
        require_scheme(("a", "b", "c"), "d:x")
    with pytest.raises(ValueError, match=r"^must begin with http: or https:$"):
        require_scheme(("http", "https"), "httpx://x")


@pytest.mark.parametrize(
    "address", ["http://h", "https://h:1/path", "http://u:p@h:65535", "http://[::1]:80", "http://127.0.0.1:8000"]
)
def test_an_address_is_a_scheme_a_host_and_a_port_that_there_can_be(address: str) -> None:
    assert require_address(("http", "https"), address) == address


@pytest.mark.parametrize("address", ["http://", "http://:80", "http://h:0", "http://h:65536", "http://h:x", "http:///path"])
def test_an_address_without_a_host_or_with_an_impossible_port_is_none(address: str) -> None:
    with pytest.raises(ValueError, match=r"must name a host, and a port from 1 to 65535 if any, such as http://127.0.0.1:8000"):
        require_address(("http", "https"), address)


def test_an_address_keeps_the_rules_of_schemes_and_hosts() -> None:
    with pytest.raises(ValueError, match="must begin with"):
        require_address(("http", "https"), "ftp://h")
    with pytest.raises(ValueError, match="must be the name or the address of a host"):
        require_address(("http", "https"), "http://no blanks")


@pytest.mark.parametrize(
    "host", ["localhost", "a", "mlflow.churn.svc", "my_host", "h-1", "x.", "127.0.0.2", "::1", "fe80::1%eth0", "a" * 63, "1a"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert require_host(host) == host


@pytest.mark.parametrize(
    "host", ["", "-a", "a..b", "a b", "http://a", "a:80", "300.1.1.1", "1.2.3", "a" * 64, ".a", "é", "a." * 127 + "aaa"]
)
def test_what_can_be_neither_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must be the name or the address of a host, without scheme and port"):
        require_host(host)


def test_links_are_names_and_addresses_of_the_web() -> None:
    assert parse_links("") == parse_links(" , ,") == {}
    assert parse_links(" A = https://a/?x=y ,B=http://b,A=http://c") == {"A": "http://c", "B": "http://b"}
    for text, entry in (("A=https://a, B=javascript:alert(1)", 2), ("=https://a", 1), ("https://a", 1), ("A=https://a,,,B", 2)):
        with pytest.raises(ValueError, match=f"entry {entry} must be NAME=URL, and the URL begin with http:// or https://"):
            parse_links(text)


def test_what_is_shown_is_one_line() -> None:
    assert shown("sqlite:////var/a\nb\tc.db") == "sqlite:////var/a b c.db"
