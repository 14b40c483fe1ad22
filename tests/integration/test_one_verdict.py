"""A customer has one verdict and one value, whichever way it comes in.

`WAYS` is the table of all ways, each with what its format cannot express. A generated customer is sent through every one of
them; what each makes of it is compared with the request model's verdict: valid or not, the values, the id, and the probability
that is served.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from churn.batch.plan import Terms, make_plan
from churn.batch.readers import csv_reader, id_column, parquet_reader
from churn.batch.readers.reader import open_part
from churn.composed import decomposed
from churn.contract import load_contract
from churn.customers import from_arrow
from churn.customers.cells import Cells, FeatureCells
from churn.customers.column_names import CUSTOMER_ID, ColumnNames
from churn.customers.columns import CustomerColumns
from churn.customers.validation import CustomerRules
from churn.data import columns as data_columns
from churn.data.dataset import read_dataset
from churn.data.unvalidated import read_unvalidated
from churn.errors import ChurnError
from churn.number_format import NUMBER_PATTERN, NumberFormat
from service.formats import arrow_columns, csv_text
from service.formats.arrow_ipc import read_arrow
from service.formats.inference import read_inference
from service.formats.json_text import load_json
from service.formats.records import from_columns, from_records, from_rows
from service.formats.validation import ColumnRules
from service.http.body import parse_json
from service.schemas.native import OutcomesRequest, RequestModels
from service.scoring import fast_validation
from service.scoring.fast_validation import FastValidator
from service.scoring.scorer import one_customer
from tests.unit.service.fakes import make_model, served_model

# As other companies write: a decimal comma and euros, thousands and dollars, texts that mean a missing value.
EUROS = NumberFormat(decimal=",", thousands=".", units=("€", "Min"))
DOLLARS = NumberFormat(thousands=",", units=("$",), parentheses=True)
WRITTEN = {
    "total_eve_minutes": {"number_format": EUROS, "missing": ("-", "k.A.")},
    "total_night_charge": {"number_format": DOLLARS, "minimum": -50},
    "total_intl_minutes": {"missing": ("?", "#DIV/0!", r"\N")},
    "voice_mail_plan": {"missing": ("?",), "true_level": "Sí"},
    "state": {"levels": (*load_contract()["state"].levels, "Genève")},
}
TELECOM = load_contract()
CONTRACT = TELECOM.model_copy(
    update={"columns": tuple(column.model_copy(update=WRITTEN.get(column.name, {})) for column in TELECOM.columns)}
)
MODELS = RequestModels.from_contract(CONTRACT, 100)
RULES = ColumnRules(CONTRACT, MODELS.customer)
IGNORING = RULES.ignoring_unknown()
NAMES = ColumnNames(CONTRACT)
FAST = FastValidator(CONTRACT)
MANY, MUCH = 100, 10**8

Customer = dict[str, Any]
# The values by name (None where missing), the id and the probability; None: refused.
Verdict = tuple[dict[str, Any], str | None, float] | None


@cache
def model() -> Any:
    return served_model(make_model(), "disk")


def accepted(columns: CustomerColumns) -> Verdict:
    values = orjson.loads(columns.feature_texts(CONTRACT)[0])
    named = None if columns.customer_ids is None else columns.customer_ids[0]
    return values, named, float(model().score_columns(columns).probabilities[0])


def accepted_values(values: list[Any], named: str | None) -> Verdict:
    verdict = accepted(one_customer(values, CONTRACT))
    assert verdict is not None
    assert model().score_one(values, named).churn_probability == pytest.approx(verdict[2], abs=1e-9)
    return verdict[0], named, verdict[2]


def reference(customer: Customer) -> Verdict:
    """What the request model says of Python's own values; NaN is how typed formats write what is missing."""
    try:
        read = MODELS.customer.model_validate({name: None if is_nan(value) else value for name, value in customer.items()})
    except ValidationError:
        return None
    return accepted_values(list(read.features().values()), read.customer_id)


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


# The ways


def predict(customer: Customer, folder: Path) -> Verdict:
    body = json.dumps(customer).encode()
    checked = FAST.read(body)
    if checked is not None:
        return accepted_values(checked.values, checked.customer_id)
    return request_model(customer, folder)


def request_model(customer: Customer, folder: Path) -> Verdict:
    read = parse_json(MODELS.customer, json.dumps(customer).encode())
    return accepted_values(list(read.features().values()), read.customer_id)


