"""What our service is held against in its own environment: a bare server, FastAPI without a model, FastAPI as tutorials do it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from churn.contract import load_contract
from churn.customers.customer import request_model

FOLDER = "BENCHMARK_MODEL"
ANSWER = (
    b'{"prediction_id":"01a20b50-6d69-7e08-a25c-1b1476535c5a","customer_id":null,"churn_probability":0.0123456789,'
    b'"churn":false,"threshold":0.785,"model_version":"1"}'
)


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer as many bytes as the service does: what uvicorn alone can do."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def validating() -> FastAPI:
    """FastAPI that validates a customer, and answers without asking any model."""
    app, customer = FastAPI(), request_model(load_contract())

    async def predict(body: Any) -> dict[str, Any]:
        return {"churn_probability": 0.0123456789, "churn": False, "threshold": 0.785, "customer_id": body.customer_id}

    predict.__annotations__["body"] = customer
    app.post("/predict")(predict)
    return app


def dataframe() -> FastAPI:
    """FastAPI that makes a DataFrame of one row and asks the pipeline."""
    from churn.customers.frame import frame_from_records
    from churn.registry.artifact import load_folder

    contract = load_contract()
    model = load_folder(Path(os.environ[FOLDER]), "1")
    app, customer = FastAPI(), request_model(contract)

    async def predict(body: Any) -> dict[str, Any]:
        probability = float(model.predict_probability(frame_from_records([body.features()], contract))[0])
        return {"churn_probability": probability, "churn": probability >= model.info.threshold}

    predict.__annotations__["body"] = customer
    app.post("/predict")(predict)
    return app
