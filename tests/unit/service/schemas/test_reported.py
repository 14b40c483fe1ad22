"""What may be reported about a prediction or a customer: names one, at a possible time, in no field that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from churn.clock import CLOCK_SKEW, now
from service.schemas.reported import EARLIEST, PastTime, Reference, Reported

TIME: TypeAdapter[datetime] = TypeAdapter(PastTime)


@pytest.mark.parametrize("given", [{"prediction_id": "p-1"}, {"customer_id": "c-1"}, {"customer_id": 17}])
def test_one_of_the_two_names_it(given: dict[str, Any]) -> None:
    assert Reported.model_validate(given)


@pytest.mark.parametrize("nobody", [None, "", "  "])
def test_a_blank_customer_id_names_nobody(nobody: str | None) -> None:
    assert Reported.model_validate({"prediction_id": "p-1", "customer_id": nobody}).customer_id is None
    with pytest.raises(ValidationError, match="needs either prediction_id or customer_id"):
        Reported.model_validate({"customer_id": nobody})


def test_a_prediction_s_uuid_means_the_same_in_upper_case() -> None:
    given = "01a22931-bea0-702a-8994-80b69b65c931"
    assert Reported.model_validate({"prediction_id": given.upper()}).prediction_id == given
    assert Reported.model_validate({"prediction_id": "P-1"}).prediction_id == "P-1"


def test_a_report_by_both_ids_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs either prediction_id or customer_id"):
        Reported.model_validate({"prediction_id": "p-1", "customer_id": "c-1"})


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("", "at least 1"),
        ("x" * 37, "at most 36"),
        ("a\x00b", "must not contain NUL characters"),
        (7, "valid string"),
    ],
)
def test_a_prediction_is_named_as_it_was_answered(given: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Reported.model_validate({"prediction_id": given})
    assert Reported.model_validate({"prediction_id": "x" * 36})


def test_a_field_that_nobody_knows_is_refused_and_nothing_changes_later() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Reported.model_validate({"prediction_id": "p", "churn": True})
    with pytest.raises(ValidationError, match="frozen"):
        Reported.model_validate({"prediction_id": "p"}).prediction_id = "q"


@pytest.mark.parametrize("given", [20261129, 1.7e9, "20261129", "2026-11-29", "1770000000", "", None, True, "today 10:00"])
def test_only_a_date_and_time_is_a_moment(given: object) -> None:
    """A text of digits would be seconds since 1970 to pydantic, and a date alone midnight."""
    with pytest.raises(ValidationError, match="must be a date and time with a time zone"):
        TIME.validate_python(given)


@pytest.mark.parametrize("given", ["2026-03-31T22:00:00", datetime(2026, 3, 31)])
def test_a_moment_has_a_time_zone(given: object) -> None:
    with pytest.raises(ValidationError, match="must be a date and time with a time zone"):
        TIME.validate_python(given)


@pytest.mark.parametrize("separator", ["T", "t", " ", "_"])
def test_a_moment_is_written_as_rfc_3339_allows(separator: str) -> None:
    assert TIME.validate_python(f"2026-03-31{separator}22:00:00+02:00") == datetime(2026, 3, 31, 20, tzinfo=UTC)


def test_a_moment_is_neither_in_the_future_nor_before_1970() -> None:
    """Minutes away from the edge that the clock moves, so that no pause of the test decides."""
    assert TIME.validate_python(now() + CLOCK_SKEW - timedelta(minutes=2))
    with pytest.raises(ValidationError, match="must not be in the future"):
        TIME.validate_python(now() + CLOCK_SKEW + timedelta(days=1))
    assert TIME.validate_python(EARLIEST) == EARLIEST
    with pytest.raises(ValidationError, match="must not be before 1970"):
        TIME.validate_python(EARLIEST - timedelta(microseconds=1))


def test_a_reference_counts_from_0() -> None:
    assert Reference(index=0).index == 0
    with pytest.raises(ValidationError):
        Reference(index=-1)
