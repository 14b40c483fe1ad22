"""Who may call what: every route has a decision, docs/security.md says it, and no way around it was found."""

from __future__ import annotations

import ast
import hashlib
import hmac
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from service import api_keys, authorization
from service.api_keys import ApiKey, known_key
from service.app import ServiceApp
from tests.security.documented import routes
from tests.unit.service.fakes import CUSTOMER, KEY_TEXT, KEYS, running

pytestmark = pytest.mark.anyio
BODIES: dict[str, Any] = {
    "/predict": CUSTOMER,
    "/outcomes": {"outcomes": [{"prediction_id": "p", "churned": True}]},
    "/contacts": {"contacts": [{"prediction_id": "p"}]},
}
SCOPES = ("predict", "outcomes", "admin")


def served_routes(routes: Iterable[Any]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes:
        if hasattr(route, "original_router"):
            found |= served_routes(route.original_router.routes)
        else:
            assert isinstance(route, Route | APIRoute), f"{route!r} is a way in that this test does not understand"
            found |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
    return found


def spelled(path: str) -> str:
    return path.replace("{name}", "churn").replace("{version}", "1")


async def ask(client: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str]) -> int:
    answer = await client.request(method, spelled(path), json=BODIES.get(path), headers=headers)
    return answer.status_code


async def test_the_page_says_who_may_ask_of_every_route_and_of_no_other(make_app: Callable[..., ServiceApp]) -> None:
    assert set(routes()) == served_routes(make_app(api_keys=KEYS).api.routes)
    assert set(routes().values()) == {"anybody", "any key", *SCOPES}


async def test_every_route_lets_in_whom_the_page_says_and_nobody_else(keyed_client: httpx2.AsyncClient) -> None:
    for (method, path), who in routes().items():
        for wrong in ({}, {"X-API-Key": "guess"}, {"Authorization": f"Basic {KEY_TEXT['admin']}"}):
            status = await ask(keyed_client, method, path, wrong)
            assert (status == 401) == (who != "anybody"), (method, path, wrong)
        for scope, key in KEY_TEXT.items():
            status = await ask(keyed_client, method, path, {"X-API-Key": key})
            refused = who in SCOPES and who != scope
            assert (status == 403) == refused, (method, path, scope)
            assert status != 401, (method, path, scope)


NO_KEYS: list[list[tuple[str, str]]] = [
    [("X-API-Key", "x" * 60_000)],
    [("X-API-Key", "\x00")],
    [("X-API-Key", "key for predict ")],
    [("X-API-Key", KEY_TEXT["predict"].upper())],
    [("X-API-Key", hashlib.sha256(KEY_TEXT["predict"].encode()).hexdigest())],
    [("X-Api_Key", KEY_TEXT["predict"])],
    [("Cookie", f"X-API-Key={KEY_TEXT['predict']}")],
    [("Authorization", KEY_TEXT["predict"])],
    [("Authorization", f"Token {KEY_TEXT['predict']}")],
    [("Proxy-Authorization", f"Bearer {KEY_TEXT['predict']}")],
    [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")],
    [("X-Original-URL", "/healthz"), ("X-HTTP-Method-Override", "GET")],
]


async def test_nothing_else_passes_for_a_key(keyed_client: httpx2.AsyncClient) -> None:
    for headers in NO_KEYS:
        sent = [(name.encode(), value.encode()) for name, value in headers]
        answer = await keyed_client.post("/predict", json=CUSTOMER, headers=sent)
        assert answer.status_code == 401, headers
    assert (await keyed_client.post(f"/predict?X-API-Key={KEY_TEXT['predict']}&api_key=x", json=CUSTOMER)).status_code == 401


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization", "Host", "Content-Type"])
async def test_a_header_that_is_there_twice_is_nobodys_guess(keyed_client: httpx2.AsyncClient, name: str) -> None:
    given = {"X-API-Key": KEY_TEXT["predict"], "Authorization": "Bearer x", "Host": "a", "Content-Type": "application/json"}
    sent = [*((n.encode(), v.encode()) for n, v in given.items()), (name.encode(), b"other")]
    answer = await keyed_client.post("/predict", content=b"{}", headers=sent)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:churn:problem:ambiguous")
    assert KEY_TEXT["predict"] not in answer.text


SPELLINGS = [
    *(
        "/admin/failures/",
        "//admin/failures",
        "/./admin/failures",
        "/x/../admin/failures",
        "/ADMIN/failures",
        "/admin%2ffailures",
    ),
    *("/admin/failures;x", "/admin/failures%00", "/admin//failures", "/healthz/../admin/failures", "/admin/failures%20"),
]


async def test_no_spelling_of_a_path_leads_around_the_key(keyed_client: httpx2.AsyncClient) -> None:
    for path in SPELLINGS:
        request = keyed_client.build_request("GET", "http://127.0.0.1/")
        request.url = httpx2.URL("http://127.0.0.1", raw_path=path.encode())
        assert (await keyed_client.send(request)).status_code in (401, 404), path


async def test_no_method_leads_around_the_key(keyed_client: httpx2.AsyncClient) -> None:
    for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        for path in ("/admin/failures", "/admin/rollback", "/predict", "/model"):
            # HEAD is GET without a body, for keys as for all else.
            told = (await keyed_client.request("GET", path)).status_code if method == "HEAD" else 405
            assert (await keyed_client.request(method, path)).status_code == told, (method, path)
            assert told in (401, 405)


async def test_every_key_is_compared_in_constant_time_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(api_keys.hmac, "compare_digest", noted)
    keys = tuple(ApiKey(str(n), frozenset({"predict"}), hashlib.sha256(str(n).encode()).digest()) for n in range(5))
    for presented in (b"0", b"4", b"nobody's", b""):
        compared.clear()
        found = known_key(keys, presented)
        assert (found.name if found else None) == ({b"0": "0", b"4": "4"}.get(presented))
        # The first key that fits does not end it, and only hashes are compared, which no caller chooses.
        assert compared == [(key.digest, hashlib.sha256(presented).digest()) for key in keys]


async def test_nothing_in_the_service_compares_a_secret_any_other_way() -> None:
    loop = next(node for node in ast.walk(ast.parse(inspect.getsource(known_key))) if isinstance(node, ast.For))
    assert not [node for node in ast.walk(loop) if isinstance(node, ast.Break | ast.Return | ast.Compare)]
    assert hmac.compare_digest is api_keys.hmac.compare_digest
    source = inspect.getsource(authorization) + inspect.getsource(api_keys)
    assert source.count(".digest") == source.count("compare_digest(key.digest, digest)") + source.count(
        "hashlib.sha256(presented).digest"
    )


async def test_without_keys_scopes_mean_nothing_and_with_them_one_key_may_have_several(
    make_app: Callable[..., ServiceApp],
) -> None:
    digest = hashlib.sha256(b"both").hexdigest()
    async with running(make_app(api_keys=f"shop:predict+outcomes:{digest}")) as client:
        headers = {"X-API-Key": "both"}
        asked = [await ask(client, "POST", path, headers) for path in ("/predict", "/outcomes", "/admin/reload")]
    assert asked == [200, 200, 403]
