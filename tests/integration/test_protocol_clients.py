"""Clients that exist already, unchanged, against the service as a process; of the answers, MLflow's own server is the judge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import orjson
import pandas as pd
import pytest

from churn.contract import Contract
from churn.modeling.model import Model
from pipelines.local.ports import free_port
from tests.checkout import CHECKOUT
from tests.unit.service.fakes import FEATURES, make_model
from tools.loopback_http import http

# MLflow warns of its own type hints, and of columns that might have integers.
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint:UserWarning", "ignore::FutureWarning")
SCRIPT = """
import sys
from pathlib import Path
import uvicorn
from service.app import create_app
from tests.unit.service.fakes import FakeRegistry, FakeLastKnownGood, make_model, make_settings

settings = make_settings(Path(sys.argv[1]))
app = create_app(settings, registry=FakeRegistry(make_model("1")), last_known_good=FakeLastKnownGood().last_known_good())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("home")), str(port)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHURN_")}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=clean, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, "the service did not start"
            assert time.monotonic() < deadline, "the service is not ready in time"
            try:
                if http.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200:
                    break
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(120)


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model("1")


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    rows = [(265.1, 4.0, 1.0), (np.nan, 0.0, 0.0), (12.5, np.nan, np.nan)]
    return pd.DataFrame(rows, columns=FEATURES)


@pytest.fixture(scope="module")
def triton(address: str) -> Iterator[Any]:
    http = pytest.importorskip("tritonclient.http", reason="needs tritonclient[http] from PyPI")
    with http.InferenceServerClient(address) as client:
        yield client


def expected(model: Model, customers: pd.DataFrame) -> Any:
    return model.pipeline.predict_proba(customers)


def tensor(name: str, values: Any, datatype: str, binary: bool) -> Any:
    from tritonclient.http import InferInput

    return InferInput(name, list(values.shape), datatype).set_data_from_numpy(values, binary_data=binary)


def test_triton_finds_the_server_and_the_model(triton: Any, contract: Contract) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("churn")
    assert triton.is_model_ready("churn", "1")
    assert not triton.is_model_ready("churn", "2")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("churn", "1")
    assert [one["name"] for one in metadata["inputs"]] == [*contract.feature_names, "customer_id"]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_sends_a_tensor_a_column(triton: Any, model: Model, customers: pd.DataFrame, binary: bool) -> None:
    from tritonclient.http import InferRequestedOutput

    numbers = [tensor(name, customers[[name]].to_numpy(), "FP64", binary) for name in FEATURES]
    state = tensor("state", np.array(["OH", "KS", ""], dtype=object), "BYTES", binary)
    asked = [InferRequestedOutput(name, binary_data=binary) for name in ("churn_probability", "prediction_id", "churn")]
    result = triton.infer("churn", [*numbers, state], request_id="r-7", outputs=asked)
    assert result.get_response()["id"] == "r-7"
    np.testing.assert_allclose(result.as_numpy("churn_probability"), expected(model, customers)[:, 1], atol=1e-12)
    assert result.as_numpy("churn").tolist() == (expected(model, customers)[:, 1] >= 0.5).tolist()
    ids = [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("prediction_id")]
    assert len({*ids}) == 3


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_triton_sends_one_tensor(
    triton: Any, model: Model, customers: pd.DataFrame, contract: Contract, binary: bool, packed: str | None
) -> None:
    matrix = customers.reindex(columns=contract.numeric_features).to_numpy(dtype=np.float64)
    inputs = [tensor("customers", matrix, "FP64", binary)]
    result = triton.infer("churn", inputs, model_version="1", request_compression_algorithm=packed)
    np.testing.assert_allclose(result.as_numpy("churn_probability"), expected(model, customers)[:, 1], atol=1e-12)


def test_triton_is_told_what_is_wrong(triton: Any) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match=r"\[422\].*total_day_minutes: must be at least 0 minutes"):
        triton.infer("churn", [tensor("total_day_minutes", np.array([-1.0]), "FP64", True)])
    with pytest.raises(InferenceServerException, match=r"\[404\]"):
        triton.infer("other", [tensor("total_day_minutes", np.array([1.0]), "FP64", True)])


@pytest.fixture(scope="module")
def pyfunc(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same model as MLflow serves it, with the signature of `churn.registry.registry`."""
    mlflow = pytest.importorskip("mlflow")
    from churn.registry.runs import model_signature as _signature
    from churn.registry.trusted_types import TRUSTED_TYPES

    folder = tmp_path_factory.mktemp("mlflow") / "model"
    mlflow.sklearn.save_model(
        model.pipeline,
        folder,
        serialization_format="skops",
        skops_trusted_types=TRUSTED_TYPES,
        signature=_signature(pd.DataFrame(columns=FEATURES, dtype=np.float64)),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.pyfunc.load_model(str(folder))


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "columns", "csv"])
def test_answers_are_those_of_mlflows_own_server(address: str, pyfunc: Any, customers: pd.DataFrame, form: str) -> None:
    from mlflow.pyfunc import scoring_server

    whole = customers.astype(object).where(customers.notna(), None)
    records = whole.to_dict("records")
    columns = {name: whole[name].tolist() for name in FEATURES}
    bodies: dict[str, Any] = {
        "dataframe_split": {"dataframe_split": {"columns": FEATURES, "data": whole.to_numpy().tolist()}},
        "dataframe_records": {"dataframe_records": records},
        "inputs": {"inputs": [one for one in records if None not in one.values()]},
        "columns": {"inputs": columns},
    }
    media = "text/csv" if form == "csv" else "application/json"
    body = customers.to_csv(index=False).encode() if form == "csv" else orjson.dumps(bodies[form])
    schema = pyfunc.metadata.get_input_schema()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = json.loads(scoring_server.invocations(body if form != "csv" else body.decode(), media, pyfunc, schema).response)
    ours = http.post(f"http://{address}/invocations", content=body, headers={"content-type": media}).json()
    np.testing.assert_allclose(ours["predictions"], theirs["predictions"], atol=1e-12)


def test_mlflows_client_gets_its_predictions(address: str, model: Model, customers: pd.DataFrame) -> None:
    pytest.importorskip("mlflow")
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient(*address.split(":"))
    client.wait_server_ready(timeout=10)
    assert client.get_version()
    answer = client.invoke(customers, params={"unused": 1})
    np.testing.assert_allclose(answer.get_predictions("ndarray"), expected(model, customers), atol=1e-12)
    assert answer.get_predictions("dataframe").shape == (3, 2)
    with pytest.raises(Exception, match="422"):
        client.invoke(customers.assign(total_day_minutes=-1.0))
