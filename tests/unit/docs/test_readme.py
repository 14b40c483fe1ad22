"""The README holds what a newcomer needs: the two commands, one request and its response."""

from __future__ import annotations

import json
import math
import re

from tests.unit.docs.pages import read

README = read("README.md")
(RESPONSE,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL))


def test_the_two_commands_are_there() -> None:
    assert {"up", "test", "demo"} <= set(re.findall(r"make ([a-z]+)", README))


def test_the_reasons_of_the_response_add_up_to_its_probability() -> None:
    logit = RESPONSE["base_value"] + sum(reason["contribution"] for reason in RESPONSE["reasons"])
    assert math.isclose(1 / (1 + math.exp(-logit)), RESPONSE["churn_probability"], abs_tol=1e-9)


def test_the_decision_of_the_response_follows_from_its_threshold() -> None:
    assert RESPONSE["churn"] == (RESPONSE["churn_probability"] >= RESPONSE["threshold"])
