from __future__ import annotations

import json
import types
import typing
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.errors import StoreError
from churn.segments.segments import SLICE
from churn.store.records import DecisionAction
from monitoring.run_result import Findings, RunResult
from tests.texts import CHARACTERS
from tests.unit.monitoring.results import make_drift, make_drift_result, make_result, make_slice, make_slices, make_stream

LEAVES = {
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(CHARACTERS, max_size=8),
    datetime: st.datetimes(timezones=st.just(UTC)),
    type(None): st.none(),
    DecisionAction: st.sampled_from(DecisionAction),
}


def anything(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Any value of an annotation, nested dataclasses included."""
    if kind in LEAVES:
        return LEAVES[kind]
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: anything(hints[field.name]) for field in fields(kind)})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(anything(one) for one in arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        return st.dictionaries(*(anything(one) for one in arguments), max_size=3)
    assert origin is tuple, f"no strategy for {kind}"
    many = arguments[-1] is Ellipsis
    return st.lists(anything(arguments[0]), max_size=3).map(tuple) if many else st.tuples(*map(anything, arguments))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(anything(RunResult))
def test_a_result_goes_through_json_and_nothing_is_lost(result):
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result
    record = result.to_record()
    assert RunResult.from_record(record) == result
    assert (record.rows, record.labelled_rows) == (result.window.rows, result.window.labelled_rows)
    assert (record.covariate_alarm, record.concept_alarm) == (result.covariate_alarm, result.concept_alarm)


@pytest.mark.parametrize("document", [{}, {"policy": None}, {"a": 1}])
def test_a_row_of_other_code_is_an_error_that_names_the_run_and_the_place(document):
    record = replace(make_result().to_record(), result=document)
    with pytest.raises(StoreError, match=r"monitoring run r1 cannot be read: \w+"):
        RunResult.from_record(record)


def test_drift_in_a_column_that_the_model_ignores_is_no_alarm():
    ignored, used = make_drift_result(note=True), make_drift_result("calls")
    answers = make_drift_result("churn_probability", aspect="prediction")
    assert not make_result(drift=make_drift(ignored)).covariate_alarm
    assert make_result(drift=make_drift(ignored, used)).covariate_alarm
    assert make_result(drift=make_drift(answers)).covariate_alarm


def test_an_alarm_of_the_stream_alone_is_an_alarm_on_the_concept():
    result = make_result(sequential=make_stream(alarm=True))
    assert result.concept_alarm
    assert result.violated == ("more leave than expected",)
    assert not make_result(sequential=make_stream()).concept_alarm


def test_the_decision_carries_the_numbers_that_it_rests_on():
    decision = make_result(covariate_alarm=True, concept_alarm=True, brier=0.2, action=DecisionAction.RETRAIN).to_decision()
    assert (decision.kind, decision.action, decision.actor, decision.model_version) == ("policy", "retrain", "monitor", "1")
    assert decision.evidence["drifted"] == ["minutes (values)"]
    assert decision.evidence["violated"] == ["calibration in the large"]
    assert (decision.evidence["brier"], decision.evidence["run_id"]) == (0.2, "r1")


def test_findings_become_a_result_with_everything_they_hold():
    result = make_result(covariate_alarm=True)
    findings = Findings(**{field.name: getattr(result, field.name) for field in fields(Findings)})
    assert findings.decided(result.policy) == result


def test_a_worse_slice_is_an_alarm_on_the_concept_and_named_in_words():
    calm = make_slice("area", "north", alarm=False)
    result = make_result(slices=make_slices(calm, make_slice(p_value=0.001), make_slice(SLICE, "few calls", p_value=1e-6)))
    assert result.concept_alarm
    assert result.worse_slices == (
        'customers of the segment "few calls": churned 31 % where 12 % was expected',
        "customers with plan Yes: churned 31 % where 12 % was expected",
    )
    assert not make_result(slices=make_slices(calm)).concept_alarm


def test_a_run_that_knew_no_slices_is_still_read():
    document = make_result().to_dict()
    del document["slices"]
    assert RunResult.from_dict(document) == make_result()
