"""The pods of k8s/overlays/local and the nightly retention, under `podman kube play`: `make pods`.

Exit code 0 if they answer and their probes pass, 1 if not, 3 if this machine has no podman (the reason is printed).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from churn.config.settings import load_settings
from churn.contract import load_contract
from churn.errors import ChurnError
from pipelines.data_sources.pull import pull_data
from tools.containers.command import run_command
from tools.containers.debian_images import PREFIX, require_images
from tools.containers.engine import Engine
from tools.containers.quick_params import QUICK
from tools.containers.volumes import fill_volume
from tools.loopback_http import http
from tools.packages import CHECKOUT
from tools.pods.probes import await_probe
from tools.pods.transform import Document, Pod, image_names, make_pods
from tools.stack.callers import CUSTOMER
from tools.stack.programs import find

# In the order in which they need each other, some together; a cluster starts them all at once and lets them try again.
ORDER = (
    ("postgres",),
    ("mlflow", "prefect", "churn-migrate"),
    ("churn-flows", "churn-exporter"),
    ("churn-service", "churn-retention"),
)
CUSTOMERS = "/var/lib/customers/customers.csv"
QUICK_PARAMS = "/var/lib/customers/quick.yaml"
TIMEOUT_SECONDS = 600
# The manifests say how long a node may take that runs the pods alone.
TIMEOUT_FACTOR = 10


def main() -> int:
    """Play the pods, use them, take them down, and say what was seen and when."""
    return run_command("pods", _play_all)


def _play_all(engine: Engine, say: Callable[[str], None]) -> None:
    with _run(engine) as prefix, tempfile.TemporaryDirectory(prefix="churn-pods-") as folder:
        require_images(engine)
        _use(engine, prefix, Path(folder), say)


@contextmanager
def _run(engine: Engine) -> Iterator[str]:
    """A network for this run; afterwards everything whose name begins with the prefix is removed, and nothing else."""
    prefix = f"churn-pods-{secrets.token_hex(3)}-"
    engine.podman("network", "create", "--internal", f"{prefix}net")
    try:
        yield prefix
    finally:
        for listed, remove in (
            (("pod", "ls", "--format", "{{.Name}}"), ("pod", "rm", "--force", "--time", "0")),
            (("volume", "ls", "--format", "{{.Name}}"), ("volume", "rm", "--force")),
            (("secret", "ls", "--format", "{{.Name}}"), ("secret", "rm")),
            (("network", "ls", "--format", "{{.Name}}"), ("network", "rm", "--force")),
        ):
            named = engine.run("podman", *listed, check=False).stdout.split()
            # A pod's claims are called after it: `home-PREFIX…`.
            if found := [name for name in named if prefix in name]:
                engine.run("podman", *remove, *found, check=False)


def _use(engine: Engine, prefix: str, folder: Path, say: Callable[[str], None]) -> None:
    key = secrets.token_hex(24)
    documents = render(folder)
    # Not by `kube play`: podman 4.3 stores a Secret as YAML, and then reads it as JSON.
    (folder / "secret.json").write_text(json.dumps(make_secret(key)))
    engine.podman("secret", "create", f"{prefix}churn-secrets", folder / "secret.json")
    # Debian's PostgreSQL for Docker's; ours are called as podman calls what it has built itself.
    images = {
        name: f"{PREFIX}postgres" if name.startswith("postgres:") else f"localhost/{name}" for name in image_names(documents)
    }
    pods = make_pods(documents, prefix, images)
    settings = load_settings()
    source = pull_data(settings, load_contract(settings.contract))
    engine.podman("volume", "create", f"{prefix}churn-customers")
    files = {Path(CUSTOMERS).name: source.path.read_bytes(), Path(QUICK_PARAMS).name: QUICK.encode()}
    fill_volume(engine, f"{prefix}churn-customers", files, 10001)
    for makers in ORDER:
        together = [pod for pod in pods if pod.maker.startswith(makers)]
        if missing := [maker for maker in makers if not any(pod.maker.startswith(maker) for pod in together)]:
            raise ChurnError(f"the manifests have no {', '.join(missing)}")
        for pod in together:
            _play(engine, prefix, pod, folder)
        began = time.monotonic()
        for pod in together:
            _await(engine, prefix, pod, began, say)
        if "churn-flows" in makers:
            quickly = ("--env", f"CHURN_PARAMS={QUICK_PARAMS}", f"{prefix}churn-flows-flows")
            engine.podman("exec", *quickly, "churn", "train", "--trigger", "first model")
            say("the flows' pod has trained and registered the first model")
    for pod in pods:
        if pod.maker == "churn-service":
            url = f"http://{_address(engine, prefix, pod)}:8000/predict"
            answer = http.post(url, json=CUSTOMER, headers={"X-API-Key": key})
            if answer.status_code != 200:
                raise ChurnError(f"{pod.name} answers {answer.status_code}: {answer.text}")
            if http.post(url, json=CUSTOMER).status_code != 401:
                raise ChurnError(f"{pod.name} answers without a key")
            say(f"{pod.maker}: answers, {answer.json()['churn_probability']:.3f} by model {answer.json()['model_version']}")


def _play(engine: Engine, prefix: str, pod: Pod, folder: Path) -> None:
    file = folder / f"{pod.name}.yaml"
    file.write_text(yaml.safe_dump_all(pod.documents))
    network = f"{prefix}net" + "".join(
        f":alias={name}" if index == 0 else f",alias={name}" for index, name in enumerate(pod.addresses)
    )
    engine.podman("kube", "play", "--network", network, file)


def _await(engine: Engine, prefix: str, pod: Pod, began: float, say: Callable[[str], None]) -> None:
    for container in pod.containers:
        name = f"{pod.name}-{container['name']}"
        if pod.kind in ("Job", "CronJob"):
            _await_end(engine, name)
            say(f"{pod.kind} {pod.maker}: ended well within {time.monotonic() - began:.1f} s")
            continue
        address = _address(engine, prefix, pod)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            await_probe(engine, container, kind, name, address, TIMEOUT_FACTOR)
        said = f"startup, readiness and liveness passed within {time.monotonic() - began:.1f} s"
        say(f"{pod.kind} {pod.name.removeprefix(prefix)}: {said}")


def _await_end(engine: Engine, name: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (state := engine.inspect("container", name)["State"])["Status"] not in ("exited", "stopped"):
        if time.monotonic() > deadline:
            raise ChurnError(f"{name} does not end")
        time.sleep(0.5)
    if state["ExitCode"] != 0:
        raise ChurnError(f"{name} ended with {state['ExitCode']}: {engine.podman('logs', name)[-3000:]}")


def _address(engine: Engine, prefix: str, pod: Pod) -> str:
    infra = engine.inspect("pod", pod.name)["InfraContainerID"]
    return str(engine.inspect("container", infra)["NetworkSettings"]["Networks"][f"{prefix}net"]["IPAddress"])


def render(folder: Path) -> list[Document]:
    """Render the local overlay, with the customers of production and the nightly retention.

    Parameters
    ----------
    folder : Path
        For the overlay that says so.

    Returns
    -------
    list of dict
    """
    (folder / "customers.yaml").write_text((CHECKOUT / "k8s/overlays/production/customers.yaml").read_text())
    up = "/".join([".."] * len(folder.resolve().parts[1:]))
    there = f"{up}{CHECKOUT}/k8s"
    local = yaml.safe_load((CHECKOUT / "k8s/overlays/local/kustomization.yaml").read_text())
    overlay = {
        # The overlay's own tags are not those of what is added to it here.
        "images": local["images"],
        "resources": [f"{there}/overlays/local", f"{there}/components/retention/retention.yaml"],
        "patches": [{"path": "customers.yaml"}],
        "namespace": "churn",
        "configMapGenerator": [{"name": "churn-settings", "behavior": "merge", "literals": [f"CHURN_DATA={CUSTOMERS}"]}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    rendered = _kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))
    return [document for document in yaml.safe_load_all(rendered) if document]


def _kubectl(*words: str) -> str:
    done = subprocess.run([find("kubectl"), *words], capture_output=True, text=True, check=False)  # noqa: S603 -- our words
    if done.returncode != 0:
        raise ChurnError(f"kubectl {words[0]}: {done.stderr}")
    return done.stdout


def make_secret(key: str) -> dict[str, str]:
    """Return the `data` of the Secret that k8s/README.md has one make.

    Parameters
    ----------
    key : str
        The API key; only its hash goes into the Secret.

    Returns
    -------
    dict of str
        In base64.
    """
    password = secrets.token_hex(24)
    values = {
        "postgres-password": password,
        "store-url": f"postgresql+psycopg://churn:{password}@postgres:5432/churn",
        "api-keys": f"me:predict+outcomes+admin:{hashlib.sha256(key.encode()).hexdigest()}",
        "pseudonym-key": secrets.token_hex(32),
    }
    return {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())
