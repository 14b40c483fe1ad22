"""What ServiceMonitor and PrometheusRule of the Prometheus operator (monitoring.coreos.com/v1) may hold, as far as we use it.

Closed: a field that is not listed is wrong, be it misspelt or only new here. Then look it up in the operator's API reference
(https://prometheus-operator.dev/docs/api-reference/api/) and list it, with its type. The definitions proper are of 20,000 lines.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
# The operator's pattern of a duration, such as 15s or 1m30s.
DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}


def closed(required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def document(kind: str, spec: Schema) -> Schema:
    return closed(
        "apiVersion kind metadata spec",
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=closed("name", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS),
        spec=spec,
    )


RELABELLING = closed(
    "",
    sourceLabels=listed(TEXT),
    separator={"type": "string"},
    targetLabel=TEXT,
    regex={"type": "string"},
    replacement={"type": "string"},
    action={"enum": ["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep", "hashmod"]},
)
ENDPOINT = closed(
    "port path",
    port=TEXT,
    path=TEXT,
    scheme={"enum": ["http", "https"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    honorLabels={"type": "boolean"},
    relabelings=listed(RELABELLING),
    metricRelabelings=listed(RELABELLING),
)
SERVICE_MONITOR = closed(
    "selector endpoints",
    selector=closed("matchLabels", matchLabels=TEXTS),
    jobLabel=TEXT,
    endpoints=listed(ENDPOINT),
)
RECORDING = closed("record expr", record={"type": "string", "pattern": r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"}, expr=TEXT, labels=TEXTS)
ALERT = closed(
    "alert expr", alert=TEXT, expr=TEXT, **{"for": DURATION}, keep_firing_for=DURATION, labels=TEXTS, annotations=TEXTS
)
GROUP = closed("name rules", name=TEXT, interval=DURATION, rules=listed({"oneOf": [RECORDING, ALERT]}))

SCHEMAS = {
    "ServiceMonitor": document("ServiceMonitor", SERVICE_MONITOR),
    "PrometheusRule": document("PrometheusRule", closed("groups", groups=listed(GROUP))),
}
