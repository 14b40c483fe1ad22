"""Security headers of the pages: run and load only what their policy names, allow no framing, send no referrer."""

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
    """Return the headers of a page that runs and loads nothing but its own inline style and script.

    Parameters
    ----------
    style, script : str
        The contents of its style and script elements.

    Returns
    -------
    dict of str to str
    """
    scripts = f"script-src '{_digest(script)}'; connect-src 'self'; img-src data:; " if script else ""
    policy = (
        f"default-src 'none'; {scripts}style-src '{_digest(style)}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, **_ALWAYS}


def _digest(content: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
