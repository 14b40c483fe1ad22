"""What a browser, a cache or a stranger gets to see of an answer."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx2
import pytest

from tests.security.documented import routes
from tests.unit.service.fakes import CUSTOMER, KEY_TEXT, FakeStore

pytestmark = pytest.mark.anyio


async def test_pages_run_their_own_script_and_style_and_are_framed_by_nobody(open_client: httpx2.AsyncClient) -> None:
    for path in ("/", "/docs"):
        page = await open_client.get(path)
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in page.headers["content-security-policy"]
        for tag in ("script", "style"):
            for inline in re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL):
                digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
                assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in page.headers["permissions-policy"]
        assert page.headers["cross-origin-opener-policy"] == page.headers["cross-origin-resource-policy"] == "same-origin"


async def test_no_page_loads_anything_from_elsewhere(open_client: httpx2.AsyncClient) -> None:
    for path in ("/", "/docs"):
        text = (await open_client.get(path)).text
        loaded = re.findall(
            r"<(?:script|link|img|iframe|object|embed|source)[^>]*?(?:src|href|data)\s*=\s*[\"']?([^\"'> ]+)", text
        )
        assert not [address for address in loaded if not address.startswith("data:")], path
        assert "@import" not in text
        assert "url(" not in text


async def test_every_answer_is_what_it_says_is_kept_by_nobody_and_sets_no_cookie(open_client: httpx2.AsyncClient) -> None:
    answers = [await open_client.get(path.replace("{name}", "churn").replace("{version}", "1")) for _, path in routes()]
    answers += [
        await open_client.post("/predict", json=CUSTOMER),
        await open_client.post("/predict?reasons=2000", json=CUSTOMER),
        await open_client.post("/predict/batch", json={"customers": [CUSTOMER]}),
        await open_client.get("/nowhere"),
    ]
    for answer in answers:
        assert answer.headers.get_list("cache-control") == ["no-store"], answer.url
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.url
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers


async def test_errors_show_nothing_of_the_inside(keyed_client: httpx2.AsyncClient, store: FakeStore) -> None:
    key = {"X-API-Key": KEY_TEXT["predict"]}
    store.error = RuntimeError("postgresql://user:secret@store /srv/churn/store.py")
    store.away = True
    answers = [
        await keyed_client.post("/predict", json=CUSTOMER, headers={"X-API-Key": KEY_TEXT["predict"]}),
        await keyed_client.post(
            "/outcomes", json={"outcomes": [{"prediction_id": "p", "churned": True}]}, headers={"X-API-Key": KEY_TEXT["outcomes"]}
        ),
        await keyed_client.get("/%2e%2e/%2e%2e/etc/passwd", headers=key),
        await keyed_client.post("/predict", content=b"\xff\xfe{", headers={**key, "content-type": "application/json"}),
        await keyed_client.get("/admin/failures?limit=x", headers={"X-API-Key": KEY_TEXT["admin"]}),
    ]
    assert [answer.status_code for answer in answers] == [500, 500, 404, 422, 422]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert not re.search(r"secret|Traceback|\.py|site-packages|/srv|RuntimeError|sqlalchemy", answer.text, re.IGNORECASE), (
            answer.text
        )
