"""The outcomes of a run, slice by slice: what is new of each since it was last judged."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from churn.config.settings import Settings
from churn.contract import Contract
from churn.explain.segmenter import Segmenter
from churn.store.records import EPOCH
from churn.store.store import Store
from monitoring.reference import Reference
from monitoring.run_result import RunResult
from monitoring.slice_quality import SliceReport, SliceSince, judge_slices
from monitoring.slicing import add_segments
from monitoring.windows import Window

# Of more outcomes the newest: their features are read, which the other tests do without.
LOOK_BACK = 20_000


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
        None where the reference has no slices.

    Raises
    ------
    StoreError
        If the store is away.
    """
    if not reference.baselines:
        return None
    start = (0, EPOCH) if before is None else (before.window.last_outcome_seq, before.window.mature_until)
    known = {} if before is None or before.slices is None else {(one.column, one.level): one for one in before.slices.since}
    since = [
        known.get((rule.column, rule.level), SliceSince(rule.column, rule.level, *start)) for rule in reference.slicing.rules
    ]
    outcomes = add_segments(_with_features(store, contract, _outcomes(store, settings, window, since, start)), segmenter)
    members = reference.slicing.members_of(outcomes)
    for place, one in enumerate(since):
        new = (outcomes["outcome_seq"] > one.outcome_seq) | (outcomes["requested_at"] > one.mature_until)
        members[:, place] &= new.to_numpy()
    judged = judge_slices(reference.baselines, outcomes, members, reference.slicing.params.min_rows, alpha)
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
