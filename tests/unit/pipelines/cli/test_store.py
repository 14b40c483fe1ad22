"""`churn store prune`, `churn backup` and `churn restore`, as a person or a script meets them."""

from __future__ import annotations

from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest
import yaml

from churn.clock import now
from churn.store.records import Prediction
from churn.store.store import Store
from service.prediction_log.spool import Spool
from tests.unit.pipelines.cli.command import Churn


@pytest.fixture
def home(tmp_path: Path, churn: Churn) -> Path:
    store = Store.open(f"sqlite:///{tmp_path}/home/store.db")
    store.write_predictions(
        [Prediction(f"p{days}", "c", now() - timedelta(days=days), "1", 0.1, 0.5, False, {}) for days in (1, 9, 10)]
    )
    store.close()
    return tmp_path / "home"


def rows(home: Path) -> int:
    store = Store.open(f"sqlite:///{home}/store.db")
    try:
        return store.count_predictions()
    finally:
        store.close()


def test_prune_says_what_it_would_do_and_then_does_it(churn: Churn, home: Path) -> None:
    said = churn("store", "prune", "--keep-days", "5", "--even-unjudged", "--dry-run", "--json")
    assert (said.code, said.json["predictions"], said.json["dry_run"]) == (0, 2, True)
    assert rows(home) == 3
    kept = churn("store", "prune", "--keep-days", "5")
    assert "removed 0 predictions" in kept.out
    assert "2 stay" in kept.out
    assert "removed 2 predictions" in churn("store", "prune", "--keep-days", "5", "--even-unjudged").out
    assert rows(home) == 1


def test_prune_must_be_told_how_long(churn: Churn, home: Path) -> None:
    assert churn("store", "prune").code == 2
    assert churn("store", "prune", "--keep-days", "-1").code == 2
    assert rows(home) == 3


def test_export_prints_all_that_is_known_of_one_customer(churn: Churn, home: Path) -> None:
    spool = Spool(home / "spool", 2**20)
    waiting = Prediction("p0", "c", now(), "1", 0.1, 0.5, False, {}).row()
    spool.append([waiting, waiting._replace(prediction_id="p9"), waiting._replace(customer_id="d")])
    spool.close()
    said = churn("store", "export", "c")
    assert said.code == 0, said.err
    assert said.json["customer_id"] == "c"
    assert [one["prediction_id"] for one in said.json["predictions"]] == ["p1", "p9", "p10"]
    assert [one["prediction_id"] for one in said.json["spooled"]] == ["p0"], "p9 is in the store by now"
    assert churn("store", "export", "").code == 2


def test_a_backup_into_a_folder_is_named_by_its_time_and_restored(churn: Churn, home: Path, tmp_path: Path) -> None:
    made = churn("backup", str(tmp_path / "new" / "backups"), "--without-registry", "--json")
    assert made.code == 0, made.err
    assert made.json["rows"]["store"]["predictions"] == 3
    file = Path(made.json["file"])
    assert file.parent == tmp_path / "new" / "backups"
    assert file.name.startswith("churn-20")
    assert file.stat().st_size == made.json["bytes"]
    refused = churn("restore", str(file), "--without-registry")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    home.rename(tmp_path / "away")
    restored = churn("restore", str(file), "--without-registry")
    assert restored.code == 0, restored.err
    assert "3 predictions" in restored.out
    assert rows(home) == 3


def test_what_is_not_there_is_one_line_and_exit_2(churn: Churn, tmp_path: Path) -> None:
    for said in (churn("restore", "none.tar.gz"), churn("backup", "no/such/folder.tar.gz"), churn("backup", "/dev/null/x")):
        assert said.code == 2
        assert said.err.count("\n") == 1


def test_groups_of_customers_are_stored_and_what_is_no_group_is_refused(
    churn: Churn, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("customer_id,Gender\nc,f\nd,m\n")
    plain = churn("store", "sensitive", groups)
    assert (plain.code, "'telecom' has no column of the role `sensitive`" in plain.err) == (2, True)
    described = yaml.safe_load(resources.files("churn").joinpath("contracts/telecom.yaml").read_text())
    described["columns"].append({"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive"})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(described))
    monkeypatch.setenv("CHURN_CONTRACT", str(tmp_path / "own.yaml"))
    assert "2 customers by gender: 2 levels are new" in churn("store", "sensitive", groups).out
    groups.write_text("customer_id,Gender\nc,m\nd,\n")
    assert "0 levels are new, 1 changed, 1 were removed, 0 are as before" in churn("store", "sensitive", groups).out
    assert churn("store", "export", "c").json["sensitive_levels"][0]["level"] == "m"
    groups.write_text("customer_id,Gender,State\nc,m,OH\n")
    refused = churn("store", "sensitive", groups)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "column 'State': is no sensitive column of the contract: leave it out" in refused.err
