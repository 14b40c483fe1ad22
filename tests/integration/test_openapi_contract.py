"""The service does what its OpenAPI document says: Schemathesis makes requests up from it, right ones and wrong ones.

`CHURN_FUZZ_EXAMPLES=500` makes it thousands of requests.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.integration.test_service_process import SCRIPT, put_last_known_good, wait_until
from tests.unit.service.fakes import make_settings

KEY = "a key for made-up requests"
# Not tried: these two move the champion of a registry that is not there. Not checked: whether whatever fits the schema is accepted.
# No schema can say that a customer needs at least one value, or that of four members just one must be there.
LEFT_OUT = ["--exclude-path-regex", "^/admin/(reload|rollback)$", "--exclude-checks", "positive_data_acceptance"]


def test_no_request_makes_a_server_error_and_no_answer_is_undocumented(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unused_port = free.getsockname()[1]
    put_last_known_good(make_settings(tmp_path))
    address = f"http://127.0.0.1:{unused_port}"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHURN_")}
    env = {
        **clean,
        "CHURN_HOME": str(tmp_path),
        "CHURN_PORT": str(unused_port),
        "CHURN_TRACKING_URI": "http://127.0.0.1:9",
        "CHURN_API_KEYS": f"fuzz:predict+outcomes+admin:{digest}",
    }
    log = tmp_path / "service.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, "1", "0.1"], env=env, stderr=out, start_new_session=True)
    try:
        wait_until(lambda: httpx.get(f"{address}/readyz", timeout=10).status_code == 200, process)
        found = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{address}/openapi.json"),
                *("--checks", "all", "--mode", "all", "--seed", "1", "-H", f"X-API-Key: {KEY}", *LEFT_OUT),
                *("--max-examples", os.environ.get("CHURN_FUZZ_EXAMPLES", "10")),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert found.returncode == 0, found.stdout[-4_000:]
        assert '"level":"error"' not in log.read_text()
    finally:
        process.kill()
        process.wait(10)
