"""What is read from files and requests has no field that nobody knows: a misspelled one would be left out in silence."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from pydantic import BaseModel, ValidationError

from churn import contract, number_format
from churn.config import params
from churn.customers import customer
from churn.simulation import marginals, shift
from pipelines.backup import archive
from service.schemas import reported

# What a backup of another version says of its format is read before its other fields are.
READ_BEFORE = {"_AnyFormat"}
MODULES = (contract, number_format, params, customer, marginals, shift, archive, reported)


def models_of(module: ModuleType) -> list[type[BaseModel]]:
    classes = vars(module).values()
    return [one for one in classes if inspect.isclass(one) and issubclass(one, BaseModel) and one.__module__ == module.__name__]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    for model in models_of(module):
        if model.__name__ in READ_BEFORE:
            continue
        with pytest.raises(ValidationError) as refused:
            model.model_validate({"misspelled": 1})
        found = {(error["type"], error["loc"]) for error in refused.value.errors()}
        assert ("extra_forbidden", ("misspelled",)) in found, model.__name__
