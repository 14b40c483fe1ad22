"""What scores files, and where their answers are logged: for `churn score`, and for the flow that does it by schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from churn.batch.log import FileLog
from churn.batch.model import Scorer, ScoringModel
from churn.campaigns.control_group import ControlGroup
from churn.config.settings import Settings
from churn.contract import Contract
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import NoModel, RegistryError
from churn.lifecycle.actor import current_user
from churn.registry.aliases import NO_CHAMPION
from churn.store.contacts.opted_out import OptedOut
from churn.store.store import Store
from pipelines.console import warn
from service.model_loading.registry_source import RegistrySource
from service.scoring.scorer import CompiledScorer
from service.scoring.served_model import ServedModel


def find_scorer(settings: Settings, contract: Contract, version: str, *, segment: bool = False) -> Scorer:
    """Load a model from the registry as the service does; the last known good one, said loudly, if the registry is away.

    Parameters
    ----------
    settings : Settings
    contract : Contract
    version : str
        Number or alias.
    segment : bool
        Whether the answers are to name each customer's segment.

    Returns
    -------
    Scorer

    Raises
    ------
    NoModel, RegistryError, ModelRefused
    NoSegments
        If segments are asked for and the model knows none.
    """
    found = RegistrySource(settings, contract)
    try:
        served = _registered(found, version)
        if version == "champion":
            found.save_last_known_good(served)
    except NoModel:
        raise
    except RegistryError as away:
        last: ServedModel | None = found.load_last_known_good(True)
        if last is None or version not in ("champion", last.version):
            raise
        served = last
        warn(str(away))
        warn(f"scoring with the last known good model, version {last.version}, which may not lead any more")
    compiled = served.scorer.compiled.to_document() if isinstance(served.scorer, CompiledScorer) else None
    info = served.info
    control = ControlGroup(settings.control_share, settings.control_key)
    segments = served.require_segments().segments.model_dump(mode="json") if segment else None
    known = ScoringModel(
        *(settings.model_name, info.version, info.run_id, info.threshold, compiled, contract, control),
        info.profit,
        segments,
        info.segments,
    )
    return Scorer.of(known, None if compiled is not None else served.scorer.many)


def with_opt_outs(scorer: Scorer, settings: Settings) -> Scorer:
    """Return a scorer whose answers say of who wants no contacts that there is nothing to do.

    Parameters
    ----------
    scorer : Scorer
    settings : Settings
        Where the store is. A file of SQLite that is not there knows of nobody.

    Returns
    -------
    Scorer

    Raises
    ------
    StoreError
        If the store is away: then nobody knows.
    """
    url = make_url(settings.store_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        return scorer
    key = settings.pseudonym_key.get_secret_value()
    store = Store.open(settings.store_url)
    try:
        found = store.opt_out_changes(None)
    finally:
        store.close()
    if found is None:
        return scorer
    known = OptedOut(pseudonym=Pseudonymiser(key) if key else None).changed(found.wanting_none, found.willing)
    return replace(scorer, model=replace(scorer.model, opted_out=known))


@contextmanager
def open_log(
    settings: Settings,
    as_of: datetime | None,
    on_wait: Callable[[str], None],
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Iterator[FileLog]:
    """Open the store as the place where scored customers are logged.

    Parameters
    ----------
    settings : Settings
    as_of, on_wait, on_rows
        See `churn.batch.log.FileLog`.

    Yields
    ------
    FileLog

    Raises
    ------
    StoreError
        If the store is away.
    """
    key = settings.pseudonym_key.get_secret_value()
    store = Store.open(settings.store_url)
    try:
        yield FileLog(store, current_user(), as_of, Pseudonymiser(key) if key else None, on_wait, on_rows)
    finally:
        store.close()


def _registered(found: Any, version: str) -> ServedModel:
    aliases = found.aliases()
    if version == "champion" and version not in aliases:
        raise NoModel(NO_CHAMPION)
    served: ServedModel = found.load(aliases.get(version, version))
    return served
