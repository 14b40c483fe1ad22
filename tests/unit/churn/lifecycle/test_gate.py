from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from churn.clock import now
from churn.config.params import GateParams, Params
from churn.contract import Column, Contract
from churn.customers.frame import frame_digest
from churn.data.labelled import Labelled
from churn.evaluation.profit import break_even
from churn.evaluation.slices import Slice
from churn.evaluation.statistics import bootstrap_mean_interval, log_losses
from churn.lifecycle.gate import GateDecision, ServingCheck
from churn.lifecycle.gate import decide as gate
from churn.lifecycle.gate_checks import no_slice_falls
from churn.modeling.model import Model, ModelInfo

GATE = GateParams(resamples=200)
# For questions about the comparison alone: with few rows the calibration error is mostly chance.
COMPARISON = GateParams(resamples=200, max_calibration_error=1.0)
PLAN = Column(name="plan", source="Plan", kind="flag")
CONTRACT = Contract(name="m", digest="c0", columns=(Column(name="truth", source="Truth", kind="number"),))
WITH_PLAN = Contract(name="m", columns=(*CONTRACT.columns, PLAN))


def decide(
    challenger: Model,
    champion: Model | None,
    fresh: Labelled,
    params: GateParams,
    seed: int,
    contract: Contract = CONTRACT,
    serving: ServingCheck | None = None,
) -> GateDecision:
    return gate(challenger, champion, fresh, Params(seed=seed, gate=params), contract, serving=serving)


class Says:
    """Stands for a pipeline: what it says is written in a column."""

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        said = frame.iloc[:, 0].to_numpy()
        return np.column_stack([1 - said, said])


def model(column: str, version: str = "", threshold: float = break_even(Params().profit)) -> Model:
    info: dict[str, Any] = {"data_source": "", "rows": 0, "contract": "", "contract_digest": "", "reference_digest": "r" + column}
    known = ModelInfo(
        name="m", version=version, trained_at=now(), features=[column], threshold=threshold, data_digest="d" + column, **info
    )
    return Model(Says(), known)