def batch_json(customer: Customer, folder: Path) -> Verdict:
    body = json.dumps({"customers": [customer]}).encode()
    return accepted(from_records(load_json(body)["customers"], RULES, "customers", MANY))


def as_csv_writes(name: str, value: Any) -> Any:
    """CSV has no types: who has decimal commas writes them."""
    column = next((column for column in CONTRACT.features if name.strip() in (column.name, column.source)), None)
    comma = column is not None and column.number_format is not None and column.number_format.decimal == ","
    return repr(value).replace(".", ",") if comma and isinstance(value, float) else value


def csv_body(customer: Customer, separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(customer)
    writer.writerow(as_csv_writes(name, value) for name, value in customer.items())
    return text.getvalue().encode()


def arrow_table(customer: Customer) -> Any:
    columns = [pa.array([value], pa.uint64() if type(value) is int and value >= 2**63 else None) for value in customer.values()]
    return pa.Table.from_arrays(columns, names=list(customer))


def arrow_body(customer: Customer, *, file: bool) -> bytes:
    sink, table = io.BytesIO(), arrow_table(customer)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_file(customer: Customer, folder: Path) -> Path:
    pq.write_table(arrow_table(customer), folder / "customers.parquet")
    return folder / "customers.parquet"


def csv_file(customer: Customer, folder: Path, separator: str = ",") -> Path:
    (folder / "customers.csv").write_bytes(csv_body(customer, separator))
    return folder / "customers.csv"


def batch_parquet(customer: Customer, folder: Path) -> Verdict:
    from service.formats.parquet import read_parquet

    return accepted(read_parquet(parquet_file(customer, folder).read_bytes(), RULES, MANY, MUCH))


def tensor(name: str, value: Any) -> dict[str, Any]:
    kinds = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES", type(None): "BYTES"}
    datatype = "UINT64" if type(value) is int and value >= 2**63 else kinds[type(value)]
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]}


def infer(customer: Customer, folder: Path) -> Verdict:
    body = json.dumps({"inputs": [tensor(name, value) for name, value in customer.items()]}).encode()
    return accepted(read_inference(body, len(body), RULES, MANY).customers)


def infer_binary(customer: Customer, folder: Path) -> Verdict:
    inputs, data = [], b""
    for name, value in customer.items():
        one = tensor(name, value)
        del one["data"]
        if one["datatype"] == "BYTES":
            text = (value or "").encode()
            part = len(text).to_bytes(4, "little") + text
        else:
            part = np.array([value], {"BOOL": "?", "INT64": "<i8", "UINT64": "<u8", "FP64": "<f8"}[one["datatype"]]).tobytes()
        inputs.append({**one, "parameters": {"binary_data_size": len(part)}})
        data += part
    head = json.dumps({"inputs": inputs}).encode()
    return accepted(read_inference(head + data, len(head), RULES, MANY).customers)


def invocations(form: str) -> Callable[[Customer, Path], Verdict]:
    def way(customer: Customer, folder: Path) -> Verdict:
        if form == "csv":
            return accepted(csv_text.read_csv(csv_body(customer), IGNORING, MANY))
        sent = load_json(json.dumps(customer).encode(), nan_is_null=True)
        match form:
            case "split":
                return accepted(from_rows([list(sent.values())], list(sent), IGNORING, form, MANY))
            case "columns":
                return accepted(from_columns({name: [value] for name, value in sent.items()}, IGNORING, form, MANY))
            case _:
                return accepted(from_records([sent], IGNORING, form, MANY))

    return way


def scored(path: Path) -> Verdict:
    """As `churn score` does: the first piece of the first part."""
    rules = CustomerRules(CONTRACT, MODELS.customer)
    terms = Terms(allow_absent=True)
    (part,) = make_plan(path, "digest", terms).parts
    with open_part(part, rules, terms) as reading:
        read = next(reading.pieces, None)
        if read is None:
            return None
        piece = read()
        refused: list[int] = []
        columns = rules.examine(piece.table, lambda row, error: refused.append(row) is None)
        if refused:
            return None
        found = accepted(columns)
        assert found is not None
        named = None if piece.ids is None else piece.ids[0].as_py()
        return found[0], named if named is None else str(named), found[2]


def complete(customer: Customer) -> Customer:
    """With a column for every feature, as a training file must have; and with its label."""
    known = {NAMES.find(name) for name in customer}
    return {**customer, **{name: None for name in CONTRACT.feature_names if name not in known}, "Churn": "True"}


