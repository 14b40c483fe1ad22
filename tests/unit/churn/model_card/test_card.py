from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.config.params import Params, ProfitParams, ThresholdParams
from churn.contract import Column, Contract
from churn.model_card.card import number_card, render_card, summary
from churn.modeling.model import ModelInfo
from churn.segments.segments import SLICE, Segments

CONTRACT = Contract(
    name="small",
    digest="contract-digest",
    columns=(
        Column(name="customer", source="Customer", kind="category", role="id"),
        Column(name="tenure", source="Tenure", kind="integer", unit="months", minimum=0, maximum=600, description="How long."),
        Column(name="plan", source="Plan", kind="flag", true_level="On", false_level="Off"),
        Column(name="region", source="Region", kind="category", levels=tuple("ABCDEFG")),
        Column(name="note", source="Note", kind="category", role="ignored"),
        Column(name="gender", source="Gender", kind="category", role="sensitive"),
    ),
)
PARAMS = Params()
SEGMENTS = Segments(
    columns=["tenure", "plan"],
    names=["low tenure", "typical"],
    centres=[[2.5, 0.05], [0.0, 0.0]],
    shares=[0.1, 0.9],
    stability=0.97,
)
REPORT: dict[str, Any] = {
    "confidence": 0.95,
    "currency": "EUR",
    "metrics": {
        "rows": {"value": 833},
        "churn_rate": {"value": 0.145},
        "roc_auc": {"value": 0.9314, "low": 0.9021, "high": 0.9555},
        "ece": {"value": 0.0123, "low": 0.008, "high": 0.02},
        "profit": {"value": 3.21, "low": 2.5, "high": 4.0},
        "true_positives": {"value": 1099},
        "empc": {"value": None},
    },
    "slices": [
        {"column": "gender", "level": "F|x", "rows": 400, "churned": 58, "churn_rate": 0.145, "recall": 0.81}
        | {"roc_auc": 0.92, "roc_auc_low": 0.88, "roc_auc_high": 0.96, "log_loss": 0.2, "calibration_gap": None},
    ],
    "gaps": [{"column": "gender", "levels": 2, "churn_rate": 0.01, "selection_rate": 0.02, "recall": 0.0633}],
    "notes": ["region: 12 of 833 customers are in no slice"],
}
GATE = {
    "promote": False,
    "reason": "not better beyond chance",
    "checks": {
        "better_log_loss": {"passed": False, "sentence": "log loss lower by 0.001 [-0.002, 0.004]"},
        "calibrated": {"passed": True, "sentence": "calibration error 0.012"},
    },
}


CURVES = {"more_customers": "More customers would help: a\nlot.", "too_simple": ["Neither by a.", "Too simple by b."]}


def known(**changes: Any) -> ModelInfo:
    facts: dict[str, Any] = {
        "name": "churn",
        "trained_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "trigger": "drift",
        "data_digest": "data-digest",
        "data_source": "customers.csv + 40 labelled predictions",
        "rows": 2500,
        "contract": "small",
        "contract_digest": "contract-digest",
        "reference_digest": "reference-digest",
        "features": ["tenure", "plan"],
        "threshold": 0.1642,
        "metrics": {"roc_auc": 0.9314, "roc_auc_low": 0.9021, "roc_auc_high": 0.9555, "ece": 0.0123},
        "params": {"logreg__C": 0.5, "logreg__solver": "lbfgs"},
        "git_commit": "abc123",
    }
    return ModelInfo(**{**facts, **changes})


def whole(info: ModelInfo | None = None, **changes: Any) -> str:
    parts: dict[str, Any] = {"contract": CONTRACT, "params": PARAMS, "evaluation": REPORT, "gate": GATE, "churn_rate": 0.1449}
    parts["curves"] = CURVES
    return render_card(info or known(segments=SEGMENTS), **{**parts, **changes})


def section(card: str, title: str) -> str:
    return card.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_section_is_there_and_filled() -> None:
    card = whole()
    titles = re.findall(r"^## (.*)$", card, re.MULTILINE)
    assert titles == [
        *("Model", "Intended use", "Data", "Features", "Metrics", "Slices", "Segments", "Threshold", "Calibration", "Training"),
        *("More customers, another model", "The gate", "Limits", "How to reproduce"),
    ]
    for title in titles:
        assert section(card, title).strip()
    assert "$" not in card
    assert "Not recorded" not in card
    assert "Out of scope" in section(card, "Intended use")


def test_every_row_of_a_table_has_as_many_cells() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", whole() + "\n", re.MULTILINE):
        assert len({len(row) for row in rows(block)}) == 1, block


def test_the_data_is_named_by_source_digest_rows_and_rate() -> None:
    told = section(whole(), "Data")
    for word in (
        "customers.csv + 40 labelled predictions",
        "`data-digest`",
        "2,500, of whom 14.5% left",
        "833, of whom 14.5% left",
    ):
        assert word in told
    for word in ("`reference-digest`", "`small`", "contract-digest", "not simulated"):
        assert word in told


