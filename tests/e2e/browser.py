"""A real Chromium, driven by the DevTools protocol: what a person does at the keyboard, and what the browser thinks of it."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from tools.loopback_http import http

# Long enough for a slow machine: nothing here is about speed.
TIMEOUT_SECONDS = 60
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--remote-debugging-port=0",
)
# Name to code, virtual key code, and the text it makes.
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "ArrowRight": ("ArrowRight", 39, ""),
    "Backspace": ("Backspace", 8, ""),
}


class Browser:
    """One page. `complaints` are what the browser wrote to its console; `addresses` all that it asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.addresses: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=TIMEOUT_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        match message.get("method"), message.get("params"):
            case "Network.requestWillBeSent", params:
                self.addresses.append(params["request"]["url"])
            case "Runtime.exceptionThrown", params:
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled", params if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(params["args"]))
            case "Log.entryAdded", params if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def ask(self, expression: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < deadline, f"it did not happen: {expression}; {self.complaints}"
            time.sleep(0.05)

    def press(self, key: str, *, shift: bool = False) -> None:
        code, number, text = KEYS[key]
        common = {"key": text if key == "Space" else key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 * shift}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        for character in text:
            self.send("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=character)

    def tab_to(self, name: str, *, most: int = 120) -> None:
        """Press Tab until the element with this id, or a radio of this name, has the focus."""
        for _ in range(most):
            self.press("Tab")
            if self.ask(f"[document.activeElement.id, document.activeElement.name].includes({json.dumps(name)})"):
                return
        raise AssertionError(f"Tab does not lead to {name}; it stands on {self.ask('document.activeElement.outerHTML')}")

    def focused(self) -> str:
        return str(self.ask("document.activeElement.id"))

    def text(self, id_: str) -> str:
        return str(self.ask(f"document.getElementById({json.dumps(id_)}).innerText"))

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    profile.mkdir(parents=True, exist_ok=True)
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_page_address(profile, process), max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT_SECONDS)


def _page_address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            port = int((profile / "DevToolsActivePort").read_text().split()[0])
            pages = http.get(f"http://127.0.0.1:{port}/json/list").json()
            return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
        except (OSError, IndexError, ValueError, httpx2.TransportError, StopIteration):
            time.sleep(0.05)
    raise AssertionError(f"Chromium did not start (exit code {process.poll()})")
