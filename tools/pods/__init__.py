"""Run the pods of the Kubernetes manifests under podman."""
