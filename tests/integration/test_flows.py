"""The flows against a real Prefect API, a real MLflow on SQLite and a real store; only the customers are invented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.pipelines.without_engine import PICTURES, empty_figure
from churn.clock import now
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset, read_dataset
from churn.data.labelled import Labelled
from churn.errors import ContractError, NoModel
from churn.ids import new_id
from churn.lifecycle.gate import GateDecision
from churn.modeling.customer_keys import content_bytes
from churn.modeling.model import Model
from churn.registry.registry import Registry
from churn.simulation.simulate import SCENARIOS, simulate, write_csv
from churn.store.records import DecisionAction, DecisionKind, Outcome, Prediction
from churn.store.store import Store
from tests.prefect_template import copy_to_home

# Prefect's own client warns of its own ways.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(900)]

QUICK = """
seed: 17
model: {form: plain}
tuning: {grid: {logreg__C: [1.0]}, folds: 2}
evaluation: {resamples: 100}
gate: {resamples: 200, min_fresh_rows: 100}
"""


@dataclass
class System:
    settings: Settings
    contract: Contract
    store: Store
    registry: Registry

    def serve(self, model: Model, customers: Dataset, *, outcomes: bool = True) -> None:
        """What the service does, without HTTP."""
        probability = model.predict_probability(customers.features)
        batch = [
            Prediction(new_id(), f"c{n}-{new_id()}", now(), model.info.version, float(p), 0.5, bool(p >= 0.5), row)
            for n, (p, row) in enumerate(zip(probability, customers.features.to_dict("records"), strict=True))
        ]
        self.store.write_predictions(batch)
        if outcomes:
            said = [Outcome(bool(y), now(), p.prediction_id) for p, y in zip(batch, customers.labelled, strict=True)]
            assert self.store.write_outcomes(said).accepted == len(batch)


@pytest.fixture(scope="module")
def prefect_api(prefect_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    home = tmp_path_factory.mktemp("prefect")
    copy_to_home(prefect_template, home, "prefect-test.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setattr("prefect.testing.utilities.mkdtemp", lambda: str(home))
        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture(scope="module")
def system(prefect_api: None, migrated_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    from pipelines.flows import training_record

    home = tmp_path_factory.mktemp("home")
    contract = load_contract()
    write_csv(simulate(contract, 3_000, 1, shift=SCENARIOS["before-launch"].shift), contract, home / "customers.csv")
    (home / "params.yaml").write_text(QUICK)
    values = {"home": home, "data": home / "customers.csv", "params": home / "params.yaml", "cooldown_seconds": 0}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"CHURN_{name.upper()}", str(value))
        for name in ("STORE_URL", "TRACKING_URI", "CONTRACT"):
            patch.delenv(f"CHURN_{name}", raising=False)
        # Pictures take as long as all the rest. Those of a training are drawn in tests/e2e/test_demo.py, Evidently's in
        # tests/integration/test_monitor_reports.py, and both in the long form of the demo.
        for draw in PICTURES:
            patch.setattr(training_record, draw, empty_figure)
        settings = load_settings()
        store = Store.open(settings.store_url)
        yield System(settings, contract, store, Registry(settings))
        store.close()


def test_the_flows_close_the_loop(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pipelines.flows import monitor
    from pipelines.flows.monitor import monitor_flow
    from pipelines.flows.train import train_flow

    with pytest.raises(NoModel):
        monitor_flow()

    first = train_flow(trigger="first model")
    assert first["promoted"]
    assert system.registry.champion_version() == first["version"] == "1"
    champion = system.registry.load("champion")
    assert (champion.info.trigger, champion.info.simulated) == ("first model", False)
    assert champion.info.rows == pytest.approx(2250, abs=100)

    same = train_flow(trigger="a whim")
    assert not same["promoted"], "the same model again is not better"
    assert system.registry.champion_version() == "1"
    retrains = system.store.decisions(kind=DecisionKind.RETRAIN)
    assert [(d.action, d.evidence["reason"]) for d in retrains] == [("rejected", "manual"), ("promoted", "first model")]

    assert monitor_flow(pictures=False)["judged"] is False, "nothing to judge yet"
    assert system.store.monitor_runs() == []

    wanted: list[str] = []
    monkeypatch.setattr(monitor, "send_and_note", lambda _store, _name, decision: wanted.append(decision.action))
    calm = simulate(system.contract, 300, 5, shift=SCENARIOS["before-launch"].shift)
    system.serve(champion, calm)
    seen = monitor_flow(pictures=False)
    assert (seen["judged"], seen["action"]) == (True, "none"), seen["reason"]

    changed = simulate(system.contract, 1_600, 6, shift=SCENARIOS["plan-launch"].shift)
    actions: list[str] = []
    for start in (0, 800):
        rows = slice(start, start + 800)
        system.serve(champion, Dataset(changed.features.iloc[rows], changed.labelled.iloc[rows]))
        seen = monitor_flow(pictures=False)
        actions.append(seen["action"])
    # One window may be so clear that it stands for two; whichever it was, a retraining is asked for once.
    assert actions.count("retrain") == 1, seen["reason"]
    assert set(wanted) == {"retrain"}, "what is not noted as sent is sent again"
    run = system.store.monitor_runs()[0]
    assert run.report is not None
    assert Path(run.report).is_file()

    second = train_flow(trigger="drift")
    assert second["promoted"], second["reason"]
    promotion = system.store.decisions(kind=DecisionKind.PROMOTION)[0]
    assert (promotion.actor, promotion.evidence["replaced"], promotion.model_version) == ("gate", "1", second["version"])

    broken = tmp_path / "broken.csv"
    broken.write_text(system.settings.data.read_text().replace("No", "Maybe", 1))
    with pytest.raises(ContractError, match="row 2, column 'international_plan'"):
        train_flow(trigger="schedule", data=str(broken))
    failed = system.store.decisions(kind=DecisionKind.RETRAIN)[0]
    assert (failed.action, failed.evidence["reason"]) == (DecisionAction.FAILED, "schedule")
    assert system.registry.champion_version() == second["version"]


def test_no_gate_or_holdout_customer_was_trained_on_whatever_file_comes(
    system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The base of the labelled file is scored under ids and outcomes come; then a file sorted anew and grown is trained on."""
    from pipelines.flows import train

    met: list[tuple[Model, Model | None, Labelled]] = []
    real_decide = train.decide

    def noted(challenger: Model, champion: Model | None, fresh: Labelled, *rest: Any, **named: Any) -> GateDecision:
        met.append((challenger, champion, fresh))
        return real_decide(challenger, champion, fresh, *rest, **named)

    monkeypatch.setattr(train, "decide", noted)
    base = read_dataset(system.settings.data, system.contract)
    system.serve(system.registry.load("champion"), base)
    lines = system.settings.data.read_text().splitlines(keepends=True)
    write_csv(simulate(system.contract, 500, 99, shift=SCENARIOS["before-launch"].shift), system.contract, tmp_path / "more.csv")
    grown = [*lines[1:], *(tmp_path / "more.csv").read_text().splitlines(keepends=True)[1:]]
    (tmp_path / "grown.csv").write_text("".join([lines[0], *sorted(grown)]))
    results = [train.train_once("manual", data=path) for path in (None, tmp_path / "grown.csv")]

    assert len(met) == 2
    for result, (challenger, champion, fresh) in zip(results, met, strict=True):
        judging = set(content_bytes(fresh.features))
        assert len(judging) > 100
        assert champion is not None
        assert champion.info.split_rule == challenger.info.split_rule != ""
        for version in (champion.info.version, result["version"]):
            learned = system.registry.reference(version)[system.contract.feature_names]
            assert not judging & set(content_bytes(learned))
    # The base is known by its contents there and by ids here: whom either key reserves is never trained on by it.
    evidence = system.store.decisions(kind=DecisionKind.GATE)[0].evidence
    assert evidence["reserved_but_trained_on"] > 100
    assert evidence["checks"]["never_trained_on"]["passed"]


def test_a_run_whose_process_is_gone_is_marked_as_crashed(system: System) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    from pipelines.flows.deployments import make_deployments
    from pipelines.flows.orphaned_runs import crash_orphans

    retrain, monitor = make_deployments(system.settings)
    ids = [deployment.apply() for deployment in (retrain, monitor)]
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(ids[0])
        client.set_flow_run_state(run.id, Running(), force=True)
        assert crash_orphans() == 1
        assert client.read_flow_run(run.id).state.is_crashed()
        described = client.read_deployment(ids[0])
    assert described.concurrency_options.collision_strategy.value == "CANCEL_NEW"
    assert [schedule.schedule.cron for schedule in described.schedules] == [system.settings.retrain_cron]
