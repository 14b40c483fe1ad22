"""Workers of pytest-xdist share the tests out by number: each must collect the same list, whenever and wherever it does."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

import pytest

from tests.checkout import CHECKOUT
from tests.conftest import pytest_make_parametrize_id


def test_the_name_of_a_test_holds_no_archive_which_differs_from_second_to_second() -> None:
    made = [gzip.compress(b"the same", mtime=second) for second in (1, 2)]
    assert made[0] != made[1]
    assert [pytest_make_parametrize_id(archive, "body") for archive in made] == ["body", "body"]
    assert pytest_make_parametrize_id(b"plain text", "body") is None


@pytest.mark.long
def test_another_process_at_another_time_with_another_order_of_sets_collects_the_same_tests() -> None:
    listed = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "pytest", "--collect-only"]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        for name in [name for name in environment if name.startswith("PYTEST_")]:
            del environment[name]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2_000:]
        listed.append([line for line in done.stdout.splitlines() if "::" in line])
    assert len(listed[0]) > 1_000
    assert listed[0] == listed[1]
