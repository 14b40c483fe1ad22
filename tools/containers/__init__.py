"""Run podman and buildah, for whatever needs real containers."""