def values_of(frame: Any) -> list[Any]:
    """The first row of a frame as requests are read: None where missing, flags as booleans."""
    row = {name: None if frame[name].isna().iloc[0] else frame[name].tolist()[0] for name in CONTRACT.feature_names}
    return [bool(row[c.name]) if c.kind == "flag" and row[c.name] is not None else row[c.name] for c in CONTRACT.features]


def trained(path: Path) -> Verdict:
    data = read_dataset(path, CONTRACT, check_relations=False)
    return accepted_values(values_of(data.features), None if data.customer_id is None else data.customer_id.iloc[0])


def drifted(path: Path) -> Verdict:
    return accepted_values(values_of(read_unvalidated(path, CONTRACT).frame), None)


def outcome(customer: Customer, folder: Path) -> Verdict:
    body = json.dumps({"outcomes": [{CUSTOMER_ID: customer.get(CUSTOMER_ID), "churned": True}]}).encode()
    return {}, parse_json(OutcomesRequest, body).outcomes[0].customer_id, 0.0


# What a format cannot express: None if it can express this customer.
Limit = Callable[[Customer], str | None]


def no_limit(customer: Customer) -> str | None:
    return None


def infinity_limit(customer: Customer) -> str | None:
    # In a column that is read an infinity breaks a rule, too.
    unread = (value for name, value in customer.items() if not NAMES.find(name))
    return "JSON has no infinity" if any(isinstance(value, float) and math.isinf(value) for value in unread) else None


def json_limit(customer: Customer) -> str | None:
    return "JSON has no NaN" if any(map(is_nan, customer.values())) else infinity_limit(customer)


def tensor_limit(customer: Customer) -> str | None:
    return typed_limit(customer) or infinity_limit(customer)


def csv_limit(customer: Customer) -> str | None:
    named = next((value for name, value in customer.items() if NAMES.find(name) == CUSTOMER_ID), None)
    if isinstance(named, bool | float | int):
        try:
            MODELS.customer.model_validate({CUSTOMER_ID: named, "state": "KS"})
        except ValidationError:
            return "CSV has no types: an id that is a boolean, a fraction or too large a number is a text there"
    return None


def semicolon_limit(customer: Customer) -> str | None:
    cells = [*customer, *(str(value) for value in customer.values())]
    if len(customer) < 2 or any(mark in cell for cell in cells for mark in ',\t|"\r\n'):
        return "what separates can be told where only semicolons do"
    return csv_limit(customer)


def typed_limit(customer: Customer) -> str | None:
    wide = any(type(value) is int and not -(2**63) <= value < 2**64 for value in customer.values())
    return "a column of numbers has at most 64 bits" if wide else None


@dataclass(frozen=True)
class Way:
    """A way in.

    `ignores_unknown`: protocols and files may hold columns of others.
    `refuses`: drift compares what it can read, and refuses nobody.
    """

    send: Callable[[Customer, Path], Verdict]
    limit: Limit = no_limit
    ignores_unknown: bool = False
    refuses: bool = True
    reads_id: bool = True


