"""The one description of a customer. Column lists, the request model, the frame schema and the simulator derive from it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from churn.composed import composed
from churn.config.safe_yaml import load_yaml
from churn.errors import InputError
from churn.number_format import NumberFormat
from churn.one_line import one_line

NAME = r"^[a-z][a-z0-9_]*$"
# A text that a file may spell with its accents as characters of their own.
Text = Annotated[str, AfterValidator(composed)]
Kind = Literal["number", "integer", "flag", "category"]
Role = Literal["feature", "id", "ignored", "sensitive", "value", "time"]

# Names that the log, and the request model, give to columns of their own.
RESERVED = frozenset(
    {
        "customer_id",
        "prediction_id",
        "seq",
        "requested_at",
        "model_version",
        "churn_probability",
        "churned",
        "observed_at",
        "outcome_seq",
        "requested_month",
        "features",
        *(name for name in dir(BaseModel) if not name.startswith("_")),
    }
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Column(_Part):
    """One column of a customer.

    `number` and `integer` have inclusive bounds in `unit`; a `flag` is one of two levels and 0 or 1 in a frame;
    a `category` is one of `levels`, always text. Texts of `missing` mean a missing value in this column, beside the usual ones
    (`churn.customers.cell_rule`); `number_format` says how texts write its numbers, where they do not write 1234.5.

    Only a `feature` is asked for in a request, read by a model and kept in the log. The `id` names the customer. What is
    `sensitive` is read from labelled files where it is there, for comparing groups, and never reaches a model; a sensitive
    category needs no levels. The `value` is what a customer who stays is worth, in the currency of params.yaml: campaigns are
    planned with it, and no model, request or log holds it. The `time` is the month, day or moment that a row of a labelled file
    speaks of: by it the monitor knows what months usually are. What is `ignored` is not read at all.
    """

    name: str = Field(pattern=NAME)
    source: Text
    kind: Kind
    role: Role = "feature"
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    levels: tuple[Text, ...] = ()
    true_level: Text = "Yes"
    false_level: Text = "No"
    nullable: bool = False
    missing: tuple[Text, ...] = ()
    number_format: NumberFormat | None = None
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name in RESERVED:
            raise ValueError(f"column {self.name!r}: the name is reserved")
        if self.kind == "category" and self.role == "feature" and not self.levels:
            raise ValueError(f"column {self.name!r}: a category needs its levels")
        if self.kind != "category" and self.levels:
            raise ValueError(f"column {self.name!r}: only a category has levels")
        if self.number_format is not None and self.kind not in ("number", "integer"):
            raise ValueError(f"column {self.name!r}: only a number or an integer has a number_format")
        if self.role == "value" and self.kind not in ("number", "integer"):
            raise ValueError(f"column {self.name!r}: the value of a customer is a number or an integer")
        if self.role == "time" and (self.kind != "category" or self.levels):
            raise ValueError(f"column {self.name!r}: the time of a row is a category without levels")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"column {self.name!r}: a level is listed twice")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"column {self.name!r}: minimum is above maximum")
        if self.kind == "flag" and self.true_level.casefold() == self.false_level.casefold():
            raise ValueError(f"column {self.name!r}: both levels are {self.true_level!r}")
        # JSON and data frames have values of their own for yes and no: they must mean the same as the levels do.
        if self.kind == "flag" and (self.true_level.casefold() in ("false", "0") or self.false_level.casefold() in ("true", "1")):
            raise ValueError(f"column {self.name!r}: {self.true_level!r} cannot mean true; exchange the levels")
        if shared := sorted({*self.missing} & {*self.levels}):
            raise ValueError(f"column {self.name!r}: {shared[0]!r} is a level, and cannot mean a missing value")
        return self

    @property
    def is_numeric(self) -> bool:
        """Whether the column is a float in a frame: numbers, integers and flags (0 or 1)."""
        return self.kind != "category"

    @property
    def required(self) -> bool:
        """Whether a customer must have a value. A number may always be missing: to impute it is the pipeline's work."""
        return not (self.nullable or self.kind in ("number", "integer"))


class Target(_Part):
    """What came true: the column of a labelled file, the texts of its two levels, and in words: a customer `leaves`."""

    event: str = Field("leaves", min_length=1, max_length=100)
    column: str = "churn"
    source: Text = "Churn"
    true_level: Text = "True"
    false_level: Text = "False"


class Check(_Part):
    """A relation between columns of one row: |column - equals * times| <= tolerance, where both are present."""

    column: str
    equals: str
    times: float
    tolerance: float = Field(gt=0)

    def __str__(self) -> str:
        return f"must be {self.equals} times {self.times:g}, within {self.tolerance:g}"


class Sum(_Part):
    """Numbers that mean something together, such as all that a customer pays: a model may use their sum."""

    unit: str | None = None
    of: tuple[str, ...] = Field(min_length=2)
    description: str = ""


