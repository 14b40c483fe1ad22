"""`python -m benchmarks.campaigns [--short] [--runs N] [--rows N ...] [--seed N] [--out FILE]`.

What calling everybody does to monitor and gate, with contacts recorded and without.

Without records the loop learns from everything (docs/adr/0025).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.campaigns.company import Company, opened
from churn.config.settings import load_settings
from churn.contract import load_contract

OUT = Path("build/benchmarks/campaigns.json")
SCENARIOS: dict[str, dict[str, bool]] = {
    "no campaign": {"calls": False},
    "campaign, nothing recorded": {"calls": True, "recorded": False},
    "campaign, recorded": {"calls": True},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaigns", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="monitoring runs, of 500 outcomes each")
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 8_000], help="labelled rows before a retraining")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="one run and one retraining, to see that it works")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if asked.short:
        asked.runs, asked.rows = 1, [2_000]
    company = Company.found(load_contract(), asked.seed)
    settings = load_settings(label_maturity_seconds=0.0, min_labelled_rows=100, min_window_rows=100)
    print(" | ".join([f"{'':28}", f"alarms of {asked.runs} runs", *(f"after {rows:,} rows" for rows in asked.rows)]))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, scenario in SCENARIOS.items():
            # Each run on its own, so that one alarm does not count twice.
            alarms = 0
            for n in range(asked.runs):
                store = opened(Path(folder), f"{name}-{n}")
                company.ask(store, 500, 1_000 + asked.seed * 100 + n, **scenario)
                alarms += company.judged(store, settings)
                store.close()
            said, retrained = [], []
            for rows in asked.rows:
                store = opened(Path(folder), f"{name}-{rows}")
                company.ask(store, rows, 77 + asked.seed, **scenario)
                promoted, before, after = company.retrain(store)
                retrained.append({"rows": rows, "promoted": promoted, "log_loss": [before, after]})
                said.append(f"{'promoted' if promoted else 'rejected'}, {before:.4f} -> {after:.4f}")
                store.close()
            results.append({"scenario": name, "runs": asked.runs, "alarms": alarms, "retrained": retrained})
            print(" | ".join([f"{name:28}", f"{alarms:17}", *said]), flush=True)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
