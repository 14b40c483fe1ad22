"""`churn train`: train a challenger, and let the gate decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.console import console, print_json, warn
from pipelines.environment import prepare_environment, quiet_prefect, use_local_prefect

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def train(
    data: Annotated[Path | None, typer.Option(help="File of labelled customers; default CHURN_DATA.")] = None,
    trigger: Annotated[str, typer.Option(help="Why, for the record.")] = "manual",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a training that is running; without it, say whose it is and stop.")
    ] = False,
    curves: Annotated[
        bool,
        typer.Option("--curves", help="Also measure if more customers, or a less simple model, would help."),
    ] = False,
    form: Annotated[
        Literal["terms", "plain", "deep"] | None,
        typer.Option(help="Form of the challenger; deep is a neural network (docs/deep.md). Default: that of params.yaml."),
    ] = None,
    if_none: Annotated[bool, typer.Option("--if-none", help="Train only if there is no champion yet.")] = False,
    as_json: Json = False,
) -> None:
    """Train a challenger; the gate decides whether it is promoted.

    One training runs at a time, on all hosts that share a store.

    Example: churn train --data customers.csv --trigger "new price list"
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.dataset import read_dataset
    from pipelines.cli.data import warn_doubts
    from pipelines.data_sources.source import find_data
    from pipelines.local.system import find_champion

    settings = load_settings(data=data) if data else load_settings()
    prepare_environment(settings)
    if if_none and (version := find_champion(settings)):
        if as_json:
            print_json({"version": version, "promoted": False, "reason": "there is a champion already"})
        else:
            console.print(f"version {version} is champion; nothing to do")
        return
    contract = load_contract(settings.contract)
    _check_form(form, settings.params)
    # Bad data is reported before anything starts.
    warn_doubts(read_dataset(find_data(settings).path, contract))
    if not wait:
        _check_no_training(settings.store_url)
    quiet_prefect()
    use_local_prefect(settings)
    with console.status("training a challenger and asking the gate"):
        from pipelines.flows.train import train_once

        result = train_once(trigger, data=data, wait=wait, curves=curves, form=form, warn=warn)
    for found in result["cleared"]:
        warn(found)
    if as_json:
        print_json(result)
    else:
        word = "[green]promoted[/green]" if result["promoted"] else "[yellow]not promoted[/yellow]"
        console.print(f"version {result['version']} {word}: {result['reason']}")
        for said in result["reduced"]:
            console.print(f"to train within minutes, {said}")


def _check_form(form: str | None, params: Path) -> None:
    """Raise InputError if the form needs what is not installed: before anything starts."""
    from churn.config.params import load_params

    if (form or load_params(params).model.form) == "deep":
        from churn.modeling.deep.network import check_installed

        check_installed()


def _check_no_training(store_url: str) -> None:
    """Raise Busy, which names the holder, if a training is under way: before anything slow is imported or started."""
    from churn.errors import Busy
    from churn.lifecycle.training_runs import LOCK
    from churn.store.store import Store

    store = Store.open(store_url)
    try:
        if holder := store.lock_holder(LOCK):
            raise Busy(LOCK, holder)
    finally:
        store.close()
