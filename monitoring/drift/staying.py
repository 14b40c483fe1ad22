"""How those who stayed differ from all: how far who is seen again may move only because the others left.

A base loses those who leave, and who stays comes back to the mean: of a telecom's customers whom the model gives a small chance
to leave, some have a larger one a month later, and of those with a large one few are seen again. No customer's behaviour has
changed. If a score has the mean E over all and S over those who stayed, and lasts with the slope r (of its value now on its value
before), then those who are seen again had S, and have now E - r (E - S): without any drift their mean moves by (1 - r) (E - S),
or by less if not all that time has passed. By more than E - S it does not move, however little lasts. Likewise for levels, by the
odds with which customers come to have one or lose it. The predicted probability says itself who was to leave
(`monitoring.drift.paired`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from monitoring.drift.columns import OUTCOME, numbers_of
from monitoring.drift.rank_scores import Floats, RankScores

# Where everybody with a level leaves, nothing but coming to have it can be seen: so many rows stand for none.
HALF_A_ROW = 0.5


@dataclass(frozen=True)
class Staying:
    """What a reference whose outcomes are known says of who stays.

    Attributes
    ----------
    comeback : dict of ndarray, shape (n_scores,)
        By number: E - S of each of its rank scores, in their standard deviations.
    odds : dict of dict
        By category and flag, and by level: the odds with which those who stay come to have a level rather than lose it.
    """

    comeback: dict[str, Floats] = field(default_factory=dict)
    odds: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: pd.DataFrame, numbers: dict[str, RankScores], levelled: list[str]) -> Staying:
        """Compare those who stayed with all of whom it is known.

        Parameters
        ----------
        reference : pandas.DataFrame
            With `churned` (0, 1, or NaN where it is not known), or without: then nothing is known of who stays.
        numbers : dict of RankScores
            Of the reference.
        levelled : list of str
            Categories and flags.

        Returns
        -------
        Staying
        """
        if OUTCOME not in reference:
            return cls()
        known = reference[reference[OUTCOME].notna()]
        stayed = (known[OUTCOME] == 0).to_numpy()
        if stayed.all() or not stayed.any():
            return cls()
        comeback = {}
        for name, scores in numbers.items():
            values = numbers_of(known, name)
            there = ~np.isnan(values)
            if (there & stayed).any():
                found = scores.of_column(values).astype(np.float64)
                comeback[name] = np.asarray(found[there].mean(axis=0) - found[there & stayed].mean(axis=0))
        return cls(comeback, {name: _odds(known[name], stayed) for name in levelled if name in known})

    def odds_of(self, name: str, level: str) -> float:
        """Return the odds of one level.

        Parameters
        ----------
        name : str
            A category or flag.
        level : str

        Returns
        -------
        float
            1 where nothing is known.
        """
        return self.odds.get(name, {}).get(level, 1.0)


def slopes(before: Floats, now: Floats) -> Floats:
    """Return how much of each score lasts: a slope, which does not bend if staying depends on the value before.

    Parameters
    ----------
    before, now : ndarray, shape (n, n_scores)
        Of the same customers.

    Returns
    -------
    ndarray, shape (n_scores,)
        In [0, 1].
    """
    centred = before - before.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    slopes = np.divide((centred * now).sum(axis=0), spread, out=np.ones_like(spread), where=spread > 0)
    return np.asarray(slopes.clip(0.0, 1.0))


def _odds(column: pd.Series, stayed: np.ndarray) -> dict[str, float]:
    there = column.notna().to_numpy()
    of_all, of_stayed = column[there].value_counts(), column[there & stayed].value_counts()
    rows, rows_stayed = int(there.sum()), int((there & stayed).sum())
    odds = {}
    for level, count in of_all.items():
        mine = int(of_stayed.get(level, 0))
        others, others_stayed = rows - count + HALF_A_ROW, rows_stayed - mine + HALF_A_ROW
        odds[str(level)] = float((count + HALF_A_ROW) / others / ((mine + HALF_A_ROW) / others_stayed))
    return odds
