"""Texts of callers, files and registries that would be commands elsewhere: to SQL, a log, a terminal, a spreadsheet, YAML."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import yaml

from churn.clock import now
from churn.config.params import load_params
from churn.config.safe_yaml import load_yaml
from churn.config.settings import load_settings
from churn.contract import load_contract, parse_contract
from churn.customers.spreadsheet import safe_text
from churn.errors import InputError, StoreError
from churn.ids import new_id
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from pipelines import console
from service.app import ServiceApp
from service.observability.logs import JsonLines, TextLines
from tests.checkout import CHECKOUT
from tests.unit.service.fakes import CUSTOMER, running

SQL = [
    "'; DROP TABLE predictions; --",
    "' OR '1'='1",
    '" OR ""="',
    "\\'; SELECT pg_sleep(9) --",
    "%' OR 1=1 /*",
    "?",
    ":id",
    "%s",
    "{0}",
]
ESCAPES = ["a\nb", "a\r\nb", "\x1b[2J", "\x1b]0;owned\x07", '","level":"critical', "\u2028", "\u202e", "\x00", "a" * 5_000]


def test_ids_and_names_are_values_to_the_store_and_never_statements(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    made = [Prediction(new_id(), said, now(), said, 0.5, 0.5, True, {}) for said in SQL]
    try:
        store.write_predictions(made)
        for said in SQL:
            receipt = store.write_outcomes([Outcome(True, now(), None, said), Outcome(True, now(), said, None)])
            assert (receipt.accepted, list(receipt.unknown)) == (1, [1]), said
            assert len(store.read_predictions(load_contract(), model_version=said)) == 1
            assert store.decisions(model_version=said) == []
        assert len(store.read_predictions(load_contract())) == len(SQL)
    finally:
        store.close()


@pytest.mark.parametrize("name", ["x' OR name LIKE '%", "a/b", "../x", "a:b", "", "a\n", "a" * 101, "$(id)"])
def test_a_model_has_a_plain_name(name: str) -> None:
    with pytest.raises(InputError, match=r"^CHURN_MODEL_NAME: "):
        load_settings(model_name=name)


@pytest.mark.anyio
async def test_no_text_of_a_caller_makes_a_line_of_the_log_or_breaks_one(
    make_app: Callable[..., ServiceApp], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(make_app(access_log="all")) as client:
        for said in ESCAPES:
            quoted = httpx2.QueryParams({"reasons": said, said: "1"})
            sent = said.encode("utf-8", "surrogatepass")
            headers = [(name, sent) for name in (b"x-request-id", b"traceparent", b"user-agent", b"content-type", b"accept")]
            await client.post("/predict", params=quoted, json={**CUSTOMER, "customer_id": said, said: 1}, headers=headers)
            await client.get("/" + httpx2.QueryParams({"": said}).__str__()[1:], headers=headers)
    ours = [record for record in caplog.records if record.name.startswith(("service", "churn", "uvicorn"))]
    assert len(ours) >= 2 * len(ESCAPES)
    for record in ours:
        line = JsonLines().format(record)
        assert len(line) < 2_000
        assert json.loads(line)["level"] == "info"
        for text in (line, TextLines("%(levelprefix)s %(message)s", use_colors=False).format(record)):
            assert text.isprintable(), text


def test_a_line_for_people_shows_what_would_move_their_cursor() -> None:
    for said in ESCAPES[:4]:
        record = logging.makeLogRecord({"msg": "model %s refused", "args": (said,), "levelname": "INFO", "reason": said})
        shown = TextLines("%(levelprefix)s %(message)s", use_colors=False).format(record)
        assert shown.isprintable()
        assert record.getMessage() == f"model {said} refused", "what others log of the record stays as it is"


def test_the_command_shows_what_files_and_registries_hold_and_does_not_obey_it(capsys: pytest.CaptureFixture[str]) -> None:
    console.fail("row 3: \x1b[2J\x1b]0;owned\x07 [bold]x[/bold] is unknown")
    said = capsys.readouterr().err
    assert "\x1b[2J" not in said
    assert "\x1b]0" not in said
    assert r"\x1b[2J" in said
    assert "[bold]x[/bold]" in said


FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://evil.example")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "=",
    "\uff1d1",
    "+1-",
    "-x",  # (A dash alone is nobody's id.)
]
PLAIN = ["c-1", "-5", "+5", "-1.5e3", "+49 30 123456", "a=b", "'quoted", "1+1", "", "ö"]


@pytest.mark.anyio
async def test_ids_in_a_csv_answer_are_no_formulas_and_numbers_stay_numbers(open_client: httpx2.AsyncClient) -> None:
    ids = [*FORMULAS, *filter(None, PLAIN)]
    body = io.StringIO()
    csv.writer(body).writerows([("customer_id", "total_day_minutes"), *((said, "100") for said in ids)])
    asked = await open_client.post("/predict/batch", content=body.getvalue().encode(), headers={"content-type": "text/csv"})
    assert asked.status_code == 200, asked.text
    answered = [row["customer_id"] for row in csv.DictReader(io.StringIO(asked.text))]
    assert answered == [*(f"'{said}" for said in FORMULAS), *filter(None, PLAIN)]
    # Programs that want the very same id ask for a format with types.
    customers = {"customers": [{"customer_id": said, "total_day_minutes": 100} for said in ids]}
    told = (await open_client.post("/predict/batch", json=customers)).json()["predictions"]
    assert [one["customer_id"] for one in told] == ids


def test_what_begins_with_a_tab_or_a_new_line_is_no_formula_either() -> None:
    assert [safe_text(said) for said in ("\t=1", "\r=1", "\n=1", None)] == ["'\t=1", "'\r=1", "'\n=1", None]


LAUGHS = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24))
TAGS = [
    "!!python/object/apply:os.system ['touch owned']",
    "!!python/name:os.system",
    "!!python/object/new:list [[1]]",
    "!include /etc/passwd",
]


CHAIN = "- &0 [x]\n" + "".join(f"- &{n} [*{n - 1}]\n" for n in range(1, 3_000))
# Deeper than libyaml's recursion in C could go.
DEEP = [opening * 1_000_000 for opening in ("[", "{a: ", "- ", "? ")]


@pytest.mark.parametrize("text", [LAUGHS, *TAGS, CHAIN, *DEEP, "a: &a [*a]", "\x00"], ids=lambda text: text[:12])
def test_yaml_makes_no_objects_and_does_not_explode(text: str, tmp_path: Path) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)
    with pytest.raises(InputError) as of_contract:
        parse_contract(text, "theirs")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError) as of_params:
        load_params(tmp_path / "params.yaml")
    for caught in (of_contract, of_params):
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1_000
    assert not Path("owned").exists()


def test_a_contract_names_no_other_file_and_no_address() -> None:
    text = (CHECKOUT / "churn/contracts/telecom.yaml").read_text()
    for said in ("include: /etc/passwd", "extends: http://evil.example/contract.yaml", "$ref: file:///etc/passwd"):
        with pytest.raises(InputError, match=said.partition(":")[0].replace("$", r"\$")):
            parse_contract(f"{text}\n{said}\n", "theirs")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        *(
            ("tracking_uri", said)
            for said in ("file:///etc", "/etc", "ftp://x/y", "javascript:alert(1)", "gopher://169.254.169.254/")
        ),
        *(("store_url", said) for said in ("file:///etc", "mysql://h/d", "http://169.254.169.254/", "oracle://h")),
        *(("data_url", said) for said in ("file:///etc/passwd", "ftp://x/y", "//evil.example/x", "data:text/csv,a")),
        *(
            ("page_links", said)
            for said in ("X=javascript:alert(1)", "X=data:text/html,x", "X=file:///etc/passwd", "X= JaVaScRiPt:a")
        ),
    ],
)
def test_addresses_in_settings_lead_where_they_should(name: str, address: str) -> None:
    with pytest.raises(InputError, match=f"^CHURN_{name.upper()}: "):
        load_settings(**{name: address})


def test_an_error_of_the_store_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a\nb").write_text("no database, " * 100)
    with pytest.raises(StoreError) as caught:
        Store.open(f"sqlite:///{tmp_path}/a\nb")
    assert "\n" not in str(caught.value)
