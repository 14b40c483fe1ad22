"""What earlier runs said of the same customers: it is said once, and again only once it has grown.

A base that is scored again and again makes windows of the same people. If the base differs from the reference, every window does,
and if its usage moves with each bill, it does so each month. That is no news, and no alarm. Pure: it reads and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from monitoring.drift.results import DriftReport, DriftResult

# A deviation is forgotten once nothing is left to see of it, not once it is just below the threshold: there it would come and go.
FORGOTTEN_P = 0.5
# A move that comes again within so long is usual: bills, and ages, come once a month.
USUAL_WITHIN = timedelta(days=62)

Of = Literal["differs", "moved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDrift:
    """A drifted result as it was when it was said.

    Attributes
    ----------
    of : {"differs", "moved"}
        The base from the reference, or its customers since they were last seen.
    feature, aspect, detail : str
        As in `DriftResult.key`.
    rises : bool
        The sign of the shift.
    statistic, standard_error : float
        Its size then, and how much of that is chance.
    last_seq, until : int, datetime
        How far the run came that said it, in the store's numbering, and when its newest prediction was asked for: by them is
        found what customers looked like then.
    seen_at : datetime
        When a run last found it.
    """

    of: Of
    feature: str
    aspect: str
    detail: str | None
    rises: bool
    statistic: float
    standard_error: float
    last_seq: int
    until: datetime
    seen_at: datetime

    @property
    def key(self) -> tuple[str, str, str, str | None, bool | None]:
        """What it is about. Moves up and down are usual each for itself: an error that comes, and is mended."""
        return self.of, self.feature, self.aspect, self.detail, self.rises if self.of == "moved" else None


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run stands: what it says from now on is said of the customers as they are there."""

    last_seq: int
    until: datetime


def mark_known_moves(
    report: DriftReport, reported: tuple[ReportedDrift, ...], here: Moment
) -> tuple[DriftReport, tuple[ReportedDrift, ...]]:
    """Tell news from what is usual among the moves since customers were last seen.

    A move is usual if one in the same direction was found within two months, and it is not larger than that beyond chance: usage
    moves with each bill, and whoever stays grows older.

    Parameters
    ----------
    report : DriftReport
        Of `monitoring.drift.paired`.
    reported : tuple of ReportedDrift
        What earlier runs said; what is not about moves is passed through.
    here : Moment
        Of this run.

    Returns
    -------
    DriftReport
        With `known` where it is usual.
    tuple of ReportedDrift
        What the next run must know.
    """
    remembered = tuple(one for one in reported if one.of != "moved" or here.until - one.seen_at <= USUAL_WITHIN)
    return _mark_known("moved", report, remembered, here, lambda now, before: _beyond_chance(now, before, report))


def mark_known_differences(
    report: DriftReport,
    reported: tuple[ReportedDrift, ...],
    here: Moment,
    moved_since: Callable[[ReportedDrift], DriftReport | None],
) -> tuple[DriftReport, tuple[ReportedDrift, ...]]:
    """Tell news from what was said before among the differences of a base from the reference.

    A difference is news if nobody said it, if it was said of other people, or if it grew: it is larger, or in the other
    direction, and the customers moved in this column since (pair by pair, so that chance in who they are plays no part). It is
    forgotten once nothing is left to see of it.

    Parameters
    ----------
    report : DriftReport
        Of `monitoring.drift.detect`.
    reported : tuple of ReportedDrift
        What earlier runs said; what is not about differences is passed through.
    here : Moment
        Of this run.
    moved_since : function
        Compares the customers with themselves as they were when something was said; None if they are mostly other people.

    Returns
    -------
    DriftReport
        With `known` where it was said before.
    tuple of ReportedDrift
        What the next run must know.
    """
    forgotten = {_as_reported("differs", result, report, here).key for result in report.results if result.p_value > FORGOTTEN_P}
    remembered = tuple(one for one in reported if one.key not in forgotten)
    return _mark_known("differs", report, remembered, here, lambda now, before: _grew(now, before, report, moved_since))


def _mark_known(
    of: Of,
    report: DriftReport,
    reported: tuple[ReportedDrift, ...],
    here: Moment,
    is_more: Callable[[ReportedDrift, ReportedDrift], bool],
) -> tuple[DriftReport, tuple[ReportedDrift, ...]]:
    """Mark as known what was said before and is not more now; return also what the next run must know."""
    kept = {one.key: one for one in reported}
    results = []
    for result in report.results:
        now = _as_reported(of, result, report, here)
        before = kept.get(now.key)
        known = result.drifted and before is not None and not is_more(now, before)
        if result.drifted:
            kept[now.key] = now if before is None or not known else replace(before, seen_at=max(here.until, before.seen_at))
        results.append(replace(result, known=known))
    return replace(report, results=tuple(results)), tuple(kept.values())


def _grew(
    now: ReportedDrift, before: ReportedDrift, report: DriftReport, moved_since: Callable[[ReportedDrift], DriftReport | None]
) -> bool:
    since = moved_since(before)
    if since is None:
        return True
    if now.aspect in ("dependence", "slice"):
        # What hangs together, and groups, are not compared pair by pair.
        return _beyond_chance(now, before, report)
    moved = any(move.drifted and move.key == (now.feature, now.aspect, now.detail) for move in since.results)
    return moved and (now.rises != before.rises or now.statistic > before.statistic)


def _beyond_chance(now: ReportedDrift, before: ReportedDrift, report: DriftReport) -> bool:
    """Return whether a difference goes beyond an earlier one by more than chance, for any of a report's tests."""
    from scipy import stats

    bound = float(stats.norm.isf(report.alpha / (2 * max(report.tests, 1))))
    gone = now.statistic - before.statistic if now.rises == before.rises else now.statistic + before.statistic
    return gone > bound * math.hypot(now.standard_error, before.standard_error)


def _as_reported(of: Of, result: DriftResult, report: DriftReport, here: Moment) -> ReportedDrift:
    feature, aspect, detail = result.key
    return ReportedDrift(
        of=of,
        feature=feature,
        aspect=aspect,
        detail=detail,
        rises=(result.shift or 0.0) > 0,
        statistic=result.statistic,
        standard_error=1 / math.sqrt(max(report.rows, 1)) if result.standard_error is None else result.standard_error,
        last_seq=here.last_seq,
        until=here.until,
        seen_at=here.until,
    )
