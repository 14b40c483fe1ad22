"""What the demo does around its loop: whose customers, a system of its own, what it shows and what it takes away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from churn.config.settings import Settings
from churn.contract import Contract
from churn.data.dataset import Dataset
from pipelines.data_sources.source import Source
from pipelines.demo import demo
from pipelines.demo.customers import Cast
from pipelines.demo.demo import DemoFailed
from pipelines.demo.report import describe_drift
from tests.unit.monitoring.results import make_drift, make_drift_result, make_result
from tests.unit.pipelines.demo.fakes import CAST, Store, people


def test_drift_is_told_with_the_most_surprising_first() -> None:
    drift = make_drift(
        make_drift_result("a", p_value=0.001, measure="mean", reference=1.23456, current=None),
        make_drift_result("b", p_value=0.0001, measure="share", reference=0.5, current=0.25),
        make_drift_result("c", p_value=0.9, drifted=False),
    )
    assert describe_drift(make_result(drift=drift)) == "b: share 0.5 → 0.25; a: mean 1.23 → none"
    assert describe_drift(make_result(drift=None)) == ""


def test_the_newest_report_is_kept(tmp_path: Path) -> None:
    for name in ("1.html", "2.html"):
        (tmp_path / name).write_text(name)
    reports = [str(tmp_path / "1.html"), str(tmp_path / "2.html")]
    kept = demo._kept(reports, tmp_path)
    assert (kept, Path(kept).read_text()) == (str(tmp_path / "last-monitoring-run.html"), "2.html")
    assert demo._kept([], tmp_path) == "none was written"
    assert demo._kept([str(tmp_path / "gone.html")], tmp_path) == "none was written"


@pytest.mark.parametrize("simulated", [True, False])
def test_real_customers_are_read_and_invented_ones_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], contract: Contract, simulated: bool
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(demo, "pull_data", lambda *_: Source(Path("x.csv"), simulated, "NO REAL DATA"))
    monkeypatch.setattr(demo, "read_dataset", lambda path, _contract: f"read from {path}")
    monkeypatch.setattr(demo, "population", lambda *arguments: given.append(arguments) or "everybody")
    monkeypatch.setattr(demo, "deal_out", lambda dataset, seed: (dataset, seed))
    assert demo._people(Settings(seed=5), contract) == ("everybody", 5)
    assert given == [(contract, None if simulated else "read from x.csv", 5)]
    assert ("NO REAL DATA. This demo runs on invented customers." in capsys.readouterr().err) is simulated


@pytest.fixture
def environment() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("CHURN_", "PREFECT_", "MLFLOW_"))]:
            del os.environ[name]
        yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.usefixtures("environment")
def test_the_demo_has_a_system_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulated: bool) -> None:
    written: list[tuple[str, Path]] = []
    monkeypatch.setattr(demo, "write_simulated", lambda _data, _contract, path: written.append(("simulated", path)))
    monkeypatch.setattr("churn.simulation.simulate.write_csv", lambda _data, _contract, path: written.append(("real", path)))
    home = tmp_path / "home" / "demo"
    home.mkdir(parents=True)
    (home / "of an earlier demo").touch()
    contract: Any = None
    settings = demo._own_system(Settings(home=tmp_path / "home"), people(simulated=simulated), contract, policy_k=1)
    assert (settings.policy_k, settings.policy_n) == (1, Settings().policy_n)
    assert written == [("simulated" if simulated else "real", settings.data)]
    assert settings.home == home
    assert settings.data == home / "data" / "before-the-launch.csv"
    assert sorted(path.name for path in home.iterdir()) == ["data", "prefect"]
    assert (settings.store_url, settings.tracking_uri) == (f"sqlite:///{home}/store.db", f"sqlite:///{home}/mlflow.db")
    assert (settings.min_window_rows, settings.monitor_interval_seconds, settings.cooldown_seconds) == (100, 86_400, 0)
    assert settings.registry_poll_seconds == 0.5
    ports = {settings.port, settings.mlflow_port, settings.prefect_port, settings.evidently_port, settings.exporter_port}
    assert len(ports) == 5
    assert not ports & {8000, 5000, 4200, 8085, 8090}
    assert os.environ["PREFECT_API_URL"] == f"http://127.0.0.1:{settings.prefect_port}/api"
    assert os.environ["PREFECT_HOME"] == str(home / "prefect")


class Around:
    """What `run` does around the loop, with a loop that does nothing or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        self.steps: list[str] = []
        self.loops: list[Any] = []
        self.fails = False
        self.own = own = Settings(home=home / "demo", port=8765)
        self.told: dict[str, object] = {}
        around = self

        class Loop:
            def __init__(self, settings: Settings, contract: Contract, client: Any, cast: Cast, *, pictures: bool) -> None:
                self.people, self.store, self.pictures = cast, Store(), pictures
                self.results, self.reports = ["a window"], ["a report"]
                around.loops.append(self)

            def close(self) -> None:
                around.steps.append("loop")
                if around.fails:
                    raise DemoFailed("a step")

        @contextmanager
        def running(settings: Settings, *, looked_at: bool) -> Iterator[None]:
            assert (settings, looked_at) == (own, False)
            around.steps.append("up")
            try:
                yield
            finally:
                around.steps.append("down")

        @contextmanager
        def client(address: str, _contract: Contract) -> Iterator[None]:
            around.steps.append(address)
            yield

        for name, value in {
            "Loop": Loop,
            "running": running,
            "Client": client,
            "_people": lambda *_: CAST,
            "_own_system": self._own_system,
            "print_windows": lambda results: around.steps.append(f"table of {results}"),
            "draw_windows": lambda _results, path: path,
            "_kept": lambda reports, out: f"{reports} in {out}",
        }.items():
            monkeypatch.setattr(demo, name, value)

    def _own_system(self, _settings: Settings, training: Dataset, _contract: Contract, **more: object) -> Settings | None:
        self.told = more
        return self.own if training is CAST.training else None


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: None) -> Callable[..., Around]:
    made = Around(monkeypatch, tmp_path)

    def run(*, fails: bool = False, results: bool = True, **named: bool) -> Around:
        (tmp_path / "demo").mkdir(exist_ok=True)
        made.fails = fails
        demo.run(Settings(home=tmp_path), tmp_path / "deep" / "out", **named)
        return made

    run.made = made  # type: ignore[attr-defined]
    return run


