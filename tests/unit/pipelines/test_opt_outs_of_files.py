"""What scores files asks the store who wants no contacts; a store that is away is no answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from churn.batch.plan import Terms
from churn.clock import now
from churn.config.settings import Settings
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import ChurnError, StoreError
from churn.store.contacts.records import Contact
from churn.store.store import Store
from pipelines.flows.dask_cluster import on_cluster
from pipelines.scoring import with_opt_outs
from tests.integration.files_to_score import make_scorer

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


def test_the_key_of_pseudonyms_goes_to_no_worker(tmp_path: Path) -> None:
    told(tmp_path, Pseudonymiser(KEY)("anna"))
    scorer = with_opt_outs(make_scorer(), settings(tmp_path, KEY))
    assert KEY.encode() not in scorer.model.to_json()
    run = on_cluster(SimpleNamespace())
    with pytest.raises(ChurnError, match="1 customers want no contacts and are known by pseudonyms"):
        next(run(scorer, [], Terms(), tmp_path))
