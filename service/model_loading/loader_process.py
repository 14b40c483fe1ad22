"""The process that makes model bundles. It alone imports MLflow, scikit-learn and skops, runs for some seconds, and ends.

    python -m service.model_loading.loader_process < request.json > answer.json

`service.model_loading.loader_messages` describes both files; `service.model_loading.registry_source` is the other end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import yaml

from churn.config.safe_yaml import load_yaml
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.errors import MACHINE_REFUSALS, ChampionChanged, ChurnError, ModelRefused, NoModel, describe_refusal
from churn.gc_tuning import collect_seldom
from churn.lifecycle.rollback_request import RollbackRequest
from churn.modeling.model import Model
from churn.one_line import one_line
from churn.registry.artifact import MLMODEL_FILE, artifact_folder, digest_folder, read_text
from churn.registry.last_known_good import last_known_version, load_last_known_good
from service.model_loading.bundle import bundle_file, write_bundle
from service.model_loading.loader_messages import name_error
from service.model_loading.parity_check import verify

# The worker has given up by then, and nothing else would end this process.
MAX_SECONDS = 300
# Where processors are few, requests come first, unless no model serves yet.
NICENESS = 10


def main() -> int:
    """Do what stdin asks for and write the result to stdout. Return 0 unless there is a bug."""
    collect_seldom()
    signal.alarm(MAX_SECONDS)
    request = orjson.loads(sys.stdin.buffer.read())
    if not request["urgent"]:
        os.nice(NICENESS)
    # Libraries may print to stdout, which must hold nothing but the answer.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        answer.write(orjson.dumps(respond(request)) + b"\n")
    return 0


def respond(request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks for, and return the answer. A ChurnError becomes one, and so does what the machine refuses."""
    try:
        settings = load_settings(**request["settings"])
        match request["do"]:
            case "prepare":
                prepare(settings, request["version"])
            case "prepare_last":
                prepare_last(settings)
            case "roll_back":
                roll_back(settings, RollbackRequest(**request["request"]))
            case other:
                raise ValueError(f"unknown request {other!r}")
    except ChurnError as error:
        return {"result": name_error(error), "reason": str(error)}
    except OSError as error:
        if error.errno not in MACHINE_REFUSALS:
            raise
        return {"result": "failed", "reason": f"a model cannot be made ready: {describe_refusal(error)}"}
    return {"result": "done"}


def prepare(settings: Settings, version: str) -> None:
    """Fetch a registered version, check and compile it, and write its bundle.

    Parameters
    ----------
    settings : Settings
    version : str

    Raises
    ------
    ModelRefused
        If it fails a check.
    """
    from churn.registry.registry import Registry

    registry = Registry(settings)
    model, known = registry.load(version), registry.registered(version)
    contract = load_contract(settings.contract)
    check_signature(artifact_folder(settings, known.version, known.run_id), model, contract)
    _write(settings, contract, model, known.run_id)


def prepare_last(settings: Settings) -> None:
    """Write the bundle of the last known good model from its artifact on disk. NoModel if no model ever served."""
    model, known = load_last_known_good(settings), last_known_version(settings)
    if model is None or known is None:
        raise NoModel("no model was ever in service here")
    _write(settings, load_contract(settings.contract), model, known[1])


def roll_back(settings: Settings, request: RollbackRequest) -> None:
    """Do what a request asks for in the registry, with a record. Do nothing if another version is champion by now.

    Parameters
    ----------
    settings : Settings
    request : RollbackRequest
    """
    from churn.lifecycle import promotion
    from churn.registry.registry import Registry
    from churn.store.store import Store

    registry = Registry(settings)
    if registry.champion_version() not in (request.leaving, request.version):
        return
    if registry.identity(request.leaving) != request.leaving_run_id or registry.identity(request.version) != request.run_id:
        # The registry was replaced since: these are other models.
        return
    info = registry.load(request.version).info
    store = Store.open(settings.store_url)
    try:
        # Another version may have become champion while this waited for the lock.
        with suppress(ChampionChanged):
            promotion.rollback(
                registry,
                store,
                info,
                leaving=request.leaving,
                actor=request.actor,
                reason=request.reason,
                automatic=request.automatic,
                evidence=request.evidence,
                request_id=request.request_id,
            )
    finally:
        store.close()


def check_signature(folder: Path, model: Model, contract: Contract) -> None:
    """Compare the artifact's MLflow signature with the features that the model info names, and with the contract.

    Parameters
    ----------
    folder : Path
        The artifact.
    model : Model
    contract : Contract

    Raises
    ------
    ModelRefused
        If they differ.
    """
    version, wanted = model.info.version, []
    for name in model.info.features:
        if name not in contract.feature_names:
            raise ModelRefused(f"version {version} reads {name!r}, which contract {contract.name!r} does not have")
        wanted.append((name, "double" if contract[name].is_numeric else "string"))
    try:
        described = load_yaml(read_text(folder, MLMODEL_FILE))
        inputs = json.loads(described["signature"]["inputs"])
        signed = [(column["name"], column["type"]) for column in inputs]
    except FileNotFoundError:
        raise ModelRefused(f"version {version} has no {MLMODEL_FILE} in its artifact, and so no signature") from None
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError) as error:
        raise ModelRefused(f"the signature of version {version} cannot be read: {one_line(error)}") from error
    if signed != wanted:
        differing = next((pair for pair in zip(signed, wanted, strict=False) if pair[0] != pair[1]), (len(signed), len(wanted)))
        raise ModelRefused(f"the signature of version {version} is not what it reads: {differing[0]} instead of {differing[1]}")


def _write(settings: Settings, contract: Contract, model: Model, run_id: str) -> None:
    folder = artifact_folder(settings, model.info.version, run_id)
    model = replace(model, info=model.info.model_copy(update={"run_id": run_id}))
    bundle = verify(model, contract, folder=str(folder), artifact_digest=digest_folder(folder))
    write_bundle(bundle, bundle_file(settings, contract, model.info.version, run_id))


if __name__ == "__main__":
    raise SystemExit(main())