def test_the_demo_starts_its_system_closes_the_loop_and_takes_it_down(
    around: Callable[..., Around], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = around()
    assert found.steps == ["up", "http://127.0.0.1:8765", "loop", "table of ['a window']", "down"]
    assert found.loops[0].people is CAST
    assert found.loops[0].pictures
    assert found.loops[0].store.closed
    assert not (tmp_path / "demo").exists()
    said = capsys.readouterr().out
    assert f"plot    {tmp_path}/deep/out/windows.png" in said
    assert f"report  ['a report'] in {tmp_path}/deep/out" in said
    assert "the loop closed in 0 s" in said
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert os.environ["DO_NOT_TRACK"] == "true"


def test_the_short_demo_has_every_step_with_fewer_windows(around: Callable[..., Around]) -> None:
    found = around(short=True)
    cast = found.loops[0].people
    assert (cast.training, found.loops[0].pictures) == (CAST.training, False)
    assert [len(window) for window in cast.calm] == [sum(map(len, CAST.calm[:2]))]
    assert [len(window) for window in cast.mixed] == [20 + 22, 24]
    assert cast.mixed[1] is CAST.mixed[2]
    assert found.told == {"policy_k": 1, "policy_n": 1}
    assert around().told == {}


def test_the_state_stays_if_it_is_asked_for(around: Callable[..., Around], tmp_path: Path) -> None:
    around(keep=True)
    assert (tmp_path / "demo").exists()


def test_a_demo_that_fails_shows_what_it_has_and_takes_its_system_down(
    around: Callable[..., Around], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DemoFailed, match="a step"):
        around(fails=True)
    found: Around = around.made  # type: ignore[attr-defined]
    assert found.steps[-2:] == ["table of ['a window']", "down"]
    assert found.loops[0].store.closed
    assert "closed" not in capsys.readouterr().out
