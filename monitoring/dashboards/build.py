"""The JSON files that Grafana reads, made of panels.py by Grafana's own SDK: `python -m monitoring.dashboards.build`."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.dashboards.panels import BOARDS
from monitoring.dashboards.question import Question

FOLDER = Path(__file__).parent
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
CHANGES = "max(changes(churn_model_loaded_timestamp_seconds[1m])) > 0"


def build(name: str) -> str:
    """Return one dashboard as JSON; `name` is one of `BOARDS`."""
    description, rows = BOARDS[name]
    board = (
        dashboard.Dashboard(f"churn: {name}")
        .uid(f"churn-{name}")
        .description(description)
        .tags(["churn"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("utc")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("data source").type("prometheus"))
        .with_variable(_variable("instance", 'label_values(up{job="churn-service"}, instance)'))
        .with_variable(_variable("version", "label_values(churn_predictions_total, model_version)"))
        .annotation(
            dashboard.AnnotationQuery().name("activations").datasource(SOURCE).enable(True).icon_color("purple").expr(CHANGES)
        )
        .link(dashboard.DashboardLink("other boards of churn").type(models.DashboardLinkType.DASHBOARDS).tags(["churn"]))
    )
    number = 0
    for title, questions in rows:
        board = board.with_row(dashboard.Row(title))
        for question in questions:
            number += 1
            board = board.with_panel(_panel(question, number))
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(question: Question, number: int) -> timeseries.Panel | stat.Panel | heatmap.Panel:
    panel: timeseries.Panel | stat.Panel | heatmap.Panel
    if question.kind == "stat":
        panel = stat.Panel().height(4).span(4)
    elif question.kind == "heatmap":
        panel = heatmap.Panel().height(8).span(8)
    else:
        legend = common.VizLegendOptions().show_legend(True)
        legend = legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).calcs([])
        panel = timeseries.Panel().height(8).span(8).legend(legend).fill_opacity(10)
        if question.limit is not None:
            panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    panel = panel.id(number).title(question.title).description(question.description).unit(question.unit).datasource(SOURCE)
    if question.limit is not None:
        steps = [models.Threshold(value=None, color="green"), models.Threshold(value=question.limit, color="red")]
        panel = panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    for place, (expression, legend_format) in enumerate(question.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend_format).ref_id("ABCDEFGH"[place])
        query = query.exemplar("duration" in expression).range()
        if question.kind == "heatmap":
            query = query.format(PromQueryFormat.HEATMAP)
        panel = panel.with_target(query)
    return panel


def main() -> None:
    """Write all dashboards."""
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(build(name))


if __name__ == "__main__":
    main()
