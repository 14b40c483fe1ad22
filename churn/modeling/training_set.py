"""The customers of a training: who is learned from, and who is kept for the holdout and the gate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.config.params import GateParams, Params
from churn.contract import Contract
from churn.customers.frame import frame_digest
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled, customer_numbers
from churn.data.row_time import join_times
from churn.modeling.assignment import NO_PSEUDONYM, Assignment, Source, assign, mostly_named
from churn.modeling.customer_keys import rule_digest
from churn.modeling.split import split
from churn.modeling.standing import Standing, repeated


@dataclass(frozen=True)
class TrainingSet:
    """The customers to train on, and those kept for evaluation and for the gate.

    Attributes
    ----------
    train : Labelled
        The data's training part, then the part of the labelled traffic that may be trained on.
    holdout : Labelled
        The data's holdout.
    fresh : Labelled
        The gate's customers: the newest traffic that no model was trained on or, where that is too little, the holdout.
    source : str
        Where the customers come from, for people.
    simulated : bool
    fresh_is_traffic : bool
        Whether `fresh` are customers of the traffic.
    rule : str
        Digest of the rule by which customers were reserved.
    left_out : int
        Reserved customers who do not judge, since they were trained on under another key; see `churn.modeling.assignment`.
    dated : int
        How many of the last rows of `train` are traffic, in the order in which it was asked about.
    standing : Standing or None
        Where customers were acted on: who of the rows stands for how many. None if each stands for itself.
    reserved : Labelled or None
        All who judge: the holdout, then the gate's customers of the traffic. None if that is the holdout.
    """

    train: Labelled
    holdout: Labelled
    fresh: Labelled
    source: str
    simulated: bool
    fresh_is_traffic: bool = False
    rule: str = ""
    left_out: int = 0
    dated: int = 0
    standing: Standing | None = None
    reserved: Labelled | None = None

    @property
    def judges(self) -> Labelled:
        """Return all customers who judge, of the data and of the traffic; none of them has a row in `train`."""
        return self.holdout if self.reserved is None else self.reserved

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the customers trained on."""
        return digest_customers(self.train)


def assemble(
    dataset: Dataset, traffic: pd.DataFrame | None, contract: Contract, params: Params, pseudonym: Pseudonymiser = NO_PSEUDONYM
) -> TrainingSet:
    """Combine the data and the labelled traffic into a training set: who is reserved in one is so in the other.

    Where customers were acted on, rows of those who were not are repeated as often as their weights say, as rows of the same
    customer; see docs/adr/0025-what-may-be-learned-from.md.

    Parameters
    ----------
    dataset : Dataset
        Labelled.
    traffic : pandas.DataFrame or None
        Labelled predictions that are mature, as `churn.lifecycle.mature_traffic.read_mature_traffic` gives them.
    contract : Contract
    params : Params
    pseudonym : Pseudonymiser
        That of the store, by which the data's customers are known there.

    Returns
    -------
    TrainingSet
    """
    sources = [Source(dataset.features[contract.feature_names], dataset.customer_id)]
    if traffic is not None:
        sources.append(Source(traffic[contract.feature_names], traffic["customer_id"]))
    here, *there = assign(sources, params.split, pseudonym)
    train, holdout = split(dataset, here, params.split, folds=params.tuning.folds)
    rule = rule_digest(params.split.key, pseudonym, () if mostly_named(sources[0]) else contract.feature_names)
    of_file = TrainingSet(train, holdout, holdout, dataset.source, dataset.simulated, rule=rule)
    if traffic is None or traffic.empty:
        return of_file
    return _with_traffic(of_file, traffic, here, there[0], contract, params.gate)


def _with_traffic(
    of_file: TrainingSet, traffic: pd.DataFrame, here: Assignment, there: Assignment, contract: Contract, gate: GateParams
) -> TrainingSet:
    """Add labelled traffic to the customers of a file; `here` and `there` say who of each learns and who judges."""
    weight = traffic["weight"].to_numpy(dtype=np.float64) if "weight" in traffic else None
    usable = np.ones(len(traffic), dtype=np.bool_) if weight is None else weight > 0
    fresh, judging = _fresh_customers(traffic, np.flatnonzero(there.judges & usable), there, weight, contract, gate)
    rows = repeated(np.flatnonzero(there.learns & usable), weight)
    learned = _labelled(traffic, contract, there, rows)
    train = of_file.train
    return replace(
        of_file,
        train=Labelled(
            pd.concat([train.features, learned.features], ignore_index=True),
            pd.concat([train.outcome, learned.outcome], ignore_index=True),
            # The prediction log holds no sensitive columns.
            None if train.sensitive is None else train.sensitive.reindex(range(len(train) + len(learned))),
            customer_numbers(pd.Series(np.concatenate([here.customer[here.learns], there.customer[rows]]))),
            np.concatenate([here.fold[here.learns], there.fold[rows]]),
            asked_at=join_times(len(train), train.asked_at, traffic["requested_at"].iloc[rows]),
        ),
        fresh=of_file.holdout if fresh is None else fresh,
        source=f"{of_file.source} + {len(learned)} labelled predictions",
        fresh_is_traffic=fresh is not None,
        left_out=len(here.left_out | there.left_out),
        dated=len(learned),
        standing=None if weight is None else Standing.of(traffic[contract.feature_names], weight, there.learns),
        reserved=None
        if fresh is None
        else _all_who_judge(of_file.holdout, fresh, here.customer[here.judges], there.customer[judging]),
    )


