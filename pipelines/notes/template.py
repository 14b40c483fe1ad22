"""The note as a template writes it. It stands wherever a language model's note does not."""

from __future__ import annotations

from churn.contract import Contract
from pipelines.notes.facts import MAX_RAISING, Facts

LINES = 5


def fill_template(facts: Facts, contract: Contract) -> list[str]:
    """Return the five lines of a note.

    Parameters
    ----------
    facts : Facts
    contract : Contract
        Says what its columns mean.

    Returns
    -------
    list of str, length 5
        What is expected; two reasons to leave; one to stay; what the columns of these reasons mean.
    """
    probability, threshold = percent(facts.probability), percent(facts.threshold)
    said = "the model names this customer" if facts.churn else "the model does not name this customer"
    side = "at or above" if facts.churn else "below"
    why = [_sentence(one["text"]) for one in facts.raising]
    why += ["Nothing else that is known raises the risk."] * (MAX_RAISING - len(why))
    why += [_sentence(one["text"]) for one in facts.lowering] or ["Nothing that is known lowers the risk."]
    return [
        f"This {facts.customer} {facts.event} with a probability of {probability}, {side} the threshold of {threshold}: {said}.",
        *why,
        _meanings(facts, contract),
    ]


def percent(share: float) -> str:
    """Return a share in percent, never rounded to certainty.

    Parameters
    ----------
    share : float
        In [0, 1].

    Returns
    -------
    str

    Examples
    --------
    >>> percent(0.9952), percent(0.99999), percent(0.00001), percent(1.0)
    ('99.5 %', 'over 99.9 %', 'under 0.1 %', '100.0 %')
    """
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    if 0 < share < 0.0005:
        return "under 0.1 %"
    return f"{share:.1%}".replace("%", " %")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _meanings(facts: Facts, contract: Contract) -> str:
    described = [(one["feature"], contract[one["feature"]].description) for one in facts.reasons]
    meanings = [f"{name.replace('_', ' ')}: {text.rstrip('.')}" for name, text in described if text]
    return f"What the words mean: {'; '.join(meanings)}." if meanings else "The contract does not say what these columns mean."
