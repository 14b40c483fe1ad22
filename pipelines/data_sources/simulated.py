"""Invented customers where no real ones can be had, marked so that no model trained on them passes for real."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from churn.config.settings import Settings
from churn.contract import Contract
from churn.data.dataset import Dataset
from pipelines.data_sources.source import Source, note_of, write_errors_named

SIMULATED_ROWS = 5_000


def simulate_data(settings: Settings, contract: Contract, problem: str) -> Source:
    """Invent customers to train on, in CHURN_HOME.

    Parameters
    ----------
    settings : Settings
    contract : Contract
        Has a population.
    problem : str
        Why there are no real ones.

    Returns
    -------
    Source
        Says loudly that they are invented.
    """
    from churn.simulation.simulate import simulate

    path = settings.home / "data" / "simulated.csv"
    write_simulated(simulate(contract, SIMULATED_ROWS, settings.seed), contract, path)
    return Source(path, True, f"NO REAL DATA: {problem}. {SIMULATED_ROWS:,} INVENTED customers are used instead, in {path}")


def write_simulated(dataset: Dataset, contract: Contract, path: Path) -> None:
    """Write invented customers as CSV, with a note beside the file so that no model trained on them passes for real.

    Parameters
    ----------
    dataset : Dataset
    contract : Contract
    path : Path
        Where to write it.
    """
    from churn.simulation.simulate import write_csv

    try:
        with write_errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            note_of(path).write_text("The customers in the file of this name are invented (churn.simulation.simulate).\n")
        write_csv(dataset, contract, path)
    except BaseException:
        # Left there, it would mark whatever gets this name next.
        if not path.exists():
            with suppress(OSError):
                note_of(path).unlink(missing_ok=True)
        raise
