"""S3 as DVC's remote: the commands of docs/compose.md, against a real S3 server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.object_store import ACCOUNT, SECRET, object_store
from tests.integration.test_dvc import CHECKOUT, ENVIRONMENT, check_out, pinned_data, remote_with  # noqa: F401
from tests.integration.test_dvc import TELECOM_MD5 as MD5

# What the page says to type, and what it comes to in .dvc/config.local: each command takes a second or two to start.
TOLD = """
    .venv/bin/dvc remote add --local store s3://YOUR-BUCKET/dvc
    .venv/bin/dvc config --local remote.store.endpointurl https://s3.example
    .venv/bin/dvc config --local remote.store.verify true
    export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
    .venv/bin/dvc push --remote store data.dvc
    .venv/bin/dvc pull --remote store data.dvc
"""
CONFIGURED = """['remote "store"']
    url = s3://YOUR-BUCKET/dvc
    endpointurl = https://s3.example
    verify = true
"""


def dvc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=ENVIRONMENT | {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def check_out_with(folder: Path, endpoint: str) -> Path:
    made = check_out(folder)
    configured = CONFIGURED.replace("YOUR-BUCKET", "data").replace("https://s3.example", endpoint)
    (made / ".dvc" / "config.local").write_text(configured)
    return made


def test_the_customers_go_to_an_object_store_and_come_back_unless_they_were_changed_there(
    tmp_path: Path,
    pinned_data: Path,  # noqa: F811
) -> None:
    bucket = tmp_path / "s3" / "data"
    bucket.mkdir(parents=True)
    content = pinned_data.read_bytes()
    with object_store(tmp_path / "s3") as endpoint:
        one = check_out_with(tmp_path / "one", endpoint)
        # Its cache is where `dvc add` would have put them.
        remote_with(one / ".dvc" / "cache", content)
        done = dvc(one, "push", "--remote", "store", "data.dvc")
        assert done.returncode == 0, done.stderr
        (stored,) = bucket.rglob(MD5[2:])
        assert stored.read_bytes() == content

        other = check_out_with(tmp_path / "other", endpoint)
        done = dvc(other, "pull", "--remote", "store", "data.dvc")
        assert done.returncode == 0, done.stderr
        assert (other / "data" / "telecom_churn.csv").read_bytes() == content

        stored.write_bytes(content[:-1] + b"!")
        third = check_out_with(tmp_path / "third", endpoint)
        assert dvc(third, "pull", "--remote", "store", "data.dvc").returncode != 0
        assert not (third / "data" / "telecom_churn.csv").exists()


def test_the_page_says_these_commands() -> None:
    assert TOLD in (CHECKOUT / "docs/compose.md").read_text()
