"""The outcomes of a run, slice by slice: what is new of each since it was last judged, and sensitive groups at first sight."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
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
from monitoring.sensitive_slices import LOOK_BACK, SensitiveSlices, find_sensitive_slices, read_judged, with_levels
from monitoring.slice_quality import SliceQuality, SliceReport, SliceSince, judge_slices, take_baseline
from monitoring.slicing import Members, add_segments
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
    start = (0, EPOCH) if before is None else (before.window.last_outcome_seq, before.window.mature_until)
    here = window.last_outcome_seq, window.mature_until
    earlier = SliceReport(alpha, (), ()) if before is None or before.slices is None else before.slices
    known = {(one.column, one.level): one for one in earlier.since}
    first = _judge_at_first_sight(store, contract, settings, window, reference, earlier.introduced, alpha)
    familiar = _with_sensitive(contract, earlier.introduced)
    params = reference.slicing.params
    sensitive = (
        None if before is None else find_sensitive_slices(store, familiar, settings, window.model_version, params, known, start)
    )
    baselines = (*reference.baselines, *(sensitive.baselines if sensitive is not None else ()))
    if not baselines and not first and not earlier.introduced:
        return None
    since = [
        known.get((rule.column, rule.level), SliceSince(rule.column, rule.level, *start)) for rule in reference.slicing.rules
    ]
    since += sensitive.since if sensitive is not None else ()
    judged: tuple[SliceQuality, ...] = ()
    if baselines:
        # Their features are read, which the other tests do without.
        outcomes = add_segments(_with_features(store, contract, _outcomes(store, settings, window, since, start)), segmenter)
        groups = None if sensitive is None else sensitive.members_of(with_levels(store, familiar, outcomes))
        members = _new_members(reference, outcomes, groups, since)
        min_customers = params.min_rows if sensitive is None else max(params.min_rows, MIN_CUSTOMERS)
        judged = judge_slices(baselines, outcomes, members, min_customers, alpha / 2 if first else alpha)
    if first:
        # Two families share alpha.
        judged = tuple(replace(one, p_value=min(1.0, 2 * one.p_value)) for one in (*judged, *first))
    done = {(one.column, one.level) for one in judged}
    since += [SliceSince(one.column, one.level, *start) for one in first]
    next_since = tuple(SliceSince(one.column, one.level, *here) if (one.column, one.level) in done else one for one in since)
    return SliceReport(alpha, judged, next_since, tuple(dict.fromkeys((*earlier.introduced, *(one.column for one in first)))))


def _new_members(reference: Reference, outcomes: pd.DataFrame, groups: Members | None, since: list[SliceSince]) -> Members:
    """Return whose outcome is new in which slice: those of the reference first, then groups by sensitive columns."""
    members = reference.slicing.members_of(outcomes)
    if groups is not None:
        members = np.concatenate([members, groups], axis=1)
    for place, one in enumerate(since):
        members[:, place] &= one.is_new(outcomes)
    return members


def _judge_at_first_sight(
    store: Store,
    contract: Contract,
    settings: Settings,
    window: Window,
    reference: Reference,
    introduced: tuple[str, ...],
    alpha: float,
) -> tuple[SliceQuality, ...]:
    """Judge groups by sensitive columns that no run of this version has judged, on all its outcomes, with half of alpha.

    What a version does to a group from its first day on is there in all its outcomes, so these tell nothing of it by themselves.
    Its reference does not know the group, but what was to be expected of all customers: by that, no group is to fare worse.
    """
    new = _with_sensitive(contract, [column.name for column in contract.sensitive if column.name not in introduced])
    if not new.sensitive or reference.outcomes.empty:
        return ()
    here = window.last_outcome_seq, window.mature_until
    outcomes = with_levels(store, new, read_judged(store, settings, window.model_version, here))
    slices = SensitiveSlices.of(outcomes, new, reference.slicing.params, {}, here)
    baselines = [take_baseline(one.rule, reference.outcomes, learned=False) for one in slices.baselines]
    min_customers = max(reference.slicing.params.min_rows, MIN_CUSTOMERS)
    judged = judge_slices(baselines, outcomes, slices.members_of(outcomes), min_customers, alpha / 2)
    return tuple(replace(one, first=True) for one in judged)


def _with_sensitive(contract: Contract, names: Collection[str]) -> Contract:
    """Return a contract with these of its sensitive columns alone."""
    kept = tuple(column for column in contract.columns if column.role != "sensitive" or column.name in names)
    return contract.model_copy(update={"columns": kept})


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
