from __future__ import annotations

import fcntl
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from churn.contract import Contract, load_contract
from tests.checkout import CHECKOUT, FOREIGN_SETTINGS, cache_folder

TELECOM_FILE = "telecom_churn.csv"
REAL_DATA = CHECKOUT / "data" / TELECOM_FILE

# As `prepare_environment` sets it for the commands.
MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}

# The same examples on every run, and nothing remembered on disk: a red test is red for everybody.
hypothesis.settings.register_profile("churn", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("churn")

# How long a test may take, its fixtures included, where that is longer than pyproject.toml says.
SECONDS = {"chaos": 900, "e2e": 900}
# For one that may have to fetch the customers first, or wait for another process that does.
FETCHING_SECONDS = 1_200
# Files that take minutes begin first: at the end of the run a processor would wait for one.
LONGEST_FIRST = (
    *(
        "e2e/test_demo.py",
        "integration/test_benchmarks.py",
        "integration/test_long_benchmarks.py",
        "chaos/test_pipelines.py",
        "e2e/test_compose.py",
        "integration/test_flows.py",
    ),
    *("integration/test_your_own_data.py", "integration/test_replicas_agree.py", "integration/test_lost_prefect.py"),
    *("integration/test_dvc.py", "integration/test_attacks.py", "integration/test_model_changes.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {CHECKOUT / "tests" / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
    fetches = _customers_here() is None
    for item in items:
        seconds = SECONDS.get(item.path.relative_to(CHECKOUT / "tests").parts[0])
        if fetches and "real_data" in getattr(item, "fixturenames", ()):
            seconds = FETCHING_SECONDS
        if seconds is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m long`, do not import the files that have no such test: nine of ten. It is in the file itself that it is marked."""
    if config.option.markexpr == "long" and collection_path.match("test_*.py") and not holds_long_tests(collection_path):
        return True
    return None


def holds_long_tests(file: Path) -> bool:
    """Return whether a file marks tests as long forms."""
    return "pytest.mark.long" in file.read_text()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", type=int, nargs="?", const=40, metavar="FILES", help="show the files that cost the most CPU")
    parser.addoption("--clock", metavar="MOMENT", help="run each test at this moment, UTC: MOMENT is as in ISO 8601")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name binary parameters by their argument: archives hold the time they were made at, and all workers must find one list."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_configure(config: pytest.Config) -> None:
    """Forget the settings of whoever runs the tests, and collect no garbage while modules are imported: all of it stays."""
    for name in filter(FOREIGN_SETTINGS.match, list(os.environ)):
        del os.environ[name]
    gc.disable()
    if shown := config.getoption("--cpu-times"):
        from tests.cpu_times import CpuTimes

        config.pluginmanager.register(CpuTimes(shown))
    if moment := config.getoption("--clock"):
        from tests.shifted_clock import ShiftedClock

        config.pluginmanager.register(ShiftedClock(moment))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let one worker of xdist collect before the others do: the modules that it compiles, they read."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with Path(__file__).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(file, fcntl.LOCK_SH)
        return (yield)


def pytest_collection_finish() -> None:
    """Leave what is there by now out of every later collection, and collect less often: a fifth of the time of many tests."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def _customers_here() -> Path | None:
    cached = cache_folder() / TELECOM_FILE
    named = os.environ.get("CHURN_TEST_DATA")
    return next((path for path in (*([Path(named)] if named else []), REAL_DATA, cached) if path.is_file()), None)


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract("telecom")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real customers: of CHURN_TEST_DATA or the checkout, else fetched once and kept in the user's cache folder."""
    if path := _customers_here():
        return path
    # Imported only here: most tests need no customers.
    from pipelines.data_sources.published import TELECOM
    from tests.published_data import published

    return published(TELECOM, TELECOM_FILE)


@pytest.fixture(scope="session", autouse=True)
def _migrated_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """New stores on SQLite in this process are copies of one that was migrated; see tests/store_template.py."""
    module = sys.modules.get("churn.store.store")
    if module is None:  # no test that was collected has to do with it
        yield
        return
    from tests.store_template import migrated_once

    with migrated_once(tmp_path_factory.mktemp("store-template"), module):
        yield


@pytest.fixture(scope="session")
def migrated_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """New registries in this process are copies of one that MLflow migrated."""
    # Imported only here: with it comes MLflow.
    from tests.registry_template import migrations_run_once

    with migrations_run_once(_shared_folder(tmp_path_factory)):
        yield


@pytest.fixture(scope="session")
def prefect_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of Prefect that nothing is in yet; see tests/prefect_template.py."""
    # Imported only here: with it comes Prefect.
    from tests.prefect_template import migrated_database

    return migrated_database(_shared_folder(tmp_path_factory))


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the workers of xdist share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="module")
def mlflow_environment(migrated_registry: None) -> Iterator[None]:
    """MLflow in this process, as the commands have it, on registries that are copies."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in MLFLOW.items():
            patch.setenv(name, value)
        with warnings.catch_warnings():
            # MLflow warns of its own type hints while it is imported. What it says later is an error as ever.
            warnings.filterwarnings("ignore", message=".*inferred as AnyType", category=UserWarning)
            import mlflow.pyfunc  # noqa: F401
        yield
