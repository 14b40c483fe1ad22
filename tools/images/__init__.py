"""Build both images of the Dockerfile and run them as they are meant to run: `make images`, described in docs/images.md."""