class Contract(_Part):
    """A whole contract, as one YAML file spells it.

    Examples
    --------
    >>> telecom = load_contract("telecom")
    >>> len(telecom.features), telecom.target.column
    (19, 'churn')
    >>> telecom["total_day_minutes"].unit
    'minutes'
    """

    name: str
    description: str = ""
    # What one row is, in the words of cards and pages: "telecom customer", "employee".
    customer: str = Field("customer", min_length=1, max_length=100)
    target: Target = Target()
    columns: tuple[Column, ...] = Field(min_length=1)
    checks: tuple[Check, ...] = ()
    sums: dict[Annotated[str, Field(pattern=NAME)], Sum] = Field(default_factory=dict)
    population: dict[str, Any] | None = None
    digest: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [column.name for column in self.columns]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"column {repeated[0]!r} is described twice")
        if self.target.column in names:
            raise ValueError(f"the target {self.target.column!r} is also a column")
        # A file may spell a column either way, so no spelling may mean two columns.
        parts = [*({column.name, column.source} for column in self.columns), {self.target.column, self.target.source}]
        spellings = [spelling for part in parts for spelling in part]
        if shared := sorted({spelling for spelling in spellings if spellings.count(spelling) > 1}):
            raise ValueError(f"two columns are spelled {shared[0]!r}")
        numeric = set(self.numeric_features)
        for check in self.checks:
            for name in (check.column, check.equals):
                if name not in numeric:
                    raise ValueError(f"a check names {name!r}, which is no numeric feature of this contract")
        for total, added in self.sums.items():
            if total in spellings:
                raise ValueError(f"the sum {total!r} has the name of a column")
            if foreign := sorted(set(added.of) - numeric):
                raise ValueError(f"the sum {total!r} names {foreign[0]!r}, which is no numeric feature of this contract")
            if len(set(added.of)) < len(added.of):
                raise ValueError(f"the sum {total!r} names a column twice")
        if not self.features:
            raise ValueError("no column has the role 'feature'")
        self._check_roles()
        return self

    def _check_roles(self) -> None:
        for role, what in (("id", "names the customer"), ("value", "says what a customer is worth"), ("time", "says when")):
            if len(alike := [column.name for column in self.columns if column.role == role]) > 1:
                raise ValueError(f"columns {alike[0]!r} and {alike[1]!r} both have the role {role!r}; one {what}")

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns a model may use and a request may hold, in the contract's order."""
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def feature_names(self) -> list[str]:
        """Names of `features`."""
        return [column.name for column in self.features]

    @property
    def numeric_features(self) -> list[str]:
        """Names of the features that are floats in a frame: numbers, integers, and flags as 0 or 1."""
        return [column.name for column in self.features if column.is_numeric]

    @property
    def sensitive(self) -> tuple[Column, ...]:
        """The columns by which groups of customers are compared, and which no model, request or log ever holds."""
        return tuple(column for column in self.columns if column.role == "sensitive")

    @property
    def value_column(self) -> Column | None:
        """The column that says what a customer who stays is worth, if the export has one."""
        return next((column for column in self.columns if column.role == "value"), None)

    @property
    def with_value(self) -> Contract:
        """The contract by which campaigns are planned: the value is read like a feature, and may be missing."""
        columns = [
            column.model_copy(update={"role": "feature", "nullable": True}) if column.role == "value" else column
            for column in self.columns
        ]
        return self.model_copy(update={"columns": tuple(columns)})

    @property
    def time_column(self) -> Column | None:
        """The column that says which time a row of a labelled file speaks of, if the export has one."""
        return next((column for column in self.columns if column.role == "time"), None)

    @property
    def id_column(self) -> Column | None:
        """The column that names the customer, if the export has one."""
        return next((column for column in self.columns if column.role == "id"), None)


def load_contract(name_or_path: str | Path = "telecom") -> Contract:
    """Read a contract that ships with the package (by name) or any YAML file (by path).

    Raises
    ------
    InputError
        If there is no such file, or it is not a contract; the message names the field and the rule.
    """
    packaged = resources.files("churn").joinpath("contracts", f"{name_or_path}.yaml")
    try:
        text = packaged.read_text("utf-8") if packaged.is_file() else Path(name_or_path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"contract {str(name_or_path)!r}: not a packaged contract nor a readable YAML file ({error})") from error
    return parse_contract(text, str(name_or_path))


@lru_cache(maxsize=8)  # a text takes ten milliseconds, and a process asks for the same one again and again
def parse_contract(text: str, name: str) -> Contract:
    """Read a contract from its YAML text; error messages call it `name`.

    Nobody changes a contract: of a text that was read before it is the same one.

    Raises
    ------
    InputError
        If it is not a contract; the message names the field and the rule.
    """
    try:
        document = load_yaml(text)
        if not isinstance(document, dict):
            raise InputError(f"contract {name!r}: a mapping is expected at the top")
        document["digest"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Contract.model_validate(document)
    except yaml.YAMLError as error:
        raise InputError(f"contract {name!r}: not YAML ({one_line(error)})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "contract"
        raise InputError(f"contract {name!r}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