WAYS = {
    "POST /predict (fast path)": Way(predict, json_limit),
    "POST /predict (request model)": Way(request_model, json_limit),
    "POST /predict/batch, JSON": Way(batch_json, json_limit),
    "POST /predict/batch, CSV": Way(lambda c, f: accepted(csv_text.read_csv(csv_body(c), RULES, MANY)), csv_limit),
    "POST /predict/batch, semicolons": Way(
        lambda c, f: accepted(csv_text.read_csv(csv_body(c, ";"), RULES, MANY)), semicolon_limit
    ),
    "POST /predict/batch, Parquet": Way(batch_parquet, typed_limit),
    "POST /predict/batch, Arrow stream": Way(
        lambda c, f: accepted(read_arrow(arrow_body(c, file=False), RULES, MANY, MUCH, file=False)), typed_limit
    ),
    "POST /predict/batch, Arrow file": Way(
        lambda c, f: accepted(read_arrow(arrow_body(c, file=True), RULES, MANY, MUCH, file=True)), typed_limit
    ),
    "POST /v2/…/infer, JSON": Way(infer, tensor_limit),
    "POST /v2/…/infer, binary": Way(infer_binary, typed_limit),
    "POST /invocations, dataframe_split": Way(invocations("split"), infinity_limit, ignores_unknown=True),
    "POST /invocations, records and instances": Way(invocations("records"), infinity_limit, ignores_unknown=True),
    "POST /invocations, inputs as columns": Way(invocations("columns"), infinity_limit, ignores_unknown=True),
    "POST /invocations, CSV": Way(invocations("csv"), csv_limit, ignores_unknown=True),
    "churn score, Parquet": Way(lambda c, f: scored(parquet_file(c, f)), typed_limit, ignores_unknown=True),
    "churn score, CSV": Way(lambda c, f: scored(csv_file(c, f)), csv_limit, ignores_unknown=True),
    "churn score, semicolons": Way(lambda c, f: scored(csv_file(c, f, ";")), semicolon_limit, ignores_unknown=True),
    "training, semicolons": Way(lambda c, f: trained(csv_file(complete(c), f, ";")), semicolon_limit, ignores_unknown=True),
    "training, Parquet": Way(lambda c, f: trained(parquet_file(complete(c), f)), typed_limit, ignores_unknown=True),
    "training, CSV": Way(lambda c, f: trained(csv_file(complete(c), f)), csv_limit, ignores_unknown=True),
    "churn drift, Parquet": Way(
        lambda c, f: drifted(parquet_file(c, f)), typed_limit, ignores_unknown=True, refuses=False, reads_id=False
    ),
    "churn drift, CSV": Way(lambda c, f: drifted(csv_file(c, f)), csv_limit, ignores_unknown=True, refuses=False, reads_id=False),
}


def differences(customer: Customer, folder: Path) -> list[str]:
    """Name the ways that make something else of a customer than the request model."""
    wrong: list[str] = []
    known = {name: value for name, value in customer.items() if NAMES.find(name) is not None}
    for name, way in WAYS.items():
        if way.limit(customer) is not None:
            continue
        expected = reference(known if way.ignores_unknown else customer)
        if expected is None and not way.refuses:
            continue
        if expected is not None and not way.reads_id:
            expected = expected[0], None, expected[2]
        try:
            found = way.send(customer, folder)
        except ChurnError:
            found = None
        if found != expected:
            wrong.append(f"{name}: {found} in place of {expected}")
    return wrong


