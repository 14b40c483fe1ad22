"""The one request of README.md and the response that it shows."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.checkout import CHECKOUT

README = (CHECKOUT / "README.md").read_text("utf-8")
_CURL = re.compile(r"curl -s 'http://127\.0\.0\.1:8000(?P<path>/predict\S*)' .*?-d '(?P<body>\{.*?\})'\n", re.DOTALL)


def example() -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the request's path with its query, its body, and the response."""
    (request,) = _CURL.finditer(README)
    (response,) = re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)
    return request["path"], json.loads(request["body"]), json.loads(response)
