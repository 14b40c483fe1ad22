"""The outcomes of a run, slice by slice: what is new of each since it was last judged; and gaps between sensitive groups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from churn.config.params import Gap, SliceParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.data.sensitive_levels import sensitive_frame
from churn.evaluation.weights import WEIGHT
from churn.explain.segmenter import Segmenter
from churn.store.records import EPOCH
from churn.store.store import Store
from monitoring.performance.group_gaps import GroupReport, compare_groups
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


def compare_sensitive_groups(
    store: Store, contract: Contract, settings: Settings, window: Window, params: SliceParams, measures: Sequence[Gap]
) -> GroupReport | None:
    """Compare how the model fares for groups of customers, on the newest outcome of each of the last customers with one.

    It is told, and no alarm: what a gap is due to takes a person to say.

    Parameters
    ----------
    store : Store
        Where outcomes are, and what was sent of sensitive columns.
    contract : Contract
        Says which columns are sensitive.
    settings : Settings
        Of them how long a contact has an effect.
    window : Window
        With outcomes to judge.
    params : SliceParams
        How large a group must be.
    measures : sequence of {"recall", "selection_rate", "false_positive_rate"}
        Which gaps.

    Returns
    -------
    GroupReport or None
        None where the contract has no sensitive columns, nothing was sent of them, or it is not known for whom outcomes stand.

    Raises
    ------
    StoreError
        If the store is away.
    """
    if not contract.sensitive:
        return None
    found = store.read_outcomes(
        window.model_version,
        after_outcome_seq=max(window.last_outcome_seq - LOOK_BACK, 0),
        newest=LOOK_BACK,
        mature=(window.mature_until, window.mature_until),
        contact_effect=settings.contact_effect,
    )
    judged = found["churned"].notna() & (found["outcome_seq"] <= window.last_outcome_seq) & found["customer_id"].notna()
    outcomes = found[judged].sort_values("seq", kind="stable").drop_duplicates("customer_id", keep="last")
    if WEIGHT in outcomes and outcomes[WEIGHT].isna().any():
        return None
    known = store.read_sensitive_levels(outcomes["customer_id"].tolist())
    if not known:
        return None
    sensitive = sensitive_frame(outcomes["customer_id"], known, contract)
    return compare_groups(outcomes.reset_index(drop=True), sensitive, contract, params, measures)


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
