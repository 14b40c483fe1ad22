"""What stands in the OpenAPI document beside the schemas: what each group of routes is for, and an example of each body."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from churn.contract import Column, Contract

# In the order of the page at /docs.
TAGS = [
    {"name": "predictions", "description": "Score customers. Every answer is in the log before it is sent."},
    {"name": "outcomes", "description": "Report which customers left, and which stayed."},
    {"name": "contacts", "description": "Report which customers were called, and who wants no calls."},
    {"name": "campaigns", "description": "Whom to call."},
    {"name": "model", "description": "The model in service; changing it."},
    {"name": "operations", "description": "For probes, monitoring and operators."},
    {"name": "open inference protocol", "description": "For clients of KServe and Triton (Open Inference Protocol V2)."},
    {"name": "mlflow", "description": "For clients of `mlflow models serve`."},
]
# Optional features that the customer of the examples has: enough to see how they are written.
OPTIONAL = 3


def example_customer(contract: Contract) -> dict[str, Any]:
    """Return a valid customer: an id, the features that must not be missing, and the first few that may.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> example_customer(load_contract())["state"]
    'AK'
    """
    optional = [column for column in contract.features if not column.required][:OPTIONAL]
    shown = [column for column in contract.features if column.required or column in optional]
    return {"customer_id": "c-1"} | {column.name: _example_value(column) for column in shown}


def _example_value(column: Column) -> Any:
    if column.kind == "flag":
        return column.true_level
    if column.kind == "category":
        return column.levels[0]
    low = column.minimum if column.minimum is not None else min(0.0, column.maximum if column.maximum is not None else 0.0)
    if column.kind == "integer":
        low = math.ceil(low) if column.minimum is not None else math.floor(low)
        return int(low) if column.maximum is None else int(low + (column.maximum - low) // 4)
    return low if column.maximum is None else low + (column.maximum - low) / 4


def request_examples(contract: Contract) -> dict[str, Any]:
    """Return an example of each request body, by the name of its schema."""
    customer = example_customer(contract)
    features = {name: value for name, value in customer.items() if name != "customer_id"}
    return {
        "Customer": customer,
        "BatchRequest": {"customers": [customer]},
        "OutcomesRequest": {"outcomes": [{"customer_id": "c-1", "churned": True}]},
        "ContactsRequest": {"contacts": [{"customer_id": "c-1", "campaign": "november", "offer": "10 % off"}]},
        "RollbackBody": {"reason": "complaints from the call centre"},
        "InvocationsRequest": {"dataframe_records": [features]},
        "InferRequest": {
            "inputs": [
                {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
                for name, value in features.items()
            ]
        },
    }


def csv_examples(contract: Contract) -> dict[str, str]:
    """Return an example of each request body in CSV, by its route."""
    bodies = request_examples(contract)
    lists: dict[str, list[dict[str, Any]]] = {
        "/predict/batch": bodies["BatchRequest"]["customers"],
        "/campaign/candidates": [bodies["Customer"]],
        "/outcomes": bodies["OutcomesRequest"]["outcomes"],
        "/contacts": bodies["ContactsRequest"]["contacts"],
        "/invocations": bodies["InvocationsRequest"]["dataframe_records"],
    }
    return {path: _as_csv(records) for path, records in lists.items()}


def _as_csv(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(records[0])
    writer.writerows([str(value).lower() if isinstance(value, bool) else value for value in one.values()] for one in records)
    return text.getvalue()
