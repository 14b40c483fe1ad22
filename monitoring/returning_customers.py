"""Drift of a window: customers who come again are compared with themselves, those who never came with newcomers before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import pandas as pd

from churn.contract import Contract
from churn.explain.segmenter import Segmenter
from churn.store.store import Store
from monitoring.drift.cohorts import Cohorts
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.detect import detect_drift
from monitoring.drift.families.cohort_tests import compare_cohorts, sum_up
from monitoring.drift.paired import compare_pairs
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.results import DriftReport
from monitoring.reported_drift import Moment, ReportedDrift, mark_known_differences, mark_known_moves
from monitoring.slicing import add_segments
from monitoring.windows import MAX_HELD, Window

# Fewer customers who come again are no base: they are judged as if each were new.
MIN_PAIRS = 50
# How alpha is shared where customers come again: what moved since they were last seen; what differs from the reference; and
# whether what was said of that has grown. Where nobody comes again the second has it all.
MOVED, DIFFERS, GROWN = 0.4, 0.5, 0.1
# Of the second share, what newcomers have where they are judged.
NEWCOMERS = 0.1


@dataclass(frozen=True)
class WindowDrift:
    """What a window's customers and predictions say.

    Attributes
    ----------
    drift : DriftReport
        All customers of the window against the reference.
    moved : DriftReport or None
        Those seen before against themselves; None if they are fewer than 50.
    newcomers : DriftReport or None
        Those not seen before against earlier newcomers; None if either are too few.
    reported : tuple of ReportedDrift
        What the next run must know.
    cohorts : Cohorts
        What it must know of newcomers.
    """

    drift: DriftReport
    moved: DriftReport | None
    newcomers: DriftReport | None
    reported: tuple[ReportedDrift, ...]
    cohorts: Cohorts


def judge_window(
    store: Store,
    contract: Contract,
    profile: ReferenceProfile,
    window: Window,
    reported: tuple[ReportedDrift, ...],
    cohorts: Cohorts,
    alpha: float,
    segmenter: Segmenter | None = None,
) -> WindowDrift:
    """Judge the customers and predictions of a window.

    Of more than 20,000 predictions those are paired that the window holds.

    Parameters
    ----------
    store : Store
        Where earlier predictions are.
    contract : Contract
        The description of a customer.
    profile : ReferenceProfile
        Of the model's reference.
    window : Window
        With predictions to judge.
    reported : tuple of ReportedDrift
        What the run before reported, as `WindowDrift` gave it.
    cohorts : Cohorts
        What it knew of newcomers, likewise.
    alpha : float
        In (0, 1): the chance of any alarm without drift.
    segmenter : Segmenter, optional
        Of the model. To find a segment takes fifty times as long as everything else, so of more than 20,000 predictions segments
        are not compared.

    Returns
    -------
    WindowDrift
        Its alarms are news only.

    Raises
    ------
    StoreError
        If the store is away.
    """
    customers = window.customers
    newest = customers["requested_at"].max().to_pydatetime()
    here = Moment(window.last_seq, newest)
    same = _SameCustomers(store, contract, customers, window.model_version)
    before, after = same.pairs(before_seq=window.before_seq)
    if len(after) < MIN_PAIRS:
        moved, shared = None, alpha
    else:
        moved, reported = mark_known_moves(compare_pairs(profile, before, after, MOVED * alpha), reported, here)
        shared = DIFFERS * alpha
    # Most of a base must be known for those who are not to be new: of its first sight all would be.
    if moved is not None and 2 * len(after) >= len(same.by_seq):
        new = same.by_seq[~same.by_seq["seq"].isin(after["seq"])]
        gap = (after["requested_at"] - before["requested_at"]).dt.total_seconds().median()
        cohorts = cohorts.joined_by(sum_up(new, after, profile), timedelta(seconds=gap) / timedelta(days=1))
    newcomers = None
    if cohorts.can_judge:
        newcomers = compare_cohorts(profile, cohorts.earlier, cohorts.waiting, NEWCOMERS * alpha)
        cohorts = cohorts.judged(drifted=bool(newcomers.drifted))
        shared -= NEWCOMERS * alpha
    known: dict[Moment, DriftReport | None] = {}

    def moved_since(one: ReportedDrift) -> DriftReport | None:
        then = Moment(one.last_seq, one.until)
        if then not in known:
            before, after = same.pairs(before_seq=one.last_seq + 1, until=one.until)
            same_people = len(after) >= max(MIN_PAIRS, len(customers) / 2)
            known[then] = compare_pairs(profile, before, after, GROWN * alpha) if same_people else None
        return known[then]

    parts = window.parts() if window.rows > MAX_HELD else (add_segments(part, segmenter) for part in window.parts())
    drift, reported = mark_known_differences(detect_drift(profile, parts, contract, shared), reported, here, moved_since)
    return WindowDrift(drift, moved, newcomers, reported, cohorts)


@dataclass(frozen=True)
class _SameCustomers:
    """What a window's customers look like now, and what they looked like before."""

    store: Store
    contract: Contract
    customers: pd.DataFrame
    model_version: str

    @cached_property
    def by_seq(self) -> pd.DataFrame:
        """Those who name themselves."""
        return self.customers[self.customers["customer_id"].notna()].set_index("seq", drop=False)

    def pairs(self, *, before_seq: int, until: datetime | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the same customers before and now, line by line; answers of another model are no answers."""
        seqs = self.by_seq["seq"].tolist()
        if not seqs:
            return self.by_seq, self.by_seq
        before = self.store.read_last_seen(self.contract, seqs, before_seq=before_seq, until=until)
        before[PROBABILITY] = before[PROBABILITY].where(before["model_version"] == self.model_version)
        return before, self.by_seq.loc[before["now"]].reset_index(drop=True)