def test_a_network_is_said_to_be_one_with_approximate_reasons_and_what_it_started_from() -> None:
    deep = whole(known(form="deep", pretrained_on=20_000))
    assert "by a small neural network on 2 columns" in summary(known(form="deep"))
    assert "scaler → neural network" in section(deep, "Model")
    assert "approximate" in section(deep, "Model")
    assert "20,000 simulated customers" in section(deep, "Model")
    assert "its scores are too good" in section(deep, "Limits")
    scratch = whole(known(form="deep"))
    assert "its scores are too good" not in section(scratch, "Limits")
    assert "simulated" not in section(scratch, "Model")
    linear = whole(known(form="terms"))
    assert "logistic regression" in section(linear, "Model")
    assert "approximate" not in linear


def test_simulated_data_is_said_loudly_and_first() -> None:
    loud = whole(known(simulated=True))
    assert "TRAINED ON SIMULATED CUSTOMERS" in loud.split("\n## ", 1)[0]
    assert "SIMULATED" in section(loud, "Data")
    assert "Simulated data" in section(loud, "Limits")
    assert "**simulated**" in summary(known(simulated=True))
    assert "SIMULATED" not in whole()


def test_a_column_that_tells_the_outcome_is_said_loudly_and_first() -> None:
    telling = {"reason|x": "tells the outcome in all but 4 of 900 rows\nand so on"}
    first = whole(telling=telling).split("\n## ", 1)[0]
    assert "KNOWN ONLY AFTER A CUSTOMER HAS LEFT" in first
    assert "\n> - `reason" in first
    assert "tells the outcome in all but 4 of 900 rows and so on\n\nProbability that" in first
    assert "WARNING" not in whole(telling={})


def test_features_have_kinds_units_and_ranges() -> None:
    told = rows(section(whole(known(features=["tenure", "plan", "region"])), "Features").split("Kept out")[0])
    assert told[2:] == [
        ["`tenure`", "integer", "months", "0 to 600", "How long."],
        ["`plan`", "flag", "", "On, Off", ""],
        ["`region`", "category", "", "A, B, C, D, E and 2 more", ""],
    ]


def test_what_is_kept_out_is_named_with_the_reason() -> None:
    told = {row[0]: row[1:] for row in rows(section(whole(), "Features").split("Kept out")[1])[2:]}
    assert {name: role for name, (role, _) in told.items()} == {
        "`customer`": "id",
        "`region`": "feature",
        "`note`": "ignored",
        "`gender`": "sensitive",
    }
    assert "never given to a model" in told["`gender`"][1]


def test_metrics_have_their_intervals_and_units() -> None:
    told = {row[0]: row[1:] for row in rows(section(whole(), "Metrics"))}
    assert told["roc_auc"] == ["0.9314", "[0.9021, 0.9555]"]
    assert told["profit (EUR per customer)"] == ["3.21", "[2.5, 4]"]
    assert told["true_positives"] == ["1,099", ""]
    assert told["empc (EUR per customer)"] == ["n/a", ""]
    assert "95% interval" in section(whole(), "Metrics")
    assert "threshold" not in told


def test_slices_gaps_and_who_is_in_none_are_told() -> None:
    told = section(whole(), "Slices")
    assert ["gender", "F\\|x", "400", "58", "0.1450", "0.9200 [0.8800, 0.9600]", "0.2000", "0.8100", "n/a"] in rows(told)
    assert ["gender", "2", "0.0100", "0.0200", "0.0633"] in rows(told)
    assert "12 of 833" in told


def test_segments_are_told_with_their_shares_and_reasons_and_who_left() -> None:
    measured = {**REPORT, "slices": [{**REPORT["slices"][0], "column": SLICE, "level": "low tenure", "churn_rate": 0.5}]}
    told = section(whole(evaluation=measured), "Segments")
    assert ["low tenure", "10.0%", "0.5000", "`tenure` +2.50"] in rows(told)
    assert ["typical", "90.0%", "n/a", "none"] in rows(told)
    assert "0.97" in told
    alone = Segments(columns=["tenure"], names=["everybody"], centres=[[0.0]], shares=[1.0])
    assert "one segment, everybody" in section(whole(known(segments=alone)), "Segments")


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (ThresholdParams(method="profit"), ["highest expected profit", "200 EUR", "30%"]),
        (ThresholdParams(method="top_k", budget=0.1), ["10% of the customers", "budget"]),
        (ThresholdParams(method="top_k", budget=2000), ["2,000 customers"]),
        (ThresholdParams(method="f1"), ["highest F1"]),
        (ThresholdParams(method="fixed"), ["fixed"]),
    ],
)
def test_how_the_threshold_was_chosen_is_told(threshold: ThresholdParams, words: list[str]) -> None:
    params = Params(threshold=threshold, profit=ProfitParams(currency="EUR"))
    told = section(whole(params=params), "Threshold")
    assert "**0.1642**" in told
    for word in words:
        assert word in told


