"""The reasons of the policy, in words: what a monitoring run found, most important first."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.drift.results import DriftResult
from monitoring.run_result import Findings

# Features, or groups, that a reason names.
MAX_NAMED = 3


def describe_for_a_person(current: Findings) -> str:
    """Say what no retraining is known to mend: that nothing more can be known, or groups that a version never served well.

    Parameters
    ----------
    current : Findings

    Returns
    -------
    str
    """
    if current.window.blind or current.window.leavers_only:
        return f"whether the model holds can no longer be known: {current.window.labels}"
    missed = f"the model misses groups since the first outcomes of its version: {_listed(current.missed_groups)}"
    return f"{missed}; it takes a person to say what helps them"


def describe_drift(run: Findings) -> str:
    """Say what moved since it was last seen, how newcomers differ, and what differs from the reference, as far as it is news.

    Parameters
    ----------
    run : Findings

    Returns
    -------
    str
    """
    found = []
    if run.moved is not None and (moved := name_features(run.moved.news, note=False)):
        found.append(f"{run.moved.rows} customers moved since they were last seen{moved}")
    if run.newcomers is not None and (unlike := name_features(run.newcomers.news, note=False)):
        found.append(f"{run.newcomers.rows} newcomers are unlike the {run.newcomers.reference_rows} before them{unlike}")
    if run.drift is not None and (differs := name_features(run.drift.news, note=False)):
        found.append(f"{run.rows} predictions drifted from the reference{differs}")
    return ", and ".join(found)


def describe_calm(run: Findings, noted: str) -> str:
    """Say that nothing is new.

    Parameters
    ----------
    run : Findings
    noted : str
        Columns that moved and that the model ignores, as `name_features` names them.

    Returns
    -------
    str
    """
    known = name_features(run.drift.known if run.drift else (), note=None)
    if known:
        calm = f"the {run.rows} new predictions differ from the reference only as was said before{known}"
    else:
        calm = f"the {run.rows} new predictions look like the reference"
    if run.moved is not None and not run.moved.news:
        calm += f", and nothing moved since {run.moved.rows} of their customers were last seen"
    return f"{calm}, but for columns that the model ignores{noted}" if noted else calm


def describe_violations(run: Findings, violations: int, labelled: int) -> str:
    """Say in how many of the last runs with outcomes the model was worse, and for which customers.

    Parameters
    ----------
    run : Findings
        The newest of them.
    violations, labelled : int
        In how many of how many.

    Returns
    -------
    str
    """
    found = f"the model is worse than it was in {violations} of the last {labelled} runs with outcomes, the newest among them"
    return f"{found}: {_listed(run.worse_slices)}" if run.worse_slices else found


def name_features(results: Sequence[DriftResult], *, note: bool | None) -> str:
    """Name the features of results, in brackets, most important first.

    Parameters
    ----------
    results : sequence of DriftResult
    note : bool or None
        Only those that are a note, or are none; None: all of them.

    Returns
    -------
    str
        Empty if there are none.
    """
    results = [result for result in results if note is None or result.note is note]
    drifted = sorted(results, key=lambda r: (-abs(r.impact or 0.0), r.p_value, -r.statistic))
    names = list(dict.fromkeys(r.measure if r.aspect == "slice" else r.feature for r in drifted))
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f" ({', '.join(names[:MAX_NAMED])}{more})" if names else ""


def _listed(said: Sequence[str]) -> str:
    more = f"; and {len(said) - MAX_NAMED} more" if len(said) > MAX_NAMED else ""
    return "; ".join(said[:MAX_NAMED]) + more
