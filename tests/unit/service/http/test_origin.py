"""Without keys only this machine's own pages and programs are answered: no page of another site, under no name of its own."""

from __future__ import annotations

import pytest

from service.http.errors import ForeignPage, WrongHost
from service.http.loopback import is_loopback
from service.http.origin import SAFE_METHODS, check_origin

OWN_HOSTS = ["127.0.0.1", "127.0.0.1:8000", "localhost", "localhost:8000", "LOCALHOST:80", "[::1]", "[::1]:8000", "127.8.9.1:80"]
OTHER_HOSTS = [
    *("rebound.example", "rebound.example:8000", "127.0.0.1.example", "127.0.0.10.example:80", "10.0.0.1:8000", "0.0.0.0:8000"),
    *("[2001:db8::1]:8000", "localhost.example", "127.0.0.1x", "[::1", ":8000", "[]:80"),
]


def headers(**values: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in values.items()}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("host", OWN_HOSTS)
def test_names_of_this_machine_are_answered(method: str, host: str) -> None:
    check_origin(method, headers(host=host))
    check_origin(method, headers(host=host, origin=f"http://{host}", sec_fetch_site="same-origin"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_names_are_refused_whatever_the_method(method: str, host: str) -> None:
    with pytest.raises(WrongHost, match=r"use 127\.0\.0\.1 or localhost, or set keys"):
        check_origin(method, headers(host=host))


def test_a_program_that_sends_no_host_is_answered() -> None:
    check_origin("POST", {})


FOREIGN = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"origin": "http://other.example"},
    {"origin": "null"},
    {"origin": "http://localhost:8001"},
    {"origin": "http://localhost"},
    {"origin": "http://localhost:8000", "sec_fetch_site": "cross-site"},
    {"origin": "http://other.example", "sec_fetch_site": "same-origin"},
]


@pytest.mark.parametrize("sent", FOREIGN)
def test_a_page_of_another_site_may_follow_a_link_and_change_nothing(sent: dict[str, str]) -> None:
    for method in SAFE_METHODS:
        check_origin(method, headers(host="localhost:8000", **sent))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "INVENTED"):
        with pytest.raises(ForeignPage, match="pages of other sites are not answered"):
            check_origin(method, headers(host="localhost:8000", **sent))


@pytest.mark.parametrize(
    "sent", [{"sec_fetch_site": "none"}, {"sec_fetch_site": "same-origin"}, {"origin": "https://localhost:8000"}]
)
def test_its_own_pages_and_what_a_person_types_may_change_something(sent: dict[str, str]) -> None:
    check_origin("POST", headers(host="localhost:8000", **sent))


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *((host, True) for host in ("127.0.0.1", "127.255.0.9", "::1", "localhost", "LocalHost")),
        *((host, False) for host in ("", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "localhost.example", "churn", "localhost ")),  # noqa: S104 -- told apart
    ],
)
def test_which_names_only_this_machine_can_reach(host: str, here: bool) -> None:
    assert is_loopback(host) is here