def test_the_gate_is_told_with_each_check() -> None:
    told = section(whole(), "The gate")
    assert "**Did not pass**: not better beyond chance" in told
    assert ["better_log_loss", "**no**", "log loss lower by 0.001 [-0.002, 0.004]"] in rows(told)
    assert ["calibrated", "yes", "calibration error 0.012"] in rows(told)
    plain = section(whole(gate={"promote": True, "reason": "better", "checks": {"calibrated": True}}), "The gate")
    assert "**Passed**: better" in plain
    assert ["calibrated", "yes", ""] in rows(plain)


def test_it_can_be_reproduced_from_commit_data_and_params() -> None:
    told = section(whole(), "How to reproduce")
    assert "`abc123`" in told
    assert "`data-digest`" in told
    import yaml

    spelled = told.split("```yaml\n")[1].split("```")[0]
    assert Params.model_validate(yaml.safe_load(spelled)) == PARAMS
    training = dict(rows(section(whole(), "Training")))
    assert (training["logreg__C"], training["logreg__solver"]) == ("0.5000", "lbfgs")


def test_of_a_mean_its_members_are_told() -> None:
    members = {"member_1": "0.75 of logreg__C=0.1", "member_2": "0.25 of logreg__C=1.0"}
    told = section(whole(known(params=members)), "Training")
    assert "Chosen: the mean of the log-odds of:" in told
    assert {name: dict(rows(told))[name] for name in members} == members
    assert "the mean of" not in section(whole(), "Training")


def test_what_the_search_left_out_is_told() -> None:
    told = section(whole(reduced=("scored on 20 of 75", "trees read\n64 of 440")), "Training")
    assert told.endswith("To train within minutes:\n\n- scored on 20 of 75\n- trees read 64 of 440\n")
    assert "within minutes" not in section(whole(), "Training")


def test_of_an_old_version_what_is_known_is_told_and_the_rest_is_not_recorded() -> None:
    card = render_card(known(version="3"))
    assert card.startswith("# Model card: churn, version 3\n")
    assert ["roc_auc", "0.9314", "[0.9021, 0.9555]"] in rows(section(card, "Metrics"))
    assert [row[0] for row in rows(section(card, "Metrics"))[2:]] == ["roc_auc", "ece"]
    for title in ("Slices", "Segments", "The gate"):
        assert section(card, title).strip() == "Not recorded."
    assert "`tenure`, `plan`" in section(card, "Features")
    assert "not recorded" in section(card, "Threshold")
    assert section(render_card(known(metrics={})), "Metrics").strip() == "Not recorded."


def test_a_contract_of_another_digest_is_left_aside() -> None:
    other = CONTRACT.model_copy(update={"digest": "another"})
    assert "months" not in section(whole(contract=other), "Features")
    assert "gender" not in section(whole(contract=other), "Features")


def test_what_people_typed_cannot_break_the_card() -> None:
    card = whole(known(trigger="a | b\n\n## Metrics\n| x |", data_source="we\nare | here"))
    assert card.count("\n## Metrics\n") == 1
    facts = dict(rows(section(card, "Model")))
    assert facts["trigger"] == r"a \| b ## Metrics \| x \|"


def test_the_version_is_put_into_the_heading_once() -> None:
    card, numbered = whole(), known(version="12")
    assert card.startswith("# Model card: churn\n")
    assert number_card(card, numbered).splitlines()[0] == "# Model card: churn, version 12"
    assert number_card(card, numbered).splitlines()[1:] == card.splitlines()[1:]
    assert number_card(number_card(card, numbered), numbered) == number_card(card, numbered)
    assert number_card(card, known()) == card
    assert number_card("", numbered) == ""


def test_the_summary_is_one_paragraph() -> None:
    said = summary(known(trigger="new\n\nprices"))
    assert "\n" not in said
    for word in ("2026-01-02", "new prices", "2,500 customers", "ROC AUC 0.931"):
        assert word in said
    assert said in whole(known(trigger="new\n\nprices"))
    assert "No scores" in summary(known(metrics={}))


def test_each_curve_is_one_sentence() -> None:
    said = section(whole(), "More customers, another model")
    assert "Would more customers help? More customers would help: a lot.\n" in said
    assert "- Neither by a.\n- Too simple by b.\n" in said
    assert section(whole(curves=None), "More customers, another model").strip() == "Not recorded."
    none = section(whole(curves={"more_customers": "x", "too_simple": []}), "More customers, another model")
    assert "the search tried one value of each number" in none
