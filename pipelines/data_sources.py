"""Find the training data: the file itself, DVC's remote, the pinned public file, or an invented population and a warning."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from churn.atomic_write import atomic_write
from churn.config.settings import Settings
from churn.config.urls import shown
from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError

# Of the file, as data/'s DVC folder object lists it. dvc.lock and data.dvc pin the same bytes.
TELECOM_MD5 = "7fe5c864ba1d3ab59b4d8810ad813798"
SIMULATED_ROWS = 5_000
# The pinned file has 0.3 MB.
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Source:
    """Where the labelled customers are and how they got there.

    Attributes
    ----------
    path : Path
    simulated : bool
        Whether they are invented.
    how : str
        One sentence for people.
    """

    path: Path
    simulated: bool
    how: str


def pull_data(settings: Settings, contract: Contract) -> Source:
    """Bring the training data, trying the nearest source first.

    Parameters
    ----------
    settings : Settings
    contract : Contract

    Returns
    -------
    Source

    Raises
    ------
    InputError
        If a file does not have the pinned hash: it is never trained on. If no source answers, and the contract has no population
        to invent customers from.
    """
    path = settings.data
    if path.exists():
        if _is_pinned(path):
            _check(path, path.read_bytes())
        return find_data(settings)
    if not _is_pinned(path):
        raise InputError(f"{path}: no such file (CHURN_DATA)")
    if _dvc_pull(settings):
        _check(path, path.read_bytes())
        return Source(path, False, f"{path} pulled by DVC")
    problem = _download(settings, path)
    if problem is None:
        return Source(path, False, f"{path} fetched from its public source, hash checked")
    if contract.population is None:
        # Customers made up from bounds alone would be no stand-in: their model would hold for nobody.
        raise InputError(
            f"{path}: no such file ({problem}), and contract {contract.name!r} has no population to invent customers from; "
            "set CHURN_DATA to a file of labelled customers"
        )
    return _simulated(settings, contract, problem)


def find_data(settings: Settings) -> Source:
    """Find what `pull_data` brought, without bringing anything."""
    # Invented customers stand in for the pinned data alone, never for a file that somebody named.
    invented = [settings.home / "data" / "simulated.csv"] if _is_pinned(settings.data) else []
    for path in (settings.data, *invented):
        if path.exists():
            simulated = _note_of(path).exists()
            return Source(path, simulated, f"{path} is {'invented' if simulated else 'there'}")
    raise InputError(f"{settings.data}: no such file; bring it with: churn data pull")


def _is_pinned(path: Path) -> bool:
    return bool(path == Settings.model_fields["data"].default)


def _check(name: object, content: bytes, remedy: str = "delete it and run: churn data pull") -> None:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != TELECOM_MD5:
        raise InputError(f"{name}: its md5 is {found}, not the pinned {TELECOM_MD5}; {remedy}")


def _dvc_pull(settings: Settings) -> bool:
    """Pull data.dvc from the machine-local remote, where there is one."""
    if not settings.dvc_remote:
        return False
    remote = Path(settings.dvc_remote)
    if not remote.is_dir() or not Path("data.dvc").exists():
        return False
    # For this checkout on this machine only. Without `verify` a corrupt remote is pulled silently.
    for name, value in (
        ("core.remote", "machine"),
        ("remote.machine.url", str(remote.absolute())),
        ("remote.machine.verify", "true"),
    ):
        _dvc("config", "--local", name, value)
    return _dvc("pull", "--quiet", "data.dvc").returncode == 0


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)  # noqa: S603 -- our own interpreter


def _download(settings: Settings, path: Path) -> str | None:
    """Fetch the public file; None if it is there now, else why not. A wrong hash is an error, not a reason to go on."""
    if not settings.data_url:
        return "CHURN_DATA_URL is empty"
    address = shown(settings.data_url)
    try:
        content = _fetch(settings.data_url)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"{address} does not answer ({type(error).__name__})"
    _check(address, content, "set CHURN_DATA_URL to another copy, or to nothing")
    # Beside data/, not in it: DVC pins everything that lies there.
    with _errors_named(path):
        path.parent.mkdir(exist_ok=True)
        with atomic_write(path, staging_folder=path.parent.parent) as staging:
            staging.write_bytes(content)
    return None


def _fetch(address: str) -> bytes:
    """Download a file, unpacked to at most `MAX_BYTES`: a redirect may lead anywhere."""
    content = bytearray()
    with httpx2.stream("GET", address, timeout=20, follow_redirects=True) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MAX_BYTES:
                break
    return bytes(content)


def _simulated(settings: Settings, contract: Contract, problem: str) -> Source:
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

    with _errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _note_of(path).write_text("The customers in the file of this name are invented (churn.simulation.simulate).\n")
    write_csv(dataset, contract, path)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.simulated")
