"""Where the checkout is, for tests that read what is not a module."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
