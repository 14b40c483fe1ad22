"""Rendered Kubernetes manifests as what `podman kube play` understands: pods, claims and config maps, with names of one run.

Podman 4.3 knows no StatefulSet, Job or CronJob, and of a Deployment it makes pods whose names it chooses. So each of these
becomes its pods. What podman is not told of, `left_out` returns; k8s/README.md lists it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
# Kinds that make pods, and the way from one to its pod template.
TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
KEPT = ("ConfigMap", "PersistentVolumeClaim")
# Fields of a pod that podman 4.3 ignores, or falls over.
LEFT_OUT_OF_PODS = ("serviceAccountName", "topologySpreadConstraints", "priorityClassName")
# Of a container. Its probes are run from outside, as a kubelet does (tools/pods/probes.py); its ports podman 4.3 would open on
# all addresses of this machine.
LEFT_OUT_OF_CONTAINERS = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports")
GROUPS = ("initContainers", "containers")
# Otherwise podman 4.3 removes an init container that has ended, and sometimes does so before it has.
INIT_CONTAINERS = "io.podman.annotations.init.container.type"
REPLICAS = 2


@dataclass(frozen=True)
class Pod:
    """One pod to play, with the documents that it needs.

    Attributes
    ----------
    name : str
        With the prefix of the run.
    maker : str
        Name of the manifest that makes it, such as `churn-service`.
    kind : str
    addresses : tuple of str
        Names under which others reach it: its Services'.
    documents : tuple of dict
        For `podman kube play`.
    containers : tuple of dict
        As the manifest has them, with their probes.
    """

    name: str
    maker: str
    kind: str
    addresses: tuple[str, ...]
    documents: tuple[Document, ...]
    containers: tuple[Document, ...]


def make_pods(rendered: Iterable[Document], prefix: str, images: dict[str, str]) -> list[Pod]:
    """Make the pods of rendered manifests.

    Parameters
    ----------
    rendered : iterable of dict
        As `kubectl kustomize` prints them.
    prefix : str
        Before every name that podman keeps for the whole machine: pods, claims, secrets.
    images : dict of str
        What to run in place of an image.

    Returns
    -------
    list of Pod
        In the order of the manifests; a StatefulSet has two.
    """
    documents = [copy.deepcopy(document) for document in rendered]
    shared = [_renamed(document, prefix) for document in documents if document["kind"] in KEPT]
    found = []
    for document in documents:
        if document["kind"] not in TEMPLATES:
            continue
        maker, kind = document["metadata"]["name"], document["kind"]
        for number in range(REPLICAS if kind == "StatefulSet" else 1):
            template = copy.deepcopy(_template(document))
            name = f"{prefix}{maker}" + (f"-{number}" if kind == "StatefulSet" else "")
            claims = [_claim(entry, name) for entry in document["spec"].get("volumeClaimTemplates", [])]
            volumes = [
                {"name": entry["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
                for entry, claim in zip(document["spec"].get("volumeClaimTemplates", []), claims, strict=True)
            ]
            containers = copy.deepcopy(template["spec"]["containers"])
            template["spec"]["volumes"] = [*template["spec"].get("volumes", []), *volumes]
            metadata = {**template.get("metadata", {}), "name": name}
            if template["spec"].get("initContainers"):
                metadata["annotations"] = {**metadata.get("annotations", {}), INIT_CONTAINERS: "always"}
            pod: Document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
            pod["spec"] = _podman_spec(template["spec"], prefix, images, {claim["metadata"]["name"] for claim in claims})
            addresses = tuple(_services(documents, template.get("metadata", {}).get("labels", {})))
            found.append(Pod(name, maker, kind, addresses, (*_needed(shared, pod["spec"]), *claims, pod), tuple(containers)))
    return found


def image_names(rendered: Iterable[Document]) -> set[str]:
    """Return the images of all pods."""
    specs = [_template(document)["spec"] for document in rendered if document["kind"] in TEMPLATES]
    return {container["image"] for spec in specs for group in GROUPS for container in spec.get(group, [])}


def _template(document: Document) -> Document:
    found = document
    for step in TEMPLATES[document["kind"]]:
        found = found[step]
    return found


def left_out(rendered: Iterable[Document]) -> set[str]:
    """Return the kinds, and the fields of pods and containers, that podman is not told of."""
    kinds = {document["kind"] for document in rendered} - set(TEMPLATES) - set(KEPT)
    return kinds | set(LEFT_OUT_OF_PODS) | set(LEFT_OUT_OF_CONTAINERS)


def _needed(shared: list[Document], spec: Document) -> list[Document]:
    """Leave out claims of other pods: podman makes a volume of each, and falls over one that is there."""
    claimed = {volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume}
    return [document for document in shared if document["kind"] == "ConfigMap" or document["metadata"]["name"] in claimed]


def _renamed(document: Document, prefix: str) -> Document:
    if document["kind"] != "ConfigMap":
        document["metadata"]["name"] = f"{prefix}{document['metadata']['name']}"
    return document


def _claim(template: Document, pod: str) -> Document:
    """As a StatefulSet makes it for one of its pods."""
    name = f"{template['metadata']['name']}-{pod}"
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": template["spec"]}


def _podman_spec(spec: Document, prefix: str, images: dict[str, str], own_claims: set[str]) -> Document:
    spec = {name: value for name, value in spec.items() if name not in LEFT_OUT_OF_PODS}
    for volume in spec.get("volumes", []):
        claim = volume.get("persistentVolumeClaim")
        if claim and claim["claimName"] not in own_claims:
            claim["claimName"] = f"{prefix}{claim['claimName']}"
        if "emptyDir" in volume:
            # A size in memory or on disk is the kubelet's to keep.
            volume["emptyDir"] = {}
    for group in GROUPS:
        for container in spec.get(group, []):
            _simplify(container, prefix, images)
            # What the pod says for all its containers, podman 4.3 wants said of each.
            inherited = {
                name: spec["securityContext"][name] for name in ("runAsUser", "runAsGroup") if name in spec["securityContext"]
            }
            container["securityContext"] = {**inherited, **container["securityContext"]}
    return spec


def _simplify(container: Document, prefix: str, images: dict[str, str]) -> None:
    for name in LEFT_OUT_OF_CONTAINERS:
        container.pop(name, None)
    container["image"] = images.get(container["image"], container["image"])
    container["imagePullPolicy"] = "Never"
    for entry in container.get("env", []):
        secret = entry.get("valueFrom", {}).get("secretKeyRef")
        if secret:
            secret["name"] = f"{prefix}{secret['name']}"


def _services(documents: list[Document], labels: dict[str, str]) -> Iterator[str]:
    for document in documents:
        if document["kind"] == "Service" and document["spec"]["selector"].items() <= labels.items():
            yield document["metadata"]["name"]