def _all_who_judge(holdout: Labelled, fresh: Labelled, held: NDArray[np.int64], judging: NDArray[np.int64]) -> Labelled:
    """Return the rows of the holdout and of the gate's traffic; `held` and `judging` number their customers in common."""
    return Labelled(
        pd.concat([holdout.features, fresh.features], ignore_index=True),
        pd.concat([holdout.outcome, fresh.outcome], ignore_index=True),
        customer=customer_numbers(pd.Series(np.concatenate([held, judging]))),
        asked_at=None if fresh.asked_at is None else join_times(len(holdout), holdout.asked_at, fresh.asked_at),
    )


def _fresh_customers(
    traffic: pd.DataFrame,
    judges: NDArray[np.intp],
    there: Assignment,
    weight: NDArray[np.float64] | None,
    contract: Contract,
    gate: GateParams,
) -> tuple[Labelled | None, NDArray[np.intp]]:
    """Return the newest customers of the traffic who may judge, and their rows; None if too few, or of one outcome only."""
    newest = judges[newest_rows(traffic["requested_at"].iloc[judges], traffic["churned"].to_numpy()[judges], gate)]
    rows = repeated(newest, weight)
    fresh = _labelled(traffic, contract, there, rows)
    if weight is not None:
        fresh = replace(fresh, original=rows.astype(np.int64))
    enough = len(newest) >= gate.min_fresh_rows and 0 < fresh.outcome.sum() < len(fresh)
    return fresh if enough else None, rows


def newest_rows(requested_at: pd.Series, churned: NDArray[np.float64], params: GateParams) -> NDArray[np.intp]:
    """Choose the rows of the newest months, counted back from the newest row: months without any change nothing.

    Parameters
    ----------
    requested_at : pandas.Series of datetime, shape (n,)
        When each row was asked for, in any order.
    churned : array of 0 and 1, shape (n,)
    params : GateParams
        `fresh_days`, and what is enough: `min_fresh_rows` rows, and `min_class_rows` of each class.

    Returns
    -------
    numpy.ndarray of int, shape (at most `max_fresh_rows`,)
        Positions, ascending: those of the last `fresh_days`; where they are not enough, as many of the newest as are; where all
        are not, all.

    Examples
    --------
    >>> days = pd.Series(pd.to_datetime(["2026-01-01", "2026-05-01", "2026-05-02"]))
    >>> params = GateParams(fresh_days=30, min_fresh_rows=30).model_copy(update={"min_fresh_rows": 2, "min_class_rows": 1})
    >>> newest_rows(days, np.array([0.0, 1.0, 0.0]), params).tolist()
    [1, 2]
    """
    moments = requested_at.to_numpy(dtype="datetime64[us]")
    order = np.argsort(moments, kind="stable")[::-1]
    if not len(order):
        return order
    left, rows = np.cumsum(churned[order]), np.arange(1, len(order) + 1)
    fewest = np.minimum(left, rows - left)
    enough = np.flatnonzero((rows >= params.min_fresh_rows) & (fewest >= params.min_class_rows))
    start = moments[order[0]] - np.timedelta64(round(params.fresh_days * 86_400), "s")
    recent = int((moments >= start).sum())
    needed = int(enough[0]) + 1 if len(enough) else len(order)
    return np.sort(order[: min(max(recent, needed), params.max_fresh_rows)])


def digest_customers(known: Labelled, *, sensitive: bool = False) -> str:
    """Identify customers by what a model learns from.

    Parameters
    ----------
    known : Labelled
    sensitive : bool
        Whether the sensitive columns weigh them.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    weighed = known.sensitive.add_prefix("<sensitive> ") if sensitive and known.sensitive is not None else None
    return frame_digest(pd.concat([known.features.assign(**{"<outcome>": known.outcome}), weighed], axis=1))


def _labelled(traffic: pd.DataFrame, contract: Contract, who: Assignment, rows: NDArray[np.intp]) -> Labelled:
    taken = traffic.iloc[rows]
    return Labelled(
        taken[contract.feature_names].reset_index(drop=True),
        taken["churned"].astype(np.int64).reset_index(drop=True),
        customer=customer_numbers(pd.Series(who.customer[rows])),
        fold=who.fold[rows],
        asked_at=taken["requested_at"].reset_index(drop=True),
    )
