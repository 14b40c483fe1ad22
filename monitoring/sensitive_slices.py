"""Groups of customers by sensitive columns, where the company sends them: slices of outcomes, and the gaps between them.

No request holds these columns, so the reference of a version knows nothing of them. Each group is compared with itself instead:
with the outcomes of its customers that the version had before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from churn.config.params import Gap, SliceParams
from churn.config.settings import Settings
from churn.contract import Column, Contract
from churn.data.sensitive_levels import sensitive_frame
from churn.evaluation.slice_levels import FEW
from churn.evaluation.weights import WEIGHT
from churn.store.store import Store
from monitoring.performance.group_gaps import MIN_CUSTOMERS, GroupReport, compare_groups
from monitoring.slice_quality import SliceBaseline, SliceSince, take_baseline
from monitoring.slicing import Members, Slicing
from monitoring.windows import Window

# Of more outcomes the newest.
LOOK_BACK = 20_000


@dataclass(frozen=True)
class SensitiveSlices:
    """Groups that are large enough among a version's earlier outcomes.

    Attributes
    ----------
    slicing : Slicing
        Who is in which group, by sensitive columns.
    baselines : tuple of SliceBaseline
        What the outcomes that each group was judged on say of it.
    since : tuple of SliceSince
        From where on each group is judged.
    """

    slicing: Slicing
    baselines: tuple[SliceBaseline, ...]
    since: tuple[SliceSince, ...]

    @classmethod
    def of(
        cls,
        earlier: pd.DataFrame,
        contract: Contract,
        params: SliceParams,
        known: Mapping[tuple[str, str], SliceSince],
        start: tuple[int, datetime],
    ) -> SensitiveSlices:
        """Find the groups among the outcomes of the runs before.

        Parameters
        ----------
        earlier : pandas.DataFrame, shape (n, m)
            The columns of outcomes, and the sensitive ones.
        contract : Contract
            Says which columns are sensitive.
        params : SliceParams
            How large a group must be, but never below `MIN_CUSTOMERS`.
        known : mapping of (str, str) to SliceSince
            By column and level: from where on groups were not judged yet.
        start : tuple of int and datetime
            From where on others are judged.

        Returns
        -------
        SensitiveSlices
        """
        sizes = params.model_copy(update={"min_rows": max(params.min_rows, MIN_CUSTOMERS)})
        as_features, sizes = _as_features(earlier, contract, sizes)
        earlier = earlier[_known(earlier, contract.sensitive)]
        slicing = Slicing.of(earlier.drop_duplicates("customer_id", keep="last"), as_features, sizes)
        members = slicing.members_of(earlier)
        rules, baselines, since = [], [], []
        for place, rule in enumerate(slicing.rules):
            begin = known.get((rule.column, rule.level), SliceSince(rule.column, rule.level, *start))
            own = earlier[members[:, place] & ~begin.is_new(earlier)]
            if own["customer_id"].nunique() >= sizes.min_rows:
                rules.append(rule)
                baselines.append(take_baseline(rule, own, learned=False))
                since.append(begin)
        found = Slicing(slicing.contract, slicing.params, tuple(rules))
        return cls(found, tuple(baselines), tuple(since))

    def members_of(self, outcomes: pd.DataFrame) -> Members:
        """Return who is in which group; of whom nothing was sent is in none.

        Parameters
        ----------
        outcomes : pandas.DataFrame, shape (n, m)
            With the sensitive columns of which anything is known.

        Returns
        -------
        ndarray of bool, shape (n, n_groups)
        """
        return self.slicing.members_of(outcomes) & _known(outcomes, self.slicing.contract.columns)[:, None]


def _known(outcomes: pd.DataFrame, columns: Sequence[Column]) -> Members:
    """Return of whom anything was sent."""
    return np.asarray(
        outcomes[[column.name for column in columns if column.name in outcomes]].notna().any(axis=1).to_numpy(), dtype=np.bool_
    )


def _as_features(earlier: pd.DataFrame, contract: Contract, params: SliceParams) -> tuple[Contract, SliceParams]:
    """Return a contract of the sensitive columns alone, as features, by which slices are found; and the bands of its numbers."""
    columns = [
        column.model_copy(update={"role": "feature", "nullable": True})
        for column in contract.sensitive
        if column.name in earlier and earlier[column.name].notna().any()
    ]
    bands: dict[str, list[float]] = {}
    for column in columns:
        if column.kind in {"number", "integer"}:
            values = earlier[column.name].dropna()
            edges = np.unique(values) if values.nunique() <= FEW else np.unique(values.quantile([0, 0.25, 0.5, 0.75]))
            if len(edges) > 1:
                bands[column.name] = [float(edge) for edge in edges[1:]]
    as_features = contract.model_copy(update={"columns": tuple(columns), "checks": (), "sums": {}})
    return as_features, params.model_copy(update={"bands": bands})


def find_sensitive_slices(
    store: Store,
    contract: Contract,
    settings: Settings,
    model_version: str,
    params: SliceParams,
    known: Mapping[tuple[str, str], SliceSince],
    start: tuple[int, datetime],
) -> SensitiveSlices | None:
    """Find the groups by sensitive columns that can be judged.

    Parameters
    ----------
    store : Store
        Where outcomes are, and what was sent of sensitive columns.
    contract : Contract
        Says which columns are sensitive.
    settings : Settings
        Of them how long a contact has an effect.
    model_version : str
        Whose outcomes.
    params : SliceParams
        How large a group must be.
    known : mapping of (str, str) to SliceSince
        By column and level: from where on groups were not judged yet.
    start : tuple of int and datetime
        Up to where the runs before have judged outcomes.

    Returns
    -------
    SensitiveSlices or None
        None where the contract has no sensitive columns, or nothing was sent of customers whose outcomes were judged.

    Raises
    ------
    StoreError
        If the store is away.
    """
    if not contract.sensitive:
        return None
    earlier = with_levels(store, contract, read_judged(store, settings, model_version, start))
    return SensitiveSlices.of(earlier, contract, params, known, start) if _known(earlier, contract.sensitive).any() else None


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
    judged = read_judged(store, settings, window.model_version, (window.last_outcome_seq, window.mature_until))
    if WEIGHT in judged and judged[WEIGHT].isna().any():
        return None
    outcomes = with_levels(store, contract, judged.drop_duplicates("customer_id", keep="last").reset_index(drop=True))
    return compare_groups(outcomes, contract, params, measures) if _known(outcomes, contract.sensitive).any() else None


def read_judged(store: Store, settings: Settings, model_version: str, until: tuple[int, datetime]) -> pd.DataFrame:
    """Return the newest outcomes up to a place, in the order of their predictions; of customers that have names.

    Parameters
    ----------
    store : Store
        Where they are.
    settings : Settings
        Of them how long a contact has an effect.
    model_version : str
        Whose.
    until : tuple of int and datetime
        The last outcome's number, and when its prediction was asked for at the latest.

    Returns
    -------
    pandas.DataFrame, shape (at most 20,000, m)
        Without those of customers who were acted on.

    Raises
    ------
    StoreError
        If the store is away.
    """
    number, asked = until
    found = store.read_outcomes(
        model_version,
        after_outcome_seq=max(number - LOOK_BACK, 0),
        newest=LOOK_BACK,
        mature=(asked, asked),
        contact_effect=settings.contact_effect,
    )
    judged = found["churned"].notna() & (found["outcome_seq"] <= number) & found["customer_id"].notna()
    return found[judged].sort_values("seq", kind="stable").reset_index(drop=True)


def with_levels(store: Store, contract: Contract, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes with what was sent of their customers.

    Parameters
    ----------
    store : Store
        Where it is.
    contract : Contract
        Says which columns are sensitive.
    outcomes : pandas.DataFrame, shape (n, m)
        With a customer_id.

    Returns
    -------
    pandas.DataFrame, shape (n, m + n_columns)
        With the sensitive columns of which anything is known.

    Raises
    ------
    StoreError
        If the store is away.
    """
    known = store.read_sensitive_levels(outcomes["customer_id"].dropna().unique().tolist())
    return outcomes.join(sensitive_frame(outcomes["customer_id"], known, contract).set_axis(outcomes.index))
