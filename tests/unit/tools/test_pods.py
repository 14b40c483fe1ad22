from __future__ import annotations

import copy
from typing import Any

import pytest

from churn.errors import ChurnError
from tests.checkout import CHECKOUT
from tests.unit.deploy.manifests import render
from tools.containers.engine import Engine
from tools.pods.probes import await_probe, find_port, run_probe
from tools.pods.transform import LEFT_OUT_OF_CONTAINERS, Pod, image_names, left_out, make_pods

LOCAL = [document for document in render("overlays/local") if document]
PRODUCTION = [document for document in render("overlays/production") if document]


def pods(images: dict[str, str] | None = None, rendered: list[dict[str, Any]] | None = None) -> dict[str, Pod]:
    return {pod.name: pod for pod in make_pods(rendered or LOCAL, "run-", images or {})}


def spec(pod: Pod) -> dict[str, Any]:
    return dict(pod.documents[-1]["spec"])


def test_each_manifest_that_makes_pods_becomes_pods_and_a_stateful_set_two() -> None:
    assert {name: pod.kind for name, pod in pods().items()} == {
        "run-churn-exporter": "Deployment",
        "run-churn-flows": "Deployment",
        "run-churn-migrate-0-1-0": "Job",
        "run-churn-service-0": "StatefulSet",
        "run-churn-service-1": "StatefulSet",
        "run-mlflow": "Deployment",
        "run-postgres": "Deployment",
        "run-prefect": "Deployment",
    }
    assert pods(rendered=PRODUCTION)["run-churn-retention"].kind == "CronJob"


def test_a_pod_is_reached_under_the_names_of_its_services() -> None:
    addresses = {name: pod.addresses for name, pod in pods().items()}
    assert addresses["run-churn-service-1"] == ("churn-service", "churn-service-pods")
    assert addresses["run-mlflow"] == ("mlflow",)
    assert addresses["run-churn-flows"] == ()


def test_each_replica_has_a_claim_of_its_own_and_no_pod_brings_one_of_another() -> None:
    claims = {
        name: {document["metadata"]["name"] for document in pod.documents if document["kind"] == "PersistentVolumeClaim"}
        for name, pod in pods().items()
    }
    assert claims["run-churn-service-0"] == {"home-run-churn-service-0"}
    assert claims["run-churn-service-1"] == {"home-run-churn-service-1"}
    assert claims["run-postgres"] == {"run-postgres"}
    assert claims["run-churn-exporter"] == set()
    for pod in pods().values():
        named = {
            volume["persistentVolumeClaim"]["claimName"] for volume in spec(pod)["volumes"] if "persistentVolumeClaim" in volume
        }
        assert named == claims[pod.name]


def test_commands_settings_limits_and_security_contexts_are_the_manifests() -> None:
    templates = {document["metadata"]["name"]: document for document in LOCAL if document["kind"] == "Deployment"}
    for name in ("churn-exporter", "churn-flows", "mlflow", "postgres", "prefect"):
        there = templates[name]["spec"]["template"]["spec"]
        for group in ("initContainers", "containers"):
            for before, after in zip(there.get(group, []), spec(pods()[f"run-{name}"]).get(group, []), strict=True):
                for field in ("name", "command", "args", "envFrom", "resources", "volumeMounts"):
                    assert after.get(field) == before.get(field), (name, field)
                user = {key: there["securityContext"][key] for key in ("runAsUser", "runAsGroup")}
                assert after["securityContext"] == user | before["securityContext"]


def test_init_containers_are_kept_until_the_pod_goes() -> None:
    made = pods().values()
    with_init = [pod for pod in made if spec(pod).get("initContainers")]
    assert with_init
    for pod in made:
        kept = pod.documents[-1]["metadata"].get("annotations", {}).get("io.podman.annotations.init.container.type")
        assert kept == ("always" if pod in with_init else None)


def test_secrets_are_those_of_the_run() -> None:
    (container,) = spec(pods()["run-churn-exporter"])["containers"]
    (entry,) = [entry for entry in container["env"] if "valueFrom" in entry]
    assert entry["valueFrom"]["secretKeyRef"] == {"name": "run-churn-secrets", "key": "store-url"}


def test_images_are_replaced_and_never_pulled() -> None:
    assert {"churn-service:0.1.0", "churn-pipelines:0.1.0"} < image_names(LOCAL)
    images = {name: f"here/{name}" for name in image_names(LOCAL)}
    for pod in pods(images).values():
        for container in [*spec(pod).get("initContainers", []), *spec(pod)["containers"]]:
            assert container["image"].startswith("here/")
            assert container["imagePullPolicy"] == "Never"


def test_probes_are_kept_for_who_runs_them_and_kept_from_podman() -> None:
    service = pods()["run-churn-service-0"]
    assert service.containers[0]["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert not set(LEFT_OUT_OF_CONTAINERS) & set(spec(service)["containers"][0])


def test_the_manifests_themselves_stay_as_they_are() -> None:
    before = copy.deepcopy(LOCAL)
    pods()
    assert before == LOCAL


def test_what_podman_is_not_told_of_is_in_the_readme() -> None:
    text = (CHECKOUT / "k8s/README.md").read_text()
    assert left_out(LOCAL) > {"NetworkPolicy", "Service", "lifecycle"}
    assert not [name for name in left_out(LOCAL) if f"`{name}`" not in text]


class Podman(Engine):
    """Podman whose commands take some time and end with a code."""

    def __init__(self, code: int) -> None:
        self._code = code
        self.environment = {}

    def run(self, *words: object, **_more: object) -> Any:
        return super().run("sh", "-c", f"echo broken; exit {self._code if words[1] == 'exec' else 0}", check=False)


PROBE = {"exec": {"command": ["true"]}, "timeoutSeconds": 5, "periodSeconds": 0.01, "failureThreshold": 2}


@pytest.mark.parametrize(("code", "passes"), [(0, True), (1, False)])
def test_a_command_passes_by_its_exit_code(code: int, passes: bool) -> None:
    assert run_probe(Podman(code), {}, PROBE, "name", "127.0.0.1") is passes
    assert run_probe(Podman(0), {}, PROBE | {"timeoutSeconds": 0}, "name", "127.0.0.1") is False


def test_a_probe_that_never_passes_is_told_of_with_the_log() -> None:
    with pytest.raises(ChurnError, match=r"startupProbe does not pass:\nbroken"):
        await_probe(Podman(1), {"startupProbe": PROBE}, "startupProbe", "name", "127.0.0.1")


def test_a_port_is_found_by_its_name() -> None:
    container = {"ports": [{"name": "other", "containerPort": 1}, {"name": "http", "containerPort": 8000}]}
    assert (find_port(container, "http"), find_port(container, 9)) == (8000, 9)


def test_nobody_answers_is_no_pass() -> None:
    probe = {"httpGet": {"path": "/", "port": 9}, "timeoutSeconds": 1}
    assert run_probe(Podman(0), {}, probe, "name", "127.0.0.1") is False
