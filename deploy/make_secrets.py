"""Make the secrets of compose.yaml: `python3 deploy/make_secrets.py [FOLDER]`. One that is there already is left as it is.

The folder is closed to everybody else on this machine (0700). The files in it are not (0644), and must not be: they are mounted
one by one, with the owner and mode that they have here, into containers whose programs run as somebody else.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

PASSWORDS = ("postgres_password", "store_password", "mlflow_password", "prefect_password", "s3_password", "grafana_password")


def make_secrets(folder: Path) -> list[str]:
    """Make what is missing; tell what was made."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    made = [name for name in (*PASSWORDS, "pseudonym_key") if _write(folder / name, secrets.token_hex(32))]
    # The service gets the hash only. The key itself is for whoever calls it, and no container has it.
    key = secrets.token_hex(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    if _write(folder / "api_keys", f"operator:predict+outcomes+admin:{digest}"):
        _write(folder / "operator_key", key, mode=0o600)
        made.append("api_keys, operator_key")
    return made


def _write(file: Path, text: str, mode: int = 0o644) -> bool:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as opened:
        opened.write(f"{text}\n")
    file.chmod(mode)  # whatever the umask says
    return True


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "secrets")
    print(f"{where}: made {', '.join(make_secrets(where)) or 'nothing, all are there'}")  # noqa: T201