numbers = st.one_of(
    st.integers(0, 300),
    st.floats(0, 300),
    st.sampled_from([-0.0, 0, 1, 1.0, 3.000000001, -1, 415, 415.0, 2**53 + 1, 2**63, 2**70, 1e9 + 0.5, 1e308, 44_640.5]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), True, False]),
)
texts = st.one_of(
    st.sampled_from(
        ["", " ", "NA", "nan", "NULL", "None", "415", "415.0", " 415 ", "4.15e2", "+7", "007", "0415", ".5", "1.", "1e999"]
    ),
    st.sampled_from(
        ["yes", "NO", " Yes", "yES", "true", "FALSE", "1", "0", "1.0", "00", "KS", "ks", "OH ", "inf", "1_0", "12 min", "١٢"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)
written = st.sampled_from(
    [
        *("1.234,5", "1.234", "12,5", "1,5 €", "€ 1,5", "1.5", ",5", "1.23,4", "-", "k.A.", "K.A. ", "\N{MINUS SIGN}0,5"),
        *("1,234.50", "$12", "(12.50)", "($1,234)", "$ -3", "-$3", "3-", "1,23", "12 $", "--5", "(5", "$", "1\u00a0234"),
        *("7 min", "1.234.567", "12,34,567"),
        *("?", "#DIV/0!", r"\N", " ? ", "#div/0!", "1e2", "1,5e2", "5\u00a0", "\u00a0", "1e999", "1,0e999"),
    ]
)
cells = st.one_of(st.none(), numbers, texts, written)
ids = st.one_of(
    st.none(),
    st.sampled_from(
        ["c-1", "a\nb", "a\tb", " a ", "x" * 128, "x" * 129, "415", "415.0", "-0.0", "007", "NA", "", "a|b", "\x7f", "é"]
    ),
    st.sampled_from([415, 415.0, 1.5, 0, -0.0, -3, 2**53, 2**63, 2**64 - 1, 2**64, 1e16, True, float("nan")]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)
columns = [
    CONTRACT[name]
    for name in ("state", "area_code", "international_plan", "total_day_minutes", "total_day_calls", *WRITTEN, *WRITTEN)
]
fields = st.sampled_from([spelling for column in columns for spelling in (column.name, column.source)])
others = st.sampled_from(["Stat", "shoe_size", "__index_level_0__", "Churn", " state "])
plain = st.fixed_dictionaries({"total_day_minutes": st.floats(0, 300)})
odd = st.dictionaries(st.one_of(fields, fields, fields, others), cells, max_size=4)
named = st.dictionaries(st.sampled_from([CUSTOMER_ID, "Customer ID"]), ids, max_size=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("customers")


customers = st.builds(lambda one, other, third: {**one, **other, **third}, plain | st.just({}), odd, named)


@given(customers)
@example({"state": "KS", CUSTOMER_ID: "a\nb"})
@example({"area_code": 415.0})
@example({"Area code": "415.0"})
@example({"state": "KS", CUSTOMER_ID: 17})
@example({"total_day_minutes": "12.5"})
@example({"state": "KS", "__index_level_0__": 3})
@example({"State": "KS", "state": "KS"})
@example({"total_day_minutes": 0.0, "state": None, " state ": None})
@example({"Total day minutes": 1.5, "Stat": "KS"})
@example({"total_day_calls": 3.000000001})
@example({"total_day_calls": 1e9 + 0.5})
@example({"total_eve_minutes": "1.234"})
@example({"total_eve_minutes": "12.5", "state": "KS"})
@example({"total_eve_minutes": "1.234,5 €"})
@example({"total_eve_minutes": 1.234})
@example({"total_eve_minutes": "k.a.", "state": "KS"})
@example({"total_night_charge": "(12.50)"})
@example({"total_night_charge": "$1,234.50"})
@example({"total_intl_minutes": "#DIV/0!", "state": "KS"})
@example({"voice_mail_plan": "?", "state": "KS"})
@example({"state": decomposed("Genève"), "voice_mail_plan": decomposed("Sí")})
@example({decomposed("Genève"): "KS", "state": "KS"})
@settings(max_examples=40, deadline=None)
def test_a_customer_has_one_verdict_whichever_way_it_comes_in(folder: Path, customer: Customer) -> None:
    assert differences(customer, folder) == []


@pytest.mark.long
@given(customers)
@settings(max_examples=500, deadline=None)
def test_many_customers_have_one_verdict(folder: Path, customer: Customer) -> None:
    assert differences(customer, folder) == []


@given(ids)
@settings(max_examples=30, deadline=None)
def test_an_outcome_names_a_customer_as_a_prediction_does(named: Any) -> None:
    if json_limit({CUSTOMER_ID: named}) is not None:
        return
    expected = reference({"state": "KS", CUSTOMER_ID: named})
    try:
        found = outcome({CUSTOMER_ID: named}, Path())
    except ChurnError:
        found = None
    # An outcome of nobody is refused; a prediction for nobody is not.
    assert (found and found[1]) == (expected and expected[1])


def zeros(rows: Any, feature: FeatureCells) -> Cells:
    return Cells(np.zeros(len(rows), np.int32 if feature.is_category else np.float64))


@pytest.mark.parametrize(
    ("where", "name", "broken", "customer"),
    [
        (fast_validation, "is_plain_id", lambda text: True, {"state": "KS", CUSTOMER_ID: " a "}),
        (csv_text, "read_texts", lambda feature, texts: [None] * len(texts), {"total_day_minutes": 1, CUSTOMER_ID: "c"}),
        (arrow_columns, "read_cells", zeros, {"state": "KS"}),
        (parquet_reader, "read_cells", zeros, {"state": "KS"}),
        (csv_reader, "read_cells", zeros, {"state": "KS"}),
        (id_column, "read_ids", lambda cells: (cells, None), {"state": "KS", CUSTOMER_ID: "a\nb"}),
        (id_column, "_all_plain", lambda ids: True, {"state": "KS", CUSTOMER_ID: " a "}),
        (data_columns, "read_id", lambda cell: cell, {"state": "KS", CUSTOMER_ID: "415.0"}),
        (from_arrow, "_WITH_COMMA", NUMBER_PATTERN, {"total_eve_minutes": "1.234"}),
        (FeatureCells, "from_numbers", lambda self, values: zeros(values, self), {"area_code": 415.0}),
    ],
)
def test_a_reader_with_a_rule_of_its_own_is_found(
    monkeypatch: pytest.MonkeyPatch, folder: Path, where: Any, name: str, broken: Any, customer: Customer
) -> None:
    assert differences(customer, folder) == []
    monkeypatch.setattr(where, name, broken)
    assert differences(customer, folder) != []
