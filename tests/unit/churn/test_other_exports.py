"""Files of other companies: numbers as text, several words for yes, sensitive columns, customers who are there twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn.config.params import Form, Params, SplitParams, TuningParams
from churn.contract import Column, Contract, Target
from churn.data.dataset import Dataset, read_dataset
from churn.errors import ContractError, InputError
from churn.modeling.assignment import Source, assign
from churn.modeling.model import build_pipeline
from churn.modeling.split import split
from churn.modeling.training_set import assemble

ADSL = Contract(
    name="adsl",
    target=Target(column="left", source="Left", true_level="Yes", false_level="No"),
    columns=(
        Column(name="customer", source="customerID", kind="category", role="id"),
        Column(name="gender", source="gender", kind="category", role="sensitive"),
        Column(name="age", source="Age", kind="integer", minimum=0, role="sensitive"),
        Column(name="note", source="Note", kind="category", role="ignored"),
        Column(name="charged", source="TotalCharges", kind="number", minimum=0, nullable=True),
        Column(name="line", source="Line", kind="category", levels=("DSL", "No", "No internet service"), nullable=True),
        Column(name="paperless", source="Paperless", kind="flag", nullable=True),
    ),
)
HEADER = "customerID,gender,Age,Note,TotalCharges,Line,Paperless,Left\n"
FILE = HEADER + '1,Male,40,a,"12.5",DSL,Yes,No\n2,Female, ,b, ,No internet service,0,Yes\n3,,35,,7,No,1,no\n'
Reader = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def reader(content: str, **options: bool) -> Dataset:
        path = tmp_path / "adsl.csv"
        path.write_text(content)
        return read_dataset(path, ADSL, **options)

    return reader


def refused(read: Reader, content: str, **options: bool) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(ContractError) as error:
        read(content, **options)
    return [(problem.row, problem.column, problem.rule) for problem in error.value.problems]


def test_numbers_in_quotes_with_blanks_are_numbers_and_missing_values(read: Reader) -> None:
    np.testing.assert_array_equal(read(FILE).features["charged"], [12.5, np.nan, 7])


def test_several_words_for_yes_and_no_in_one_column(read: Reader) -> None:
    data = read(FILE)
    assert data.features["paperless"].tolist() == [1, 0, 1]
    assert data.labelled.tolist() == [0, 1, 0]


def test_no_is_a_level_like_any_other(read: Reader) -> None:
    assert read(FILE).features["line"].tolist() == ["DSL", "No internet service", "No"]


def test_a_level_that_was_never_seen_is_refused(read: Reader) -> None:
    assert refused(read, FILE.replace("DSL", "Satellite")) == [(2, "line", "unknown level (known: DSL, No, No internet service)")]


# The outcome


def test_an_outcome_in_other_words_is_refused_and_both_words_named(read: Reader) -> None:
    assert refused(read, FILE.replace("Yes\n", "gone\n")) == [(3, "left", "must be Yes or No")]


def test_every_blank_outcome_is_named(read: Reader) -> None:
    rule = "must be Yes or No, not blank; leave out rows whose outcome is not known yet"
    assert refused(read, FILE.replace("Yes\n", "\n").replace("no\n", " \n")) == [(3, "left", rule), (4, "left", rule)]


# Customers


def test_a_customer_who_is_there_twice_is_refused_where_it_would_leak(read: Reader) -> None:
    twice = FILE + "1,Male,41,,20,DSL,No,Yes\n2,,,,20,,,No\n"
    rule = "the customer is there twice; keep one row each"
    assert refused(read, twice) == [(5, "customer", rule), (6, "customer", rule)]
    assert len(read(twice, labelled=False)) == 5
    assert len(read(twice, once=False)) == 5  # `churn evaluate`: nothing is learned, and its intervals go by customer


def test_customers_without_an_id_are_different_customers(read: Reader) -> None:
    data = read(FILE.replace("\n1,", "\n,").replace("\n2,", "\n ,"))
    assert data.customer_id is not None
    assert data.customer_id.tolist() == [None, None, "3"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_read_and_rows_keep_their_numbers(read: Reader, mark: str) -> None:
    pd.testing.assert_frame_equal(read(FILE.replace(",", mark)).features, read(FILE).features)
    assert [row for row, *_ in refused(read, (FILE + "4,,,,7,Fax,,No\n").replace(",", mark))] == [5]
    # A German spreadsheet: its numbers hold the only commas.
    assert refused(read, FILE.replace(",", mark).replace("12.5", "12,5"))[0][:2] == (2, "charged")


def test_a_separator_that_is_not_clear_is_named(read: Reader) -> None:
    for content in (
        HEADER.replace(",", ";").replace("Note", "Note, in words, on; the; last call"),
        HEADER.replace(",", ";") + FILE.removeprefix(HEADER),
        FILE.replace(",", ";").replace("Note", "Note|Call"),
    ):
        with pytest.raises(InputError, match="separated by semicolons; save it with commas"):
            read(content)


def test_a_separator_in_quotes_is_none(read: Reader) -> None:
    with pytest.raises(ContractError, match="column is missing"):
        read('"a;b",c\n1,2\n')


# Sensitive and ignored columns


def test_sensitive_columns_are_read_beside_the_features(read: Reader) -> None:
    data = read(FILE)
    assert list(data.features) == ADSL.feature_names == ["charged", "line", "paperless"]
    assert data.sensitive is not None
    assert list(data.sensitive) == ["gender", "age"]
    assert data.sensitive["gender"].tolist() == ["Male", "Female", None]
    np.testing.assert_array_equal(data.sensitive["age"], [40, np.nan, 35])
    assert data.ignored_columns == []


def test_sensitive_columns_may_be_absent(read: Reader) -> None:
    frame = pd.DataFrame([line.split(",") for line in FILE.splitlines()[1:]], columns=HEADER.strip().split(","))
    data = read(frame.drop(columns=["gender", "Note"]).to_csv(index=False).replace('"', ""))
    assert data.sensitive is not None
    assert list(data.sensitive) == ["age"]
    assert read(frame.drop(columns=["gender", "Age"]).to_csv(index=False).replace('"', "")).sensitive is None


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (",40,", ",old,", "must be a number"),
        (",40,", ",40.5,", "must be a whole number"),
        (",40,", ",-1,", "must be at least 0"),
    ],
)
def test_a_sensitive_value_of_the_wrong_kind_is_refused(read: Reader, old: str, new: str, rule: str) -> None:
    assert refused(read, FILE.replace(old, new)) == [(2, "age", rule)]


def test_a_sensitive_category_with_levels_has_only_those(tmp_path: Path) -> None:
    gender = ADSL["gender"].model_copy(update={"levels": ("Female", "Male")})
    named = ADSL.model_copy(update={"columns": (gender, *(c for c in ADSL.columns if c.name != "gender"))})
    path = tmp_path / "adsl.csv"
    path.write_text(FILE.replace("Male", "M"))
    assert read_dataset(path, ADSL).sensitive is not None
    with pytest.raises(ContractError, match="row 2, column 'gender': unknown level"):
        read_dataset(path, named)


def test_the_digest_stands_for_what_a_model_learns_from(read: Reader) -> None:
    assert read(FILE).digest == read(FILE.replace("Female", "Male").replace(",a,", ",z,")).digest
    assert read(FILE).digest != read(FILE.replace("12.5", "12.6")).digest


def customers(rows: int = 200) -> Dataset:
    rng = np.random.default_rng(1)
    number = np.arange(rows, dtype=np.float64)
    features = pd.DataFrame({"charged": number, "line": "DSL", "paperless": rng.integers(0, 2, rows).astype(float)})
    outcome = pd.Series(rng.integers(0, 2, rows), dtype=np.int64)
    return Dataset(features, outcome, source="adsl.csv", sensitive=pd.DataFrame({"age": number, "gender": "Male"}))


def test_sensitive_columns_stay_with_their_customers() -> None:
    data = customers()
    (who,) = assign([Source(data.features, None)], SplitParams())
    for part in split(data, who, SplitParams(), folds=5):
        assert part.sensitive is not None
        assert part.sensitive["age"].tolist() == part.features["charged"].tolist()
        assert part.sensitive.index.tolist() == list(range(len(part)))


def test_labelled_traffic_knows_nothing_sensitive() -> None:
    traffic = pd.DataFrame({"customer_id": [f"c{n}" for n in range(1200)], "prediction_id": "", "churned": [0.0, 1.0] * 600})
    traffic = traffic.assign(charged=-1.0, line="No", paperless=0.0, requested_at=pd.Timestamp("2026-03-01", tz="UTC"))
    params = Params(tuning=TuningParams(folds=5))
    together = assemble(customers(), traffic, ADSL, params)
    known = together.train.sensitive
    assert together.fresh_is_traffic
    assert together.fresh.sensitive is None
    assert known is not None
    assert len(known) == len(together.train) > 300
    from_file = together.train.features["charged"] >= 0
    assert known["age"][from_file].tolist() == together.train.features["charged"][from_file].tolist()
    assert known[~from_file].isna().all(axis=None)


# Columns that say nothing


def test_columns_that_say_nothing_are_named_and_kept(read: Reader) -> None:
    lines = [line.split(",") for line in FILE.splitlines()]
    for line in lines[1:]:
        line[4], line[6] = "", "Yes"
    data = read("\n".join(map(",".join, lines)) + "\n")
    assert data.uninformative == ["charged", "paperless"]
    assert list(data.features) == ADSL.feature_names
    assert read(FILE).uninformative == []
    # Blank or not is something to learn from.
    assert read(FILE.replace("7,No", "12.5,No")).uninformative == []


@pytest.mark.parametrize("form", ["plain", "terms"])
@pytest.mark.parametrize("value", [7.0, np.nan], ids=["constant", "empty"])
def test_a_column_that_says_nothing_has_no_weight(value: float, form: Form) -> None:
    rng = np.random.default_rng(3)
    told = rng.normal(size=300)
    known = pd.DataFrame({"told": told, "mute": value})
    outcome = (told + rng.normal(size=300) > 0).astype(int)
    pipeline = build_pipeline(seed=1, form=form).fit(known, outcome)
    asked = pd.DataFrame({"told": [0.5] * 4, "mute": [7.0, np.nan, -1e6, 1e6]})
    answers = pipeline.predict_proba(asked)[:, 1]
    np.testing.assert_allclose(answers, answers[0], rtol=0, atol=1e-12)
    assert 0.5 < answers[0] < 0.9


@pytest.mark.parametrize("level", ["DSL", None], ids=["constant", "empty"])
def test_a_category_that_says_nothing_has_no_weight(level: str | None) -> None:
    rng = np.random.default_rng(3)
    told = rng.normal(size=300)
    known = pd.DataFrame({"told": told, "mute": pd.Series([level] * 300, dtype=object)})
    outcome = (told + rng.normal(size=300) > 0).astype(int)
    pipeline = build_pipeline(seed=1, form="terms").fit(known, outcome)
    asked = pd.DataFrame({"told": [0.5] * 3, "mute": pd.Series(["DSL", "No", None], dtype=object)})
    answers = pipeline.predict_proba(asked)[:, 1]
    np.testing.assert_allclose(answers, answers[0], rtol=0, atol=1e-12)
    assert 0.5 < answers[0] < 0.9
