"""A service without keys is for this machine: not for pages of elsewhere that a browser of this machine shows."""

from __future__ import annotations

import httpx2
import pytest

from tests.unit.service.fakes import CUSTOMER, KEY_TEXT

pytestmark = pytest.mark.anyio


async def test_a_page_of_elsewhere_changes_nothing(open_client: httpx2.AsyncClient) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:5000"},  # another service of this machine, which may show what others wrote
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for path in ("/admin/rollback", "/admin/reload", "/outcomes", "/contacts", "/predict", "/invocations"):
            answer = await open_client.post(path, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:churn:problem:foreign-page"), (path, headers)


async def test_a_name_that_was_made_to_point_here_is_not_answered(open_client: httpx2.AsyncClient) -> None:
    for host in (
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "[2001:db8::1]:8000",
        "localhost.evil",
    ):
        for path in ("/", "/model", "/admin/failures"):
            answer = await open_client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["type"]) == (421, "urn:churn:problem:wrong-host"), host
            assert "evil" not in answer.text


async def test_our_own_page_and_programs_of_this_machine_are_answered(open_client: httpx2.AsyncClient) -> None:
    for host in ("127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.8.9.1"):
        own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        for headers in (own, {"Host": host}, {"Host": host, "Sec-Fetch-Site": "none"}):
            assert (await open_client.post("/predict", json=CUSTOMER, headers=headers)).status_code == 200, headers
    # A link from elsewhere may be followed, and a probe asks by whatever name it has.
    assert (await open_client.get("/docs", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200
    assert (await open_client.get("/healthz", headers={"Host": "10.1.2.3:8000"})).status_code == 200


async def test_with_keys_a_name_is_not_asked_for(keyed_client: httpx2.AsyncClient) -> None:
    headers = {"Host": "churn.example", "Origin": "https://shop.example", "X-API-Key": KEY_TEXT["predict"]}
    assert (await keyed_client.post("/predict", json=CUSTOMER, headers=headers)).status_code == 200


async def test_no_other_site_is_ever_let_in_by_cors(open_client: httpx2.AsyncClient, keyed_client: httpx2.AsyncClient) -> None:
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    for client in (open_client, keyed_client):
        for answer in (
            await client.options("/predict", headers=asked),
            await client.get("/docs", headers=asked),
            await client.post("/predict", json=CUSTOMER, headers={**asked, "X-API-Key": KEY_TEXT["predict"]}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]
