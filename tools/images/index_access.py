"""How whoever builds reaches a package index: given to the build's steps as secrets, so that nothing of it is in an image."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

# Which file holds the certificate authorities of this network: each client's own variable, then where Debian keeps them.
AUTHORITIES = ("SSL_CERT_FILE", "UV_SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
UV_FILES = (Path.home() / ".config/uv/uv.toml", Path("/etc/uv/uv.toml"))
PIP_OPTIONS = ("trusted-host", "proxy", "timeout", "default-timeout")


def build_secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Write the files that the Dockerfile mounts, as far as this user has any, and return the options that pass them.

    Parameters
    ----------
    folder : Path
        Where to write them. They may hold passwords: it must be closed to others.
    environment : mapping of str

    Returns
    -------
    list of str
    """
    pip = pip_configuration()
    named = [environment[name] for name in AUTHORITIES if environment.get(name)] + [pip.get("cert", "")]
    authorities = next((Path(name) for name in named if name and Path(name).is_file()), SYSTEM_AUTHORITIES)
    files = {"authorities": authorities} if authorities.is_file() else {}
    for name, text in (("pip", render_pip(pip, environment)), ("uv", render_uv(pip, environment))):
        if text:
            files[name] = folder / name
            files[name].write_text(text)
    return [f"--secret=id={name},src={file}" for name, file in files.items()]


def pip_configuration() -> dict[str, str]:
    """Return pip's own answer to what its files and variables say together; nothing where there is no pip."""
    said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    # Variables come first, and win over files.
    for line in said.stdout.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name.rpartition(".")[2], "".join(shlex.split(value)))
    return found


def render_pip(pip: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return a pip.conf for the build; empty if there is nothing to say.

    Parameters
    ----------
    pip, environment : mapping of str
        pip's options, and this process's variables.

    Returns
    -------
    str
    """
    first, more = indexes(pip, environment)
    options = {name: value for name, value in pip.items() if name in PIP_OPTIONS}
    if first:
        options["index-url"] = first
    if more:
        options["extra-index-url"] = " ".join(more)
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in options.items())]) if options else ""


def render_uv(pip: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return a uv.toml for the build: the user's own, else the indexes of the variables, else those of pip.

    Parameters
    ----------
    pip, environment : mapping of str
        pip's options, and this process's variables.

    Returns
    -------
    str
    """
    by_variable = any(environment.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"))
    if not by_variable:
        named = environment.get("UV_CONFIG_FILE")
        for file in [Path(named)] if named else UV_FILES:
            if file.is_file():
                return file.read_text()
    first, more = indexes(pip, environment)
    tables = [f"[[index]]\nurl = {json.dumps(url)}\n" for url in more]
    return "".join([*tables, f"[[index]]\nurl = {json.dumps(first)}\ndefault = true\n" if first else ""])


def indexes(pip: Mapping[str, str], environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the URL of the index, empty for the public one, and further ones; folders of this machine are left out.

    Parameters
    ----------
    pip, environment : mapping of str
        pip's options, and this process's variables.

    Returns
    -------
    tuple of str and list of str
    """
    first = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL") or pip.get("index-url", "")
    more = environment.get("UV_INDEX") or environment.get("UV_EXTRA_INDEX_URL") or pip.get("extra-index-url", "")
    # An index may have a name: NAME=URL.
    urls = [entry.partition("=")[2] if "=" in entry.partition("://")[0] else entry for entry in [first, *more.split()]]
    return urls[0] if _is_remote(urls[0]) else "", [url for url in urls[1:] if _is_remote(url)]


def _is_remote(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")


def uv_cache() -> Path | None:
    """Return the folder of this user's uv cache, which the build may use too; None if there is no uv."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        return None
    said = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=False)  # noqa: S603 -- our own uv
    folder = Path(said.stdout.strip())
    return folder if said.returncode == 0 and folder.is_dir() else None
