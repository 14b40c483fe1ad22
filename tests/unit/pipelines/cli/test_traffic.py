"""`churn traffic`."""

from __future__ import annotations

import json
from typing import Any

from churn.simulation.simulate import SCENARIOS
from tests.unit.pipelines.cli.command import Churn, assert_one_line
from tests.unit.pipelines.loopback import Answer, Asked, web_server


def test_traffic_without_a_service_is_one_line_and_exit_1(churn: Churn) -> None:
    said = churn("traffic", "--customers", 2, "--url", "http://127.0.0.1:1")
    assert_one_line(said, 1, "churn up")


def test_traffic_lists_its_scenarios(churn: Churn) -> None:
    said = churn("traffic", "--list")
    assert [line.split()[0] for line in said.out.splitlines()] == list(SCENARIOS)


class Service:
    """Names every second customer, and holds every tenth out."""

    def __init__(self) -> None:
        self.contacts: list[str] = []
        self.left: dict[str, bool] = {}

    def __call__(self, asked: Asked) -> Answer:
        body = json.loads(asked.body or b"null")
        if asked.path == "/predict":
            number = int(body["customer_id"].rsplit("-", 1)[1])
            action = "none" if number % 2 else "hold_out" if number % 10 == 0 else "contact"
            said: Any = {"prediction_id": str(number), "churn": number % 2 == 0, "action": action}
        elif asked.path == "/contacts":
            assert {one["campaign"] for one in body["contacts"]} == {"may"}
            self.contacts += [one["prediction_id"] for one in body["contacts"]]
            said = {"accepted": len(body["contacts"])}
        else:
            self.left |= {one["prediction_id"]: one["churned"] for one in body["outcomes"]}
            said = {"accepted": len(body["outcomes"])}
        return Answer(json.dumps(said).encode())


def test_a_campaign_is_reported_and_keeps_whom_it_contacts_or_drives_them_away(churn: Churn) -> None:
    outcomes = {}
    for options in ((), ("--campaign", "may", "--acceptance", 1), ("--campaign", "may", "--acceptance", 0, "--harm", 1)):
        service = Service()
        with web_server(service) as url:
            said = churn("traffic", "--customers", 60, "--url", url, "--json", *options)
        assert said.code == 0, said.err
        assert said.json["contacts"] == len(service.contacts) == (24 if options else 0)
        outcomes[options[3:]] = service.left
    untouched, kept, driven = outcomes.values()
    called = [str(n) for n in range(0, 60, 2) if n % 10]
    assert any(untouched[one] for one in called)
    assert not any(kept[one] for one in called)
    assert all(driven[one] for one in called)
    assert all(untouched[one] == kept[one] == driven[one] for one in untouched if one not in called)
