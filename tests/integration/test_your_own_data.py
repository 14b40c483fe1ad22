"""The walk of docs/your-own-data.md, command by command as it stands on the page, on the customers of a real company."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from anyio.from_thread import start_blocking_portal

from churn.config.settings import load_settings
from churn.contract import load_contract
from pipelines.data_sources.published import SAMPLES
from tests.checkout import CHECKOUT
from tests.integration.loading import loading_here
from tests.published_data import published
from tests.unit.docs.pages import read
from tests.unit.service.fakes import running

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800), pytest.mark.filterwarnings("default")]

SAMPLE = "ibm-telco"
# A search of few candidates, over fewer folds, and fewer bootstraps: nothing that is held here is as fine as what they would add.
FEWER = """
tuning: {folds: 2, grid: {features__trees: [50], features__strictness: [0.5], logreg__C: [0.1, 1.0]}}
evaluation: {resamples: 100}
gate: {resamples: 500}
"""
WALK, SYSTEM = re.findall(r"(?:^    .*\n)+", read("docs/your-own-data.md"), flags=re.MULTILINE)[:2]


@dataclass(frozen=True)
class Walk:
    folder: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """An empty folder in which all commands were run, one after the other."""
    frame = SAMPLES[SAMPLE]
    cached = published(frame, f"{SAMPLE}.csv")
    folder = tmp_path_factory.mktemp("company")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "PREFECT_", "MLFLOW_"))}
    params = tmp_path_factory.mktemp("params") / "params.yaml"
    params.write_text(FEWER)
    environment |= {"PYTHONPATH": str(CHECKOUT), "CHURN_PARAMS": str(params)}
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        for line in WALK.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] == "export":
                environment |= dict(word.split("=", 1) for word in words[1:])
                continue
            assert words[0] == "churn"
            command = [sys.executable, "-m", "pipelines.cli.main", *words[1:]]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said[" ".join(words[1:3])] = done.stdout
        assert (folder / f"{SAMPLE}.csv").read_bytes() == cached.read_bytes()
        for name, value in environment.items():
            if name.startswith("CHURN_"):
                patch.setenv(name, value)
        patch.chdir(folder)
        yield Walk(folder, said)


def test_every_command_of_the_page_is_run(walk: Walk) -> None:
    assert list(walk.said) == [
        *("data pull", "data describe", "data validate", "train --trigger", "model card", f"score {SAMPLE}.csv"),
    ]


def test_the_draft_is_what_the_page_says(walk: Walk) -> None:
    contract = load_contract(walk.folder / "ibm.yaml")
    assert (contract.target.source, contract.target.true_level) == ("churn", "Yes")
    sensitive = {column.name for column in contract.sensitive}
    assert sensitive == {"senior_citizen", "partner", "dependents", "female"}
    assert len(contract.features) == 15
    assert [column.name for column in contract.features if column.nullable] == ["total_charges"]
    frame = pd.read_csv(walk.folder / f"{SAMPLE}.csv")
    assert frame.shape == (7_043, 20)
    assert frame["total_charges"].isna().sum() == 11
    assert "7,043 customers, 26.54% churned" in walk.said["data validate"]


def test_the_model_is_good_on_customers_that_it_has_not_seen_and_blind_to_what_is_sensitive(walk: Walk) -> None:
    assert "version 1 promoted" in walk.said["train --trigger"]
    card = walk.said["model card"]
    found = re.search(r"On customers held out: ROC AUC (\.\d+|0\.\d+)", card)
    assert found
    assert 0.82 < float(found[1]) < 0.9
    assert "`tenure`" in card.partition("## Features")[2]


def test_every_customer_has_a_score(walk: Walk) -> None:
    scores = pd.read_csv(walk.folder / "scored.csv")
    left = pd.read_csv(walk.folder / f"{SAMPLE}.csv")["churn"] == "Yes"
    assert len(scores) == len(left)
    assert scores["churn_probability"].mean() == pytest.approx(left.mean(), abs=0.02)
    assert scores["churn_probability"][left].mean() > 1.5 * scores["churn_probability"][~left].mean()


def test_the_service_answers_the_request_of_the_page(walk: Walk) -> None:
    from service.app import create_app

    body = re.search(r"-d '(\{.*?\})'", SYSTEM, flags=re.DOTALL)
    assert body
    assert "/predict" in SYSTEM
    service = running(create_app(load_settings()))
    with loading_here(), start_blocking_portal() as portal, portal.wrap_async_context_manager(service) as client:

        async def post() -> tuple[int, dict[str, object]]:
            answer = await client.post("/predict", json=json.loads(body[1]))
            return answer.status_code, answer.json()

        status, answer = portal.call(post)
    assert status == 200, answer
    assert answer["customer_id"] == "c-1"
    # Of all these customers .27 left.
    assert 0.4 < float(str(answer["churn_probability"])) < 1
