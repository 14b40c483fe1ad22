"""The knobs of a simulation: customers who differ from before, and customers who leave for other reasons."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from churn.contract import Contract
from churn.errors import InputError
from churn.simulation.marginals import Probability
from churn.simulation.mechanism import Effect, Mechanism, Rule


class Knobs(BaseModel):
    """What a simulation is told: finite numbers, and no name that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Extra(Knobs):
    """A share of customers has `by` more of something (calls to customer service, say)."""

    share: Probability
    by: float


class Mix(Knobs):
    """A share of customers comes from a population shifted in another way."""

    share: Probability
    shift: Shift


class Shift(Knobs):
    """Covariate shift: other customers than before. By default nothing changes.

    Attributes
    ----------
    scale, move : dict of float
        Numbers multiplied by, then increased by. Charges follow their minutes, and all stay within the contract's bounds;
        a charge scaled by itself breaks its relation to the minutes.
    extra : dict of Extra
        Numbers that some customers have more of.
    share : dict of float
        How many customers have a flag, in [0, 1].
    missing : dict of float
        Share of values lost, in [0, 1], independently of everything. The customers behave as if nothing were lost.
    permute : tuple of str
        Columns shuffled among the customers: the spread stays, the relations to other columns break. Who leaves follows
        from the true values: it is the record that is broken.
    mix : Mix, optional
        Another population that part of the customers comes from instead.
    """

    scale: dict[str, float] = Field(default_factory=dict)
    move: dict[str, float] = Field(default_factory=dict)
    extra: dict[str, Extra] = Field(default_factory=dict)
    share: dict[str, Probability] = Field(default_factory=dict)
    missing: dict[str, Probability] = Field(default_factory=dict)
    permute: tuple[str, ...] = ()
    mix: Mix | None = None

    def hold_against(self, contract: Contract) -> None:
        """Raise InputError if a knob does not fit a column of the contract."""
        features = {column.name: column for column in contract.features}
        numbers = ("number", "integer")
        for knob, names, kinds in (
            ("scale", self.scale, numbers),
            ("move", self.move, numbers),
            ("extra", self.extra, numbers),
            ("share", self.share, ("flag",)),
            ("missing", self.missing, ()),
            ("permute", self.permute, ()),
        ):
            for name in names:
                if name not in features:
                    raise InputError(f"shift.{knob}: contract {contract.name!r} has no feature {name!r}")
                if kinds and features[name].kind not in kinds:
                    raise InputError(f"shift.{knob}: {name!r} is a {features[name].kind}; it changes only a {' or '.join(kinds)}")
        for name in self.missing:
            if not features[name].nullable:
                raise InputError(f"shift.missing: {name!r} must not be missing, says contract {contract.name!r}")


Mix.model_rebuild()


class Drift(Knobs):
    """Concept drift: the same customers leave for other reasons. By default nothing changes.

    Attributes
    ----------
    base_rate : float, optional
        Replaces the population's, in (0, 1).
    rules : dict
        Replaces or adds a rule; None takes one away.
    probability : dict of float
        Replaces only the probability of rules that are there, in [0, 1].
    effects : dict
        Replaces or adds what a column does to the log-odds.
    effect_scale : float
        Multiplies all effects: 0 makes them vanish, -1 turns them round.
    """

    base_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    rules: dict[str, Rule | None] = Field(default_factory=dict)
    probability: dict[str, Probability] = Field(default_factory=dict)
    effects: dict[str, Effect] = Field(default_factory=dict)
    effect_scale: float = 1.0

    def applied(self, mechanism: Mechanism) -> Mechanism:
        """Return the mechanism after the drift.

        Raises
        ------
        InputError
            If it names a rule that is not there.
        """
        rules = dict(mechanism.rules)
        for name in [*self.probability, *(name for name, rule in self.rules.items() if rule is None)]:
            if name not in rules:
                raise InputError(f"drift: there is no rule {name!r} (there are: {', '.join(rules) or 'none'})")
        rules |= {name: rules[name].model_copy(update={"probability": value}) for name, value in self.probability.items()}
        effects = {
            name: effect.model_copy(update={"per_unit": effect.per_unit * self.effect_scale})
            for name, effect in (mechanism.effects | self.effects).items()
        }
        return Mechanism(
            base_rate=mechanism.base_rate if self.base_rate is None else self.base_rate,
            effects=effects,
            indexes=mechanism.indexes,
            rules={name: rule for name, rule in (rules | self.rules).items() if rule is not None},
        )
