"""The model bundle: what a worker loads, one JSON file, read without scikit-learn, pandas or MLflow.

`service.model_loading.loader_process` makes and checks it. It holds the compiled model, its model info, and a few customers
with the pipeline's own probabilities, which every worker compares with its own before the model serves. A bundle belongs to one
version of one run, to the code that made it, and to one contract; for any other it is made anew. It carries its own hash: a
damaged one is refused and made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import ValidationError

from churn.atomic_write import PRIVATE, atomic_write
from churn.code_digest import package_digest
from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import ModelRefused
from churn.explain.attribution import Attributor
from churn.explain.segmenter import Segmenter
from churn.inference.compiled import CompiledModel
from churn.inference.kinds import read_document
from churn.modeling.model_info import ModelInfo
from churn.one_line import one_line
from churn.registry.artifact import as_file_name, models_folder
from service.scoring.explanations import Explainer
from service.scoring.reason_givers import ReasonGiver, reason_giver
from service.scoring.scorer import CompiledScorer, PipelineScorer, one_customer
from service.scoring.served_model import ServedModel

if TYPE_CHECKING:
    from churn.inference.kinds import Compiled

TOLERANCE = 1e-9
# A bundle takes some hundred kilobytes; every worker reads it whole.
MAX_BYTES = 256 * 2**20
# The packages that turn a pipeline into a bundle, and predict from it.
PACKAGES = ("churn.inference", "churn.modeling", "churn.registry", "service.model_loading", "service.scoring")
LIBRARIES = ("numpy", "scikit-learn", "skops")
# Each of these means that the file is not what was written.
UNREADABLE = (OSError, ValueError, TypeError, LookupError, AttributeError, ValidationError)


@dataclass(frozen=True)
class ModelBundle:
    """A checked model, ready to serve.

    Attributes
    ----------
    info : ModelInfo
    card : str
        Markdown.
    compiled : dict or None
        `to_document` of the compiled model; None: the pipeline itself has to predict.
    folder : str
        The artifact, from which the pipeline is loaded if the model is not compiled.
    artifact_digest : str
        Of that folder, see `churn.registry.artifact.digest_folder`.
    probes : list of (list, float)
        One value per feature in the contract's order, and the pipeline's probability.
    """

    info: ModelInfo
    card: str
    compiled: dict[str, Any] | None
    folder: str
    artifact_digest: str
    probes: Sequence[tuple[Sequence[Any], float]]


def bundle_file(settings: Settings, contract: Contract, version: str, run_id: str) -> Path:
    """Return the path of a version's bundle: under `CHURN_HOME/models`, beside the artifact's folder.

    Parameters
    ----------
    settings : Settings
    contract : Contract
    version, run_id : str

    Returns
    -------
    Path
    """
    name = f"{as_file_name(version)}-{as_file_name(run_id)}"
    return models_folder(settings) / "bundles" / f"{name}-{code_digest()[:12]}-{contract.digest}.json"


@cache
def code_digest() -> str:
    """Return a digest of the code and the libraries that turn a pipeline into a bundle: SHA-256, hexadecimal."""
    digest = hashlib.sha256(package_digest(*PACKAGES).encode())
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()


def write_bundle(bundle: ModelBundle, file: Path) -> None:
    """Write a bundle, whole or not at all.

    Parameters
    ----------
    bundle : ModelBundle
    file : Path
    """
    body = orjson.dumps(
        {
            "info": bundle.info.model_dump(mode="json"),
            "card": bundle.card,
            "compiled": bundle.compiled,
            "folder": bundle.folder,
            "artifact_digest": bundle.artifact_digest,
            "probes": bundle.probes,
        }
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file, mode=PRIVATE) as staging:
        staging.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def read_bundle(file: Path) -> ModelBundle | None:
    """Read a bundle; None if there is none.

    Raises
    ------
    ModelRefused
        If the file is not as it was written.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ModelRefused(f"{file.name} is larger than {MAX_BYTES >> 20} MiB")
        digest, _, body = file.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ModelRefused(f"{file.name} is torn or was changed: its hash is wrong")
        document: Mapping[str, Any] = orjson.loads(body)
        return ModelBundle(
            info=ModelInfo.model_validate(document["info"]),
            card=str(document["card"]),
            compiled=document["compiled"],
            folder=str(document["folder"]),
            artifact_digest=str(document["artifact_digest"]),
            probes=[(values, float(probability)) for values, probability in document["probes"]],
        )
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        raise ModelRefused(f"{file.name} cannot be read: {error}") from error


def serve(bundle: ModelBundle, contract: Contract, loaded_from: Literal["registry", "disk"], pipeline: Any = None) -> ServedModel:
    """Make a model ready to serve. It has predicted its probes, one by one and together, as its pipeline did.

    Parameters
    ----------
    bundle : ModelBundle
    contract : Contract
    loaded_from : {"registry", "disk"}
    pipeline : sklearn.pipeline.Pipeline, optional
        Of a model that is not compiled; by default it is loaded from the bundle's artifact.

    Returns
    -------
    ServedModel

    Raises
    ------
    ModelRefused
        If it predicts otherwise here, or cannot predict.
    """
    name, info = f"version {bundle.info.version}", bundle.info
    try:
        if bundle.compiled is not None:
            compiled = read_document(bundle.compiled)
            explainer, segmenter = _reasons_of(compiled, info, contract)
            scorer = CompiledScorer(compiled, contract)
            served = ServedModel(info, bundle.card, contract, scorer, explainer, loaded_from, segmenter=segmenter)
        else:
            pipeline = _load_pipeline(bundle) if pipeline is None else pipeline
            served = ServedModel(
                info, bundle.card, contract, PipelineScorer(pipeline, info.features, contract), None, loaded_from
            )
        worst = max(
            (
                max(abs(probability - expected) for probability in _both_ways(served, values))
                for values, expected in bundle.probes
            ),
            default=0,
        )
        if not worst <= TOLERANCE:
            raise ModelRefused(f"{name} answers {worst:.2g} off its own pipeline")
        if served.explainer is not None and bundle.probes:
            served.explain(bundle.probes[0][0], 1)
            if served.segmenter is not None:
                served.segment_of(bundle.probes[0][0])
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise ModelRefused(f"{name} cannot answer: {one_line(error)}") from error
    return served


def _reasons_of(compiled: Compiled, info: ModelInfo, contract: Contract) -> tuple[ReasonGiver, Segmenter | None]:
    if not isinstance(compiled, CompiledModel):
        # Segments are groups of exact reasons.
        return reason_giver(compiled, contract), None
    attributor = Attributor(compiled)
    return Explainer(attributor, contract), None if info.segments is None else Segmenter(attributor, info.segments)


def _both_ways(served: ServedModel, values: Sequence[Any]) -> tuple[float, float]:
    return served.scorer.one(values), float(served.scorer.many(one_customer(values, served.contract))[0])


def _load_pipeline(bundle: ModelBundle) -> Any:
    # Only here a worker imports scikit-learn. The artifact is checked again: another process has loaded it.
    from churn.registry.artifact import digest_folder, load_folder

    folder = Path(bundle.folder)
    if digest_folder(folder) != bundle.artifact_digest:
        raise ModelRefused(f"the artifact of version {bundle.info.version} in {folder} is not the one that was checked")
    return load_folder(folder, bundle.info.version).pipeline
