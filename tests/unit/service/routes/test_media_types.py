"""A body of a kind that its route does not read is refused as such, on every route, and is not read as another kind."""

from __future__ import annotations

import httpx2
import pytest

pytestmark = pytest.mark.anyio


async def test_every_route_with_a_body_refuses_other_media_types(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    routes = [
        (method.upper(), path.format(name="churn", version="1"), set(operation["requestBody"]["content"]))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert len(routes) > 6
    for method, path, read in routes:
        for media in ("image/png", "application/jsonp", "multipart/form-data; boundary=x", "text/csv", "application/json"):
            if media not in read:
                answer = await client.request(method, path, content=b"{}", headers={"content-type": media})
                assert answer.status_code == 415, f"{method} {path} read {media}: {answer.text}"
                assert answer.headers["content-type"] == "application/problem+json"
