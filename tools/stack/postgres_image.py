"""What the entrypoint of PostgreSQL's image does, with this machine's own programs."""

from __future__ import annotations

from pathlib import Path

from tools.postgres import find_programs, somebody_but_root
from tools.stack.programs import run_checked


def make_cluster(root: Path, data: Path, paths: dict[str, str], initdb_options: list[str]) -> list[str]:
    """Make the database cluster and run its start scripts, once.

    Parameters
    ----------
    root : Path
        Folder of the stack; the secrets are in it.
    data : Path
        Where the cluster is.
    paths : dict of str
        Where the mounts of the image are on this machine.
    initdb_options : list of str
        More words for `initdb`.

    Returns
    -------
    list of str
        The words to put before the command of the server: it does not run as root.
    """
    programs, sockets = find_programs(), paths["/var/run/postgresql"]
    # The user that it runs as must be able to enter.
    for folder in (root, root / "secrets"):
        folder.chmod(0o755)
    as_user = somebody_but_root(data.parent)
    somebody_but_root(Path(sockets))
    if not data.exists():
        password = f"--pwfile={root}/secrets/postgres_password"
        words = ("--no-sync", "-U", "postgres", password, "--auth-local=trust", *initdb_options, "-D", data)
        run_checked(*as_user, programs / "initdb", *words)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        server = (*as_user, programs / "pg_ctl", "-w", "-s", "-D", data, "-l", data / "log")
        run_checked(*server, "-o", f"-k {sockets} -c listen_addresses=", "start")
        for script in sorted(Path(paths["/docker-entrypoint-initdb.d"]).iterdir()):
            run_checked(programs / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-U", "postgres", "-f", script)
        run_checked(*server, "stop")
    return as_user
