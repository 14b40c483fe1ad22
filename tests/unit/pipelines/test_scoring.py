"""What scores files: the model that is asked for, and who wants no contacts; a store that is away is no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.batch.model import Scorer
from churn.campaigns.control_group import ControlGroup
from churn.clock import now
from churn.config.settings import Settings
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import NoModel, NoSegments, RegistryError, StoreError
from churn.store.contacts.records import Contact
from churn.store.store import Store
from pipelines import scoring
from pipelines.scoring import find_scorer, with_opt_outs
from service.scoring.served_model import ServedModel
from tests.integration.files_to_score import CONTRACT, make_scorer
from tests.unit.service.fakes import make_model, served_model, with_segments

KEY = "a key of sixteen or more"


def settings(tmp_path: Path, key: str = "") -> Settings:
    return Settings(home=tmp_path, store_url=f"sqlite:///{tmp_path}/store.db", pseudonym_key=key)


def told(tmp_path: Path, name: str) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/store.db")
    store.write_contacts([Contact(now(), customer_id=name, opt_out=True)])
    store.close()


def test_no_store_is_made_to_ask_it(tmp_path: Path) -> None:
    scorer = make_scorer()
    assert with_opt_outs(scorer, settings(tmp_path)) is scorer
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize("key", ["", KEY])
def test_who_told_the_store_is_known(tmp_path: Path, key: str) -> None:
    told(tmp_path, Pseudonymiser(key)("anna"))
    known = with_opt_outs(make_scorer(), settings(tmp_path, key)).model.opted_out
    assert [known.has(name) for name in ("anna", "ben")] == [True, False]


def test_a_store_that_is_away_ends_it(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("no database at all, and longer than a header of one would be" * 20)
    with pytest.raises(StoreError):
        with_opt_outs(make_scorer(), settings(tmp_path))


class FakeSource:
    """A registry with the versions 1 (champion) and 2, and what this machine keeps of it."""

    def __init__(self, *, away: bool = False, kept: str | None = None) -> None:
        self.away, self.kept, self.saved = away, kept, list[str]()
        self.named = {"champion": "1"}

    def aliases(self) -> dict[str, str]:
        if self.away:
            raise RegistryError("the registry is away")
        return self.named

    def load(self, version: str) -> ServedModel:
        if version not in ("1", "2"):
            raise NoModel(f"there is no version {version}")
        return served_model(with_segments(make_model(version)), "registry")

    def save_last_known_good(self, served: ServedModel) -> None:
        self.saved.append(served.version)

    def load_last_known_good(self, wait: bool) -> ServedModel | None:
        assert wait
        return None if self.kept is None else served_model(make_model(self.kept), "disk")


def find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: FakeSource, version: str, *, segment: bool = False) -> Scorer:
    monkeypatch.setattr(scoring, "RegistrySource", lambda *_: source)
    chosen = settings(tmp_path).model_copy(update={"control_share": 0.25, "control_key": "k", "model_name": "ours"})
    return find_scorer(chosen, CONTRACT, version, segment=segment)


def test_the_champion_is_kept_for_when_the_registry_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = FakeSource()
    found = find(monkeypatch, tmp_path, source, "champion").model
    assert (found.name, found.version, found.run_id, found.threshold) == ("ours", "1", "run-1", 0.5)
    assert found.control == ControlGroup(0.25, "k")
    assert found.compiled is not None
    assert (found.segments, found.known_segments is None) == (None, False)
    assert source.saved == ["1"]
    assert find(monkeypatch, tmp_path, source, "2", segment=True).model.segments is not None
    assert source.saved == ["1"], "who asks for a version says nothing about the champion"


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="no version 9"):
        find(monkeypatch, tmp_path, FakeSource(kept="9"), "9")
    source = FakeSource(kept="1")
    source.named = {}
    with pytest.raises(NoModel, match="there is no champion"):
        find(monkeypatch, tmp_path, source, "champion")
    with pytest.raises(NoSegments):
        find(monkeypatch, tmp_path, FakeSource(away=True, kept="7"), "champion", segment=True)


@pytest.mark.parametrize("version", ["champion", "7"])
def test_without_the_registry_the_last_known_good_model_scores_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find(monkeypatch, tmp_path, FakeSource(away=True, kept="7"), version).model.version == "7"
    said = " ".join(capsys.readouterr().err.split())
    assert "the registry is away" in said
    assert "last known good model, version 7" in said


@pytest.mark.parametrize(("kept", "version"), [(None, "champion"), ("7", "8"), ("7", "challenger")])
def test_no_other_model_scores_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str | None, version: str) -> None:
    with pytest.raises(RegistryError):
        find(monkeypatch, tmp_path, FakeSource(away=True, kept=kept), version)


def test_the_log_is_closed_whatever_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed: list[Store] = []
    monkeypatch.setattr(Store, "close", lambda store: closed.append(store))  # noqa: PLW0108 -- bound, as a method is
    with scoring.open_log(settings(tmp_path, KEY), None, print) as log:
        assert log.pseudonym is not None
        assert closed == []
    assert closed == [log.store]
    with pytest.raises(ZeroDivisionError, match="None"), scoring.open_log(settings(tmp_path), None, print) as log:
        raise ZeroDivisionError(log.pseudonym)
    assert len(closed) == 2
