"""`churn model segments`: the groups that a version's customers fall into, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from pipelines.cli.models.registry import open_registry
from pipelines.console import console, print_json


def segments(
    version: Annotated[str, typer.Argument(help="Version number or alias.")] = "champion",
    picture: Annotated[Path | None, typer.Option(help="Draw the picture into this file, such as segments.png.")] = None,
    projection: Annotated[
        Literal["pca", "t-sne"], typer.Option(help="Of the picture: principal components, or t-SNE, which takes some seconds.")
    ] = "pca",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show the segments of a version: their names, how many customers belong to each, and what makes their risk.

    Example: churn model segments champion --picture segments.png --projection t-sne
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.errors import ChurnError, InputError, NoSegments
    from churn.explain.segmenting import explain_sample
    from churn.segments.pictures import draw_segments

    settings, registry = load_settings(), open_registry()
    model = registry.load(version)
    found = model.info.segments
    if found is None:
        raise NoSegments(f"version {model.info.version} knows no segments; the next training gives its version some")
    if picture is not None:
        if picture.suffix not in (".png", ".svg", ".pdf"):
            raise InputError(f"--picture {picture}: must end in .png, .svg or .pdf")
        sample = explain_sample(model, registry.reference(model.info.version), load_contract(settings.contract))
        if sample is None:
            raise NoSegments(f"version {model.info.version} is not compiled: its contributions are not known")
        title = f"Segments of version {model.info.version}, {len(sample.contributions)} customers trained on"
        try:
            draw_segments(found, sample.contributions, title, projection).savefig(picture)
        except OSError as error:
            raise ChurnError(f"{picture}: cannot be written ({error.strerror})") from error
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    table = Table("segment", "share", "log-odds", "strongest contributions")
    for name, share, centre in zip(found.names, found.shares, found.centres, strict=True):
        strongest = sorted(zip(found.columns, centre, strict=True), key=lambda pair: -abs(pair[1]))[:3]
        said = ", ".join(f"{column} {value:+.2f}" for column, value in strongest if value)
        table.add_row(name, f"{share:.1%}", f"{sum(centre):+.2f}", said)
    console.print(table)
