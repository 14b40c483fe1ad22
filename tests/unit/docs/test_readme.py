"""The README holds what a newcomer needs: the two commands, one request and its response."""

from __future__ import annotations

import math
import re

from tests.readme_example import README, example


def test_the_two_commands_are_there() -> None:
    assert {"up", "test", "demo"} <= set(re.findall(r"make ([a-z]+)", README))


def test_the_reasons_of_the_response_add_up_to_its_probability() -> None:
    _, _, response = example()
    logit = response["base_value"] + sum(reason["contribution"] for reason in response["reasons"])
    assert math.isclose(1 / (1 + math.exp(-logit)), response["churn_probability"], abs_tol=1e-9)


def test_the_response_is_to_the_request() -> None:
    path, body, response = example()
    assert body["customer_id"] == response["customer_id"]
    assert path == f"/predict?reasons={len(response['reasons'])}"
    assert response["churn"] == (response["churn_probability"] >= response["threshold"])
