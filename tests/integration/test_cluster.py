"""A real Dask cluster of two worker processes: the same numbers as here, also when a worker is killed."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed

from churn.batch.plan import Part, Terms
from churn.batch.run import on_threads, score_folder
from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.errors import ChurnError, InputError
from churn.modeling.training import Trained
from churn.modeling.training_set import assemble
from churn.registry.serialization import dump_pipeline
from churn.simulation.simulate import simulate
from monitoring.drift.null_distribution import draw_maxima
from pipelines.flows.dask_cluster import connected, on_cluster, spread
from pipelines.flows.monitor import Champion, run_on_window
from pipelines.flows.train import tune_and_fit
from tests.integration.files_to_score import CONTRACT, make_scorer, write_folder

pytest.importorskip("distributed", reason="needs Dask: install the extra `dask`")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as started:
            yield started


@pytest.fixture(scope="module")
def address(cluster: Any) -> str:
    return str(cluster.scheduler_address)


@contextmanager
def work_there(cluster: Any) -> Iterator[None]:
    """Spread over the cluster, and see that something was done there."""
    before = cluster.scheduler.transition_counter
    with spread(str(cluster.scheduler_address)):
        yield
    assert cluster.scheduler.transition_counter > before


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))}


def test_a_worker_that_is_killed_costs_no_row_and_the_files_are_those_made_here(address: str, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "customers", parts=24, rows=2_000)
    scorer = make_scorer()
    here = score_folder(scorer, source, tmp_path / "here", Terms(), on_threads())
    killed: list[int] = []

    with connected(address) as client:
        pids: dict[str, int] = client.run(os.getpid)
        whole = on_cluster(client)

        def with_a_murder(scorer: Any, parts: Sequence[Part], terms: Terms, folder: Path, /) -> Iterator[dict[str, Any]]:
            for number, done in enumerate(whole(scorer, parts, terms, folder)):
                if number == 2:
                    victim = next(iter(pids.values()))
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                yield done

        there = score_folder(scorer, source, tmp_path / "there", Terms(), with_a_murder)
        deadline = time.monotonic() + 120
        # One that was just killed, or has not come up whole, does not answer: that is no failure yet.
        while len({*client.run(os.getpid, on_error="ignore").values()} - {killed[0]}) < 2:
            assert time.monotonic() < deadline, "the nanny brings a new worker"
            time.sleep(0.1)

    assert killed
    assert there.rows == here.rows == 48_000
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert not list((tmp_path / "there").rglob(".writing-*"))


def test_a_customer_who_breaks_a_rule_on_a_worker_is_named_here(address: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = write_folder(tmp_path / "customers", parts=2, rows=50)
    table = pq.read_table(source / "part-001.parquet")
    minutes = table.column("total_day_minutes").to_pylist()
    minutes[7] = -1.0
    place = table.column_names.index("total_day_minutes")
    pq.write_table(table.set_column(place, "total_day_minutes", pa.array(minutes)), source / "part-001.parquet")
    with connected(address) as client, pytest.raises(InputError, match=r"part-001\.parquet: row 8, column 'total_day_minutes'"):
        score_folder(make_scorer(), source, tmp_path / "out", Terms(), on_cluster(client))
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_thresholds_are_the_same_bit_for_bit_wherever_they_are_drawn(cluster: Any) -> None:
    rng = np.random.default_rng(1)
    families = [rng.standard_normal((600, tests)).astype(np.float32) for tests in (5, 60)]
    for rows, reference_rows in ((200, 600), (30_000, 40_000)):
        here = draw_maxima(families, rows, reference_rows, 3)
        with work_there(cluster):
            there = draw_maxima(families, rows, reference_rows, 3)
        for one, other in zip(here, there, strict=True):
            np.testing.assert_array_equal(one.maxima, other.maxima)


def test_training_finds_the_same_model_to_the_bit_wherever_candidates_are_fitted(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.flows.train.get_run_logger", logging.getLogger)
    params = load_params(Path("params.yaml"))
    tuning = params.tuning.model_copy(update={"search": "grid", "grid": [{"logreg__C": [0.01, 10.0]}], "folds": 2})
    plain = params.model.model_copy(update={"form": "plain"})
    params = params.model_copy(update={"tuning": tuning, "model": plain})
    training_set = assemble(simulate(CONTRACT, 400, seed=3), None, CONTRACT, params)

    def trained(scheduler: str) -> Trained:
        return tune_and_fit.fn(training_set, CONTRACT, params, "churn", "test", scheduler)

    here = trained("")
    before = cluster.scheduler.transition_counter
    there = trained(str(cluster.scheduler_address))
    assert cluster.scheduler.transition_counter > before
    pd.testing.assert_frame_equal(there.tuned.candidates, here.tuned.candidates, check_exact=True)
    assert dump_pipeline(there.model.pipeline) == dump_pipeline(here.model.pipeline)
    assert there.model.info.reference_digest == here.model.info.reference_digest


def test_a_monitoring_run_works_where_the_setting_says(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> list[int]:
        return list(Parallel(n_jobs=2, prefer="threads")([delayed(os.getpid)()]))

    monkeypatch.setattr("pipelines.flows.monitor.run_monitor", run)
    reference: Any = SimpleNamespace(profile=SimpleNamespace(cache={}))
    nothing: Any = None
    champion = Champion("1", "one", reference, None)
    for scheduler, here in (("", True), (address, False)):
        seen: Any = run_on_window.fn(nothing, CONTRACT, load_settings(dask_scheduler=scheduler), champion)
        assert (seen == [os.getpid()]) is here


def test_a_cluster_that_is_away_fails_scoring_at_once_and_costs_flows_only_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.flows.dask_cluster.CONNECT_SECONDS", 0.5)
    nobody = "tcp://127.0.0.1:1"
    with pytest.raises(ChurnError, match="does not answer"), connected(nobody):
        pass
    with spread(nobody):
        assert sum(range(3)) == 3
    assert "the work is done here" in caplog.text
    with pytest.raises(InputError, match="begins with tcp://"), connected("http://127.0.0.1"):
        pass
