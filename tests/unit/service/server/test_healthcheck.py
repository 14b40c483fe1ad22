from __future__ import annotations

from service.server.healthcheck import is_alive
from tests.unit.pipelines.loopback import Answer, web_server


def test_only_200_is_alive() -> None:
    with web_server(lambda asked: Answer(status=200 if asked.path == "/health" else 503)) as url:
        assert is_alive(f"{url}/health")
        assert not is_alive(f"{url}/other")
        assert not is_alive(url)
    assert not is_alive("http://127.0.0.1:1/health")
