"""The outcomes of a run, slice by slice: what is new of each since it was last judged."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from churn.config.settings import Settings
from churn.contract import Contract
from churn.explain.segmenter import Segmenter
from churn.store.records import EPOCH
from churn.store.store import Store
from monitoring.performance.group_gaps import MIN_CUSTOMERS
from monitoring.reference import Reference
from monitoring.run_result import RunResult
from monitoring.sensitive_slices import LOOK_BACK, find_sensitive_slices, with_levels
from monitoring.slice_quality import SliceReport, SliceSince, judge_slices
from monitoring.slicing import add_segments
from monitoring.windows import Window


def judge_outcomes_by_slice(
    store: Store,
    contract: Contract,
    settings: Settings,
    window: Window,
    reference: Reference,
    before: RunResult | None,
    alpha: float,
    segmenter: Segmenter | None = None,
) -> SliceReport | None:
    """Judge each slice that has enough outcomes since it was last judged.

    Parameters
    ----------
    store : Store
        Where outcomes and features are.
    contract : Contract
        The description of a customer.
    settings : Settings
        Of them how long a contact has an effect.
    window : Window
        With outcomes to judge.
    reference : Reference
        Of the model version.
    before : RunResult or None
        The newest run on this version that judged outcomes.
    alpha : float
        In (0, 1): the chance of any alarm if nothing changed.
    segmenter : Segmenter, optional
        Of the version, as the reference was made with.

    Returns
    -------
    SliceReport or None
        None where neither the reference has slices nor the company sends sensitive columns.

    Raises
    ------
    StoreError
        If the store is away.
    """
    params = reference.slicing.params
    start = (0, EPOCH) if before is None else (before.window.last_outcome_seq, before.window.mature_until)
    known = {} if before is None or before.slices is None else {(one.column, one.level): one for one in before.slices.since}
    sensitive = (
        None if before is None else find_sensitive_slices(store, contract, settings, window.model_version, params, known, start)
    )
    baselines = (*reference.baselines, *(sensitive.baselines if sensitive is not None else ()))
    if not baselines:
        return None
    since = [
        known.get((rule.column, rule.level), SliceSince(rule.column, rule.level, *start)) for rule in reference.slicing.rules
    ]
    since += sensitive.since if sensitive is not None else ()
    # Their features are read, which the other tests do without.
    outcomes = add_segments(_with_features(store, contract, _outcomes(store, settings, window, since, start)), segmenter)
    members = reference.slicing.members_of(outcomes)
    fewest = params.min_rows
    if sensitive is not None:
        groups = sensitive.members_of(with_levels(store, contract, outcomes))
        members, fewest = np.concatenate([members, groups], axis=1), max(fewest, MIN_CUSTOMERS)
    for place, one in enumerate(since):
        members[:, place] &= one.is_new(outcomes)
    judged = judge_slices(baselines, outcomes, members, fewest, alpha)
    done = {(one.column, one.level) for one in judged}
    here = window.last_outcome_seq, window.mature_until
    next_since = tuple(SliceSince(one.column, one.level, *here) if (one.column, one.level) in done else one for one in since)
    return SliceReport(alpha, judged, next_since)


def _outcomes(
    store: Store, settings: Settings, window: Window, since: list[SliceSince], start: tuple[int, datetime]
) -> pd.DataFrame:
    """Return the newest outcomes that some slice was not judged on: those of the window, and those that waited."""
    if all((one.outcome_seq, one.mature_until) == start for one in since):
        return window.labelled.tail(LOOK_BACK)
    found = store.read_outcomes(
        window.model_version,
        after_outcome_seq=min(one.outcome_seq for one in since),
        newest=LOOK_BACK,
        mature=(min(one.mature_until for one in since), window.mature_until),
        contact_effect=settings.contact_effect,
    )
    return found[found["churned"].notna() & (found["outcome_seq"] <= window.last_outcome_seq)]


def _with_features(store: Store, contract: Contract, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes with what their customers looked like; those whose prediction was removed are left out."""
    return outcomes.merge(store.read_features(contract, outcomes["seq"].tolist()), on="seq")
