"""The security headers of a page: only its own style and script run, and only a page with a script may connect."""

from __future__ import annotations

import base64
import hashlib

from service.page.headers import page_headers


def digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def directives(**contents: str) -> dict[str, str]:
    policy = page_headers(**contents)["Content-Security-Policy"]
    return {name: sources for name, _, sources in (one.strip().partition(" ") for one in policy.split(";"))}


def test_a_page_with_a_script_runs_that_one_and_connects_to_the_service_only() -> None:
    found = directives(style="p {}", script="let ü = 1")
    assert found["script-src"] == digest("let ü = 1")
    assert found["style-src"] == digest("p {}")
    assert found["connect-src"] == "'self'"
    assert {name for name, sources in found.items() if sources == "'none'"} == {
        "default-src",
        "form-action",
        "base-uri",
        "frame-ancestors",
    }


def test_a_page_without_a_script_runs_none_and_connects_nowhere() -> None:
    found = directives(style="p {}")
    assert found["default-src"] == "'none'"
    assert not {"script-src", "connect-src", "img-src"} & found.keys()


def test_older_browsers_are_told_not_to_frame_it_and_all_to_send_no_referrer() -> None:
    headers = page_headers(style="")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
