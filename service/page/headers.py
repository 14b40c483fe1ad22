"""What a browser is told of our pages: to run and load what their policy names, to frame them nowhere, to tell nobody of them."""

from __future__ import annotations

import hashlib
from base64 import b64encode

_ALWAYS = {
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page_headers(*, style: str, script: str = "") -> dict[str, str]:
    """Give the headers of a page with this style and script, which are in the page itself; nothing else is run or loaded."""
    scripts = f"script-src '{_digest(script)}'; connect-src 'self'; img-src data:; " if script else ""
    policy = (
        f"default-src 'none'; {scripts}style-src '{_digest(style)}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, **_ALWAYS}


def _digest(content: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
