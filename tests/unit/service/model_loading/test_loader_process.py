"""The signature of an artifact: what it does not say, or says of other columns, is refused in one line."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from churn.contract import Contract
from churn.errors import ModelRefused
from service.model_loading import loader_process
from service.model_loading.loader_process import check_signature, respond
from tests.unit.service.fakes import FEATURES, make_model

MODEL = make_model("7")
SIGNED = [{"name": name, "type": "double"} for name in FEATURES]


def artifact(folder: Path, inputs: Any) -> Path:
    (folder / "MLmodel").write_text(yaml.safe_dump({"signature": {"inputs": json.dumps(inputs)}}))
    return folder


def test_the_signature_of_what_the_model_reads_is_taken(tmp_path: Path, contract: Contract) -> None:
    check_signature(artifact(tmp_path, SIGNED), MODEL, contract)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (SIGNED[::-1], "instead of \\('total_day_minutes', 'double'\\)"),
        ([*SIGNED[:2], {"name": FEATURES[2], "type": "string"}], "instead of \\('international_plan', 'double'\\)"),
        (SIGNED[:2], "2 instead of 3"),
        ([*SIGNED, {"name": "state", "type": "string"}], "4 instead of 3"),
        ([], "0 instead of 3"),
    ],
)
def test_other_columns_types_or_orders_are_refused(tmp_path: Path, contract: Contract, inputs: Any, said: str) -> None:
    with pytest.raises(ModelRefused, match=f"the signature of version 7 is not what it reads: .*{said}"):
        check_signature(artifact(tmp_path, inputs), MODEL, contract)


@pytest.mark.parametrize("text", ["", "signature: 5", "signature: {inputs: '['}", "signature: {inputs: '[1]'}", "{", "a: b"])
def test_a_signature_that_cannot_be_read_is_refused(tmp_path: Path, contract: Contract, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(ModelRefused, match="the signature of version 7 cannot be read"):
        check_signature(tmp_path, MODEL, contract)


def test_an_artifact_without_one_is_refused(tmp_path: Path, contract: Contract) -> None:
    with pytest.raises(ModelRefused, match="version 7 has no MLmodel in its artifact, and so no signature"):
        check_signature(tmp_path, MODEL, contract)


def test_a_model_of_columns_that_the_contract_does_not_have_is_refused(tmp_path: Path, contract: Contract) -> None:
    other = replace(MODEL, info=MODEL.info.model_copy(update={"features": [*FEATURES, "unknown"]}))
    with pytest.raises(ModelRefused, match="version 7 reads 'unknown', which contract 'telecom' does not have"):
        check_signature(artifact(tmp_path, SIGNED), other, contract)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_what_the_machine_refuses_is_an_answer_and_no_traceback(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(_settings: object) -> None:
        raise OSError(number, os.strerror(number), "bundle")

    monkeypatch.setattr(loader_process, "prepare_last", refuse)
    answer = respond({"do": "prepare_last", "settings": {}})
    assert answer == {"result": "failed", "reason": f"a model cannot be made ready: bundle: {os.strerror(number)}"}


def test_another_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_settings: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "a bug")

    monkeypatch.setattr(loader_process, "prepare_last", fail)
    with pytest.raises(FileNotFoundError, match="a bug"):
        respond({"do": "prepare_last", "settings": {}})


@pytest.mark.parametrize(("urgent", "yielded"), [(True, []), (False, [loader_process.NICENESS])])
def test_stdout_holds_the_answer_alone_and_requests_come_first_unless_it_is_urgent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urgent: bool, yielded: list[int]
) -> None:
    niced, alarms = list[int](), list[int]()

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        sys.stdout.write("a library has something to say\n")
        sys.stdout.flush()
        return {"asked": request}

    request = json.dumps({"urgent": urgent})
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        for name, stand_in in (("stdout", out), ("stderr", err), ("stdin", io.TextIOWrapper(io.BytesIO(request.encode())))):
            monkeypatch.setattr(sys, name, stand_in)
        monkeypatch.setattr(os, "nice", niced.append)
        monkeypatch.setattr(signal, "alarm", alarms.append)
        monkeypatch.setattr(loader_process, "collect_seldom", lambda: None)
        monkeypatch.setattr(loader_process, "respond", answer)
        assert loader_process.main() == 0
        monkeypatch.undo()
    assert (niced, alarms) == (yielded, [loader_process.MAX_SECONDS])
    assert json.loads((tmp_path / "out").read_text()) == {"asked": {"urgent": urgent}}
    assert (tmp_path / "err").read_text() == "a library has something to say\n"