def judged(rows: int, seed: int, **noise: float) -> Labelled:
    """Customers, and what models that see their true log-odds through noise say of them."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1.5, 1.2, rows)
    said = {name: expit(truth + rng.normal(0, sd, rows)) for name, sd in noise.items()}
    outcome = (rng.random(rows) < expit(truth)).astype(np.int64)
    return Labelled(pd.DataFrame({"truth": expit(truth), **said}), pd.Series(outcome))


CHALLENGER, CHAMPION = model("new"), model("old", version="3")


def test_the_question_is_one_sided() -> None:
    # With confidence 0.96 the lower end is the 4 % quantile, not the 2 % one.
    fresh = judged(300, 1, new=0.5, old=0.7)
    y = fresh.outcome.to_numpy()
    gain = log_losses(y, fresh.features["old"].to_numpy()) - log_losses(y, fresh.features["new"].to_numpy())
    interval = decide(CHALLENGER, CHAMPION, fresh, GATE, 1).evidence["interval"]
    assert interval == pytest.approx(bootstrap_mean_interval(gain, confidence=0.92, resamples=200, seed=1), rel=1e-9)


def test_a_better_challenger_passes_and_a_worse_one_does_not() -> None:
    fresh = judged(1500, 1, new=0.1, old=1.2)
    better = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    worse = decide(model("old"), model("new", version="4"), fresh, GATE, 1)
    assert better.promote
    assert better.evidence["interval"][0] > 0
    assert not worse.promote
    assert worse.evidence["log_loss_gain"] == pytest.approx(-better.evidence["log_loss_gain"])
    assert "not better beyond chance" in worse.reason
    assert "version 4" in worse.reason


def served_as(other: str, model: Model) -> Model:
    """The model, fitted anew on the reserved customers: served, it says what another column has."""
    info = model.info.model_copy(update={"refitted_on": 9, "features": [other]})
    return replace(model, pipeline=Says(), info=info, evaluated=Reads(model.info.features[0]))


class Reads:
    """Stands for a pipeline that reads one column by its name."""

    def __init__(self, column: str) -> None:
        self.column = column

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        said = frame[self.column].to_numpy()
        return np.column_stack([1 - said, said])


def test_models_are_judged_as_they_were_before_they_learned_from_those_who_judge() -> None:
    fresh = judged(1500, 1, new=0.1, old=1.2)
    fresh.features["cheat"] = np.where(fresh.outcome == 1, 0.99, 0.01)

    def known_before(name: str, column: str, **more: Any) -> Model:
        told = served_as(column, model(name, **more))
        return replace(told, info=told.info.model_copy(update={"features": [column, name]}))

    challenger, champion = known_before("new", "cheat"), known_before("old", "cheat", version="3")
    plain = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    for first, second in ((challenger, CHAMPION), (CHALLENGER, champion), (challenger, champion)):
        found = decide(first, second, fresh, GATE, 1)
        assert (found.promote, found.evidence["interval"]) == (plain.promote, plain.evidence["interval"])
    with pytest.raises(ValueError, match="version 3 learned from the reserved customers, and is here only as it is served"):
        decide(CHALLENGER, replace(champion, evaluated=None), fresh, GATE, 1)


def test_the_same_model_again_does_not_pass() -> None:
    assert not decide(model("new"), model("new", version="1"), judged(500, 1, new=0.3), GATE, 1).promote


def test_a_challenger_whose_probabilities_are_wrong_does_not_pass_however_much_better_it_ranks() -> None:
    fresh = judged(1500, 1, old=3.0)
    # It ranks as the truth does, but says too much; still better by log loss than the champion's noise.
    fresh.features["new"] = expit(logit(fresh.features["truth"]) + 1.2)
    decision = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    checks = decision.evidence["checks"]
    assert checks["better_log_loss"]["passed"]
    assert not checks["calibrated"]["passed"]
    assert checks["calibrated"]["value"] == decision.evidence["challenger"]["ece"] > checks["calibrated"]["limit"] == 0.1
    assert not decision.promote
    assert "calibration error" in decision.reason


def test_the_first_model_must_beat_the_churn_rate() -> None:
    fresh = judged(1500, 1, new=0.1)
    fresh.features["rate"] = fresh.outcome.mean()
    fresh.features["noise"] = np.random.default_rng(1).beta(2, 8, len(fresh))
    passed = decide(CHALLENGER, None, fresh, GATE, 1)
    assert passed.promote
    assert passed.evidence["champion"] is None
    assert "no model at all" in passed.reason
    assert not decide(model("rate"), None, fresh, GATE, 1).promote
    assert not decide(model("noise"), None, fresh, COMPARISON, 1).promote


def test_the_evidence_is_written_as_json_and_is_the_same_every_time() -> None:
    fresh = judged(300, 1, new=0.1, old=1.0)
    first, again = (decide(CHALLENGER, CHAMPION, fresh, GATE, 5) for _ in range(2))
    assert first == again
    document = json.loads(json.dumps(first.evidence))
    assert document["rows"] == 300
    assert document["baseline"] == "version 3"
    assert document["challenger"]["log_loss"] < document["champion"]["log_loss"]
    assert document["champion"]["log_loss"] - document["challenger"]["log_loss"] == pytest.approx(document["log_loss_gain"])


def failed(decision: GateDecision) -> list[str]:
    return [name for name, check in decision.evidence["checks"].items() if not check["passed"]]


def test_every_check_says_what_was_measured_and_against_what() -> None:
    served = ServingCheck(100, 0.0, 3.0)
    checks = decide(CHALLENGER, CHAMPION, judged(300, 1, new=0.1, old=1.0), GATE, 5, serving=served).evidence["checks"]
    assert list(checks) == [
        "enough_evidence",
        "never_trained_on",
        "better_log_loss",
        "profit_not_worse",
        "no_slice_falls",
        "calibrated",
        "unbiased",
        "served_alike",
        "fast_enough",
    ]
    for check in checks.values():
        assert set(check) == {"passed", "value", "limit", "sentence", "detail"}
        assert check["sentence"]


@pytest.mark.parametrize(
    ("then", "today", "passed"),
    [
        (("a", 0.25), ("a", 0.25), True),
        (("a", 0.5), ("a", 0.25), True),
        (("a", 0.25), ("a", 0.5), False),
        (("b", 0.25), ("a", 0.25), False),
        (("", 0.0), ("a", 0.25), False),
    ],
)
def test_a_champion_for_whom_others_were_reserved_is_not_compared(
    then: tuple[str, float], today: tuple[str, float], passed: bool
) -> None:
    new, old = (
        Model(one.pipeline, one.info.model_copy(update=dict(zip(("split_rule", "reserved"), rule, strict=True))))
        for one, rule in ((CHALLENGER, today), (CHAMPION, then))
    )
    fresh = judged(1500, 1, new=0.1, old=1.2)
    decision = decide(new, old, fresh, GATE, 1)
    assert decision.promote is passed
    if not passed:
        assert failed(decision) == ["never_trained_on"]
        assert decision.reason.startswith("version 3 may have been trained on these customers: others were reserved then")
        assert "churn model promote" in decision.reason
    assert decide(new, None, fresh, GATE, 1).promote


def test_the_evidence_tells_an_auditor_which_models_met_on_which_customers_by_which_rules() -> None:
    fresh = judged(300, 1, new=0.1, old=1.0)
    evidence = decide(model("new", threshold=0.3), CHAMPION, fresh, GATE, 5, serving=ServingCheck(9, 0.0, 3.0)).evidence
    challenger, champion = evidence["models"]["challenger"], evidence["models"]["champion"]
    assert (challenger["threshold"], challenger["data_digest"], challenger["reference_digest"]) == (0.3, "dnew", "rnew")
    assert (champion["version"], champion["data_digest"]) == ("3", "dold")
    assert evidence["fresh_digest"] == frame_digest(fresh.features.assign(**{"<outcome>": fresh.outcome}))
    assert evidence["params"]["seed"] == 5
    assert evidence["params"]["gate"] == GATE.model_dump()
    assert evidence["params"]["profit"] == Params().profit.model_dump()
    assert evidence["contract"] == {"name": "m", "digest": "c0"}
    assert evidence["serving"] == {"rows": 9, "max_difference": 0.0, "latency_ms": 3.0, "refused": ""}


@pytest.mark.parametrize("churned", [0, 9, 291, 300])
def test_too_few_of_a_class_is_not_enough_evidence(churned: int) -> None:
    fresh = Labelled(judged(300, 1, new=0.1, old=1.0).features, pd.Series([1] * churned + [0] * (300 - churned)))
    decision = decide(CHALLENGER, CHAMPION, fresh, GATE, 1)
    assert not decision.promote
    assert decision.reason.startswith(f"not enough evidence: {churned} of 300 fresh customers churned")
    assert failed(decision) == list(decision.evidence["checks"]) == ["enough_evidence"]
    json.dumps(decision.evidence, allow_nan=False)


def test_a_challenger_that_loses_money_does_not_pass_however_much_better_its_probabilities_are() -> None:
    fresh = judged(1500, 1, new=0.1, old=1.2)
    decision = decide(model("new", threshold=0.99), CHAMPION, fresh, GATE, 1)
    assert failed(decision) == ["profit_not_worse"]
    check = decision.evidence["checks"]["profit_not_worse"]
    assert check["value"] == pytest.approx(decision.evidence["challenger"]["profit"] - decision.evidence["champion"]["profit"])
    assert check["detail"]["interval"][1] < check["limit"] == -0.1
    assert "USD a customer: credibly more than 0.1 lost" in decision.reason


def test_a_loss_within_the_margin_is_let_pass() -> None:
    fresh = judged(1500, 1, new=0.1, old=1.2)
    tolerant = GATE.model_copy(update={"max_profit_loss": 100.0})
    assert decide(model("new", threshold=0.99), CHAMPION, fresh, tolerant, 1).promote


def test_the_first_model_must_not_earn_less_than_contacting_everybody() -> None:
    fresh = judged(1500, 1, new=0.1)
    assert fresh.outcome.mean() > break_even(Params().profit), "contacting everybody pays"
    assert failed(decide(model("new", threshold=1.0), None, fresh, GATE, 1)) == ["profit_not_worse"]


def test_the_first_model_is_not_held_against_a_campaign_that_only_costs() -> None:
    fresh = judged(1500, 1, new=0.1)
    poor = Params(seed=1, gate=GATE).model_copy(update={"profit": Params().profit.model_copy(update={"acceptance": 0.01})})
    nobody = gate(model("new", threshold=1.0), None, fresh, poor, CONTRACT, serving=None)
    assert nobody.evidence["checks"]["profit_not_worse"]["value"] == 0.0
    assert failed(gate(model("new", threshold=0.0), None, fresh, poor, CONTRACT, serving=None)) == ["profit_not_worse"]


def worse_with_plan(noise: float) -> Labelled:
    fresh = judged(3000, 1, new=0.05, old=1.2)
    plan = np.arange(3000) % 5 == 0
    spoilt = fresh.features["truth"].where(~plan, expit(logit(fresh.features["truth"]) + noise))
    return Labelled(fresh.features.assign(plan=plan.astype(float), new=spoilt), fresh.outcome)


def test_a_slice_that_falls_far_rejects_what_is_better_in_the_mean() -> None:
    lenient = GATE.model_copy(update={"max_calibration_error": 1.0, "max_calibration_bias": 1.0})
    fresh = worse_with_plan(1.5)
    decision = decide(CHALLENGER, CHAMPION, fresh, lenient, 1, WITH_PLAN)
    assert failed(decision) == ["no_slice_falls"]
    assert "plan=Yes" in decision.reason
    assert "plan=No" not in decision.reason
    check = decision.evidence["checks"]["no_slice_falls"]
    known = {part["level"]: part for part in check["detail"]["slices"]}
    assert set(known) == {"No", "Yes"}
    assert known["Yes"]["rows"] == 600
    assert check["value"] == known["Yes"]["at_least"] > check["limit"]
    assert known["No"]["mean"] < 0
    assert decide(CHALLENGER, CHAMPION, fresh, lenient.model_copy(update={"max_slice_loss": 1.0}), 1, WITH_PLAN).promote


def test_where_few_stand_for_many_the_effective_sample_size_is_said_of_all_and_of_slices() -> None:
    fresh = judged(3000, 1, new=0.05, old=1.2)
    plan = np.arange(3000) % 5 == 0
    plain = Labelled(fresh.features.assign(plan=plan.astype(float)), fresh.outcome)
    # Those with a plan stand for ten each, so there are 60 of them.
    original = np.where(plan, np.arange(3000) // 50 * 50, np.arange(3000))
    standing = replace(plain, customer=original, original=original)
    lenient = GATE.model_copy(update={"max_calibration_error": 1.0, "max_calibration_bias": 1.0})
    evidence = decide(CHALLENGER, CHAMPION, standing, lenient, 1, WITH_PLAN).evidence
    expected = 3000**2 / (2400 * 1 + 60 * 10**2)
    assert evidence["challenger"]["effective_rows"] == evidence["champion"]["effective_rows"] == round(expected, 1)
    check = evidence["checks"]["no_slice_falls"]
    assert {part["level"]: part["effective_rows"] for part in check["detail"]["slices"]} == {"Yes": 60.0, "No": 2400.0}
    told = no_slice_falls(np.zeros(3000), [Slice("plan", "Yes", plan)], GATE, original, original, enough=61)
    assert told.sentence.endswith("stand for many, of plan=Yes (60 of 600 rows)")
    assert "little is known" not in no_slice_falls(np.zeros(3000), [Slice("p", "Y", plan)], GATE, original, original, 60).sentence
    without = decide(CHALLENGER, CHAMPION, plain, lenient, 1, WITH_PLAN).evidence
    assert "effective_rows" not in without["challenger"]
    assert all("effective_rows" not in part for part in without["checks"]["no_slice_falls"]["detail"]["slices"])


def test_probabilities_that_are_too_high_in_the_mean_do_not_pass() -> None:
    fresh = judged(3000, 1, old=3.0)
    fresh.features["new"] = expit(logit(fresh.features["truth"]) + 0.6)
    decision = decide(CHALLENGER, CHAMPION, fresh, COMPARISON, 1)
    assert failed(decision) == ["unbiased"]
    check = decision.evidence["checks"]["unbiased"]
    assert check["value"] == pytest.approx(-decision.evidence["challenger"]["calibration_gap"])
    assert check["detail"]["interval"][0] > check["limit"] == 0.05
    fresh.features["new"] = expit(logit(fresh.features["truth"]) - 0.9)
    assert "unbiased" in failed(decide(CHALLENGER, CHAMPION, fresh, COMPARISON, 1))


def test_a_bias_that_may_be_chance_is_let_pass() -> None:
    fresh = judged(60, 1, new=0.1)
    fresh.features["new"] = expit(logit(fresh.features["truth"]) + 0.4)
    evidence = decide(CHALLENGER, None, fresh, COMPARISON, 1).evidence
    assert evidence["checks"]["unbiased"]["value"] > 0.05
    assert evidence["checks"]["unbiased"]["passed"]


@pytest.mark.parametrize(
    ("serving", "fails"),
    [
        (ServingCheck(100, 1e-10, 3.0), []),
        (ServingCheck(100, 1e-8, 3.0), ["served_alike"]),
        (ServingCheck(100, float("nan"), 3.0), ["served_alike"]),
        (ServingCheck(100, 0.0, 50.1), ["fast_enough"]),
        (ServingCheck(0, None, None, "it holds types that are not trusted"), ["served_alike", "fast_enough"]),
    ],
)
def test_a_model_that_cannot_be_served_as_it_is_does_not_pass(serving: ServingCheck, fails: list[str]) -> None:
    decision = decide(CHALLENGER, CHAMPION, judged(1500, 1, new=0.1, old=1.2), GATE, 1, serving=serving)
    assert failed(decision) == fails
    assert decision.promote == (not fails)
    assert serving.refused in decision.reason


def test_a_champion_that_reads_columns_of_another_contract_is_no_baseline() -> None:
    fresh = judged(1500, 1, new=0.1)
    decision = decide(CHALLENGER, model("gone", version="3"), fresh, GATE, 1)
    assert decision.promote
    assert decision.evidence["baseline"] == "no model at all"
    assert decision.evidence["models"]["champion"]["version"] == "3"
