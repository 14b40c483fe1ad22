"""What the kernel says of the containers that run: users, rights, networks, limits, and where secrets are."""

from __future__ import annotations

from pathlib import Path

import psutil

from churn.errors import ChurnError
from tools.containers.stack import ContainerStack

# Who may have which secrets in its environment: programs that know no secrets by file.
OWN = {"mlflow": {"mlflow_password", "s3_password"}, "prefect": {"prefect_password"}, "minio": {"s3_password"}}


def check_confinement(stack: ContainerStack) -> int:
    """Hold every running container against compose.yaml.

    Parameters
    ----------
    stack : ContainerStack

    Returns
    -------
    int
        How many were looked at.

    Raises
    ------
    ChurnError
        With everything that is not as the file says.
    """
    running = [name for name, service in stack.services.items() if not service.ends]
    wrong = [f"{name}: {problem}" for name in running for problem in _problems(stack, name)]
    wrong += _wrong_accounts(stack)
    if wrong:
        raise ChurnError("the containers are not as compose.yaml says:\n" + "\n".join(wrong))
    return len(running)


def _problems(stack: ContainerStack, name: str) -> list[str]:
    entry, pid = stack.services[name].entry, stack.pid(name)
    status = _read_status(Path(f"/proc/{pid}/status").read_text())
    found = []
    if status["Uid"].split()[0] != entry["user"].split(":")[0]:
        found.append(f"runs as {status['Uid'].split()[0]}, not {entry['user']}")
    if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
        found.append(f"has capabilities: {status['CapEff']}, bound {status['CapBnd']}")
    if status["NoNewPrivs"] != "1":
        found.append("may gain privileges")
    root = next(line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines() if line.split()[1] == "/")
    if "ro" not in root[3].split(","):
        found.append("its root can be written to")
    routes = [line.split() for line in Path(f"/proc/{pid}/net/route").read_text().splitlines()[1:]]
    way_out = any(route[1] == "00000000" for route in routes)
    if way_out != ("edge" in entry["networks"]):
        found.append(f"{'has a' if way_out else 'has no'} way out, and its networks are {entry['networks']}")
    limits = stack.engine.inspect("container", stack.container(name))["HostConfig"]
    if limits["Memory"] != _bytes(entry["mem_limit"]) or limits["PidsLimit"] != entry["pids_limit"]:
        found.append(f"its limits are {limits['Memory']} bytes and {limits['PidsLimit']} processes")
    return found + _leaks(stack, name, pid)


def _leaks(stack: ContainerStack, name: str, pid: int) -> list[str]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    environments = "".join(Path(f"/proc/{member.pid}/environ").read_bytes().decode(errors="replace") for member in family)
    lines = " ".join(word for member in family for word in member.cmdline())
    log = stack.log(name)
    told = {secret for secret, value in stack.secrets.items() if value in environments}
    found = [f"{secret} is in its environment" for secret in sorted(told - OWN.get(name, set()))]
    found += [f"{secret} is in a command line" for secret, value in stack.secrets.items() if value in lines]
    return found + [f"{secret} is in its log" for secret, value in stack.secrets.items() if value in log]


def _wrong_accounts(stack: ContainerStack) -> list[str]:
    """Each program reaches its own database, and no other."""
    found = []
    for user, database in (("churn", "mlflow"), ("mlflow", "churn"), ("prefect", "churn"), ("churn", "postgres")):
        password = stack.secrets["store_password" if user == "churn" else f"{user}_password"]
        words = ("psql", "-X", "-h", "127.0.0.1", "-U", user, "-d", database, "-c", "SELECT 1")
        if "permission denied for database" not in stack.run("postgres", *words, check=False, PGPASSWORD=password):
            found.append(f"PostgreSQL lets {user} into the database {database}")
    return found


def _read_status(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def _bytes(limit: str) -> int:
    return int(limit[:-1]) * {"m": 2**20, "g": 2**30}[limit[-1]]
