"""Takes the README's pictures of a system that runs, with traffic and a monitoring run: `python -m tests.e2e.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from churn.config.settings import load_settings
from pipelines.local.status import find_status
from tests.e2e.browser import Browser, chromium

FOLDER = Path("docs/images")


def shoot(browser: Browser, name: str, height: int) -> None:
    size = {"width": 1050, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    browser.send("Emulation.setScrollbarsHidden", hidden=True)
    browser.screenshot(FOLDER / name, whole=False)


def main() -> None:
    settings = load_settings()
    status = find_status(settings)
    if status.model is None or status.monitor is None or not status.monitor["report"]:
        raise SystemExit("no pictures: run `make up`, send traffic, and let the monitor run")
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        browser.open(f"http://127.0.0.1:{settings.port}/")
        browser.ask("[...document.querySelectorAll('button')].find((b) => b.textContent.includes('example')).click()")
        browser.ask("document.querySelector('form').requestSubmit()")
        browser.wait_for("document.querySelector('.reason')")
        browser.ask("window.scrollTo(0, 0)")
        shoot(browser, "page.png", 800)
        browser.open(Path(status.monitor["report"]).absolute().as_uri())
        shoot(browser, "monitoring-run.png", 820)


if __name__ == "__main__":
    main()
