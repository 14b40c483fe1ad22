"""`churn traffic`."""

from __future__ import annotations

from churn.simulation.simulate import SCENARIOS
from tests.unit.pipelines.cli.command import Churn, assert_one_line


def test_traffic_without_a_service_is_one_line_and_exit_1(churn: Churn) -> None:
    said = churn("traffic", "--customers", 2, "--url", "http://127.0.0.1:1")
    assert_one_line(said, 1, "churn up")


def test_traffic_lists_its_scenarios(churn: Churn) -> None:
    said = churn("traffic", "--list")
    assert [line.split()[0] for line in said.out.splitlines()] == list(SCENARIOS)
