"""What a small process costs is what it imports: no clock and no memory is measured here, only `sys.modules`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from churn.clock import now
from churn.store.store import Store
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.estimation import Estimate
from monitoring.performance.metrics import Performance
from tests.unit.monitoring.exporter.test_campaigns import run_campaign
from tests.unit.monitoring.results import make_drift, make_drift_result, make_groups, make_result, make_slice, make_slices

HEAVY = {"pandas", "scipy", "sklearn", "skops", "pyarrow", "mlflow", "prefect", "evidently", "matplotlib", "fastapi", "dask"}
# Scrapes a store, and prints the names of all series and of all modules there are.
PROGRAM = """
import json, sys
from churn.config.settings import load_settings
from churn.store.store import Store
from monitoring.exporter.exporter import MonitorCollector
import pipelines.cli.system
collector = MonitorCollector(lambda: Store.open(sys.argv[1]), load_settings(), seconds=120)
list(collector.collect())
collector._campaigns.wait(120)
series = {sample.name for family in collector.collect() for sample in family.samples}
collector.close()
print(json.dumps([sorted(series), sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_the_exporter_reads_what_others_computed_without_their_libraries(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = Store.open(url)
    estimate = Estimate(100, 0.9, 0.1, 0.2, 1.0, {})
    comparison = PerformanceComparison(Performance(100, brier=0.1), Performance(1500, brier=0.1), estimate)
    result = make_result(
        drift=make_drift(make_drift_result("a", p_value=1e-3, threshold=0.01, impact=0.2)),
        performance=comparison,
        slices=make_slices(make_slice()),
        groups=make_groups(),
    )
    store.write_monitor_run(result.to_record())
    run_campaign(store, "may", now() - timedelta(days=40), left=20, left_held_out=15)
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, url],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[4]), "CHURN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    series, packages = json.loads(done.stdout)
    assert {"churn_monitor_up", "churn_drift_statistic", "churn_brier_score", "churn_campaign_saved"} <= set(series)
    assert not HEAVY & set(packages)
