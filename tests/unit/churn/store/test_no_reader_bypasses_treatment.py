"""Whoever reads outcomes goes through `churn.store.treatment`, or is named here with a reason."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[4]
PACKAGES = ("churn", "service", "monitoring", "pipelines")
# Modules that read the table of outcomes and give nobody anything to learn from.
OTHERS = {
    "churn/store/contacts/campaign_counter.py": "what a campaign brought: both sides",
    "churn/store/treatment/marks.py": "marks them",
    "churn/store/outcomes/corrections.py": "stores what is said later",
    "churn/store/outcomes/count.py": "counts them",
    "churn/store/outcomes/delays.py": "how long they took, whoever was acted on",
    "churn/store/outcomes/outcomes.py": "stores them",
    "churn/store/outcomes/rows.py": "stores them",
    "churn/store/predictions/cohort.py": "counts them",
    "churn/store/erasure.py": "removes them",
    "churn/store/export.py": "tells a customer what is known",
    "churn/store/retention.py": "removes them",
}
READ = ("read_outcomes", "read_predictions", "compare_shadow")
WAIT = (*READ, "realized", "count_campaign", "count_campaign_parts")
GOES_THROUGH = {"learnable", "mark_columns"}


def imported(text: str) -> dict[str, str]:
    """Return the names that a module imports, by where from."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.name: node.module for alias in node.names}
    return found


def test_every_module_that_reads_outcomes_is_known() -> None:
    readers = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            # Without that word there is nothing to parse it for.
            names = imported(text) if "churn.store.tables" in text or "FROM outcomes" in text else {}
            if names.get("outcomes") == "churn.store.tables" or "FROM outcomes" in text:
                readers[str(path.relative_to(ROOT))] = bool(GOES_THROUGH & names.keys())
    bypassing = {name for name, through in readers.items() if not through} - OTHERS.keys()
    assert not bypassing, f"{bypassing}: go through churn.store.treatment, or say here why not"
    assert not OTHERS.keys() - readers.keys(), "these read no outcomes any more"
    assert {name for name, through in readers.items() if through} >= {
        "churn/store/predictions/log_reader.py",
        "churn/store/predictions/window_reader.py",
        "churn/store/shadow.py",
    }


def test_every_reader_is_told_from_which_age_on_outcomes_count() -> None:
    forgotten, found = [], set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)) if any(f".{name}(" in text for name in WAIT) else ():
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAIT):
                    continue
                found.add(node.func.attr)
                if not {"mature", "mature_until"} & {keyword.arg for keyword in node.keywords}:
                    forgotten.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not forgotten
    assert found == set(WAIT)


def test_every_reader_is_told_how_long_a_contact_is_in_effect() -> None:
    forgotten, calls = [], 0
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)) if any(name in text for name in READ) else ():
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                given = {keyword.arg for keyword in node.keywords}
                reads = node.func.attr in READ
                calls += reads
                if reads and "contact_effect" not in given:
                    forgotten.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not forgotten
    assert calls >= 4
