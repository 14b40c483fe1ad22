"""A model as data: what scores a part in another thread, process or machine. Nothing of it is code, and nothing is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from churn.campaigns.control_group import NOBODY, ControlGroup
from churn.code_digest import package_digest
from churn.config.params import ProfitParams
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.customers.customer import request_model
from churn.customers.validation import CustomerRules
from churn.explain.segmenter import Segmenter
from churn.inference.compiled import CompiledModel
from churn.inference.kinds import probabilities as compiled_probabilities
from churn.inference.kinds import read_document
from churn.segments.segments import Segments
from churn.store.contacts.opted_out import NOBODY_OPTED_OUT, OptedOut

Probabilities = Callable[[CustomerColumns], NDArray[np.float64]]
# What has a say in the numbers: parts that other code made are made anew, and a worker with other code makes none.
PACKAGES = ("churn.batch", "churn.campaigns", "churn.customers", "churn.explain", "churn.inference", "churn.segments")


@dataclass(frozen=True)
class ScoringModel:
    """What answers, and by which rules.

    Attributes
    ----------
    name, version, run_id : str
        As registered.
    threshold : float
        A probability at or above it is answered as churn.
    compiled : dict or None
        `to_document` of the compiled model; None: only a pipeline can answer, which is no data and stays in its own process.
    contract : Contract
    control : ControlGroup
        Who would not be contacted: the answers say so.
    profit : ProfitParams
        By which its threshold was chosen. No answer depends on it, so it goes to no worker.
    segments : dict or None
        `Segments.model_dump`, where each customer's segment is asked for.
    known_segments : Segments or None
        Those that the model knows, whether or not they are asked for. No answer depends on it, so it goes to no worker.
    opted_out : OptedOut
        Who wants no contacts: the answers say so. The key of pseudonyms goes to no worker of another machine.
    """

    name: str
    version: str
    run_id: str
    threshold: float
    compiled: dict[str, Any] | None
    contract: Contract
    control: ControlGroup = NOBODY
    profit: ProfitParams = field(default_factory=ProfitParams)
    segments: dict[str, Any] | None = None
    known_segments: Segments | None = None
    opted_out: OptedOut = NOBODY_OPTED_OUT

    def to_json(self) -> bytes:
        """Return it as JSON, always the same text."""
        document = {name: getattr(self, name) for name in ("name", "version", "run_id", "threshold", "compiled", "segments")}
        document |= {"contract": self.contract.model_dump(mode="json"), "control": asdict(self.control)}
        document |= {"opted_out": self.opted_out.to_text()}
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `to_json` returned.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is something else.
        """
        document = orjson.loads(text)
        contract, control = Contract.model_validate(document["contract"]), ControlGroup(**document["control"])
        opted_out = OptedOut.from_text(document["opted_out"])
        return cls(**document | {"contract": contract, "control": control, "opted_out": opted_out})

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that stand for these answers by these rules and this code."""
        return hashlib.sha256(self.to_json() + code_digest().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Scorer:
    """A model that is ready to answer."""

    model: ScoringModel
    rules: CustomerRules
    probabilities: Probabilities
    segmenter: Segmenter | None = None

    @classmethod
    def of(cls, model: ScoringModel, probabilities: Probabilities | None = None) -> Self:
        """Make a model ready to score.

        Parameters
        ----------
        model : ScoringModel
        probabilities : callable, optional
            Scores customers where nothing is compiled.

        Returns
        -------
        Scorer

        Raises
        ------
        ValueError
            If the model is not compiled and `probabilities` is not given; or it has segments that are not its own.
        """
        segmenter = None
        if probabilities is None:
            if model.compiled is None:
                raise ValueError(f"version {model.version} is not compiled")
            compiled = read_document(model.compiled)
            if model.segments is not None:
                if not isinstance(compiled, CompiledModel):
                    raise ValueError(f"version {model.version} has no segments")
                segmenter = Segmenter.of(compiled, Segments.model_validate(model.segments))
            probabilities = lambda customers: compiled_probabilities(compiled, customers.values)  # noqa: E731 -- one line says it
        return cls(model, CustomerRules(model.contract, request_model(model.contract)), probabilities, segmenter)


@lru_cache(maxsize=2)
def scorer_of(text: bytes) -> Scorer:
    """Make a model answer that came as JSON; a worker that scores many parts makes it once."""
    return Scorer.of(ScoringModel.from_json(text))


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest what has a say in the numbers, NumPy's version among it: 16 hexadecimal digits."""
    return hashlib.sha256((np.__version__ + package_digest(*PACKAGES)).encode()).hexdigest()[:16]
