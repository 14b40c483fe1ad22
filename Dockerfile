# syntax=docker/dockerfile:1
# Two images from one file. `service` answers predictions and has nothing else in it; `pipelines` has every command. What is in
# either one is listed in its /opt/churn/sbom.cdx.json (CycloneDX); what is below, in the bill of the base image.
#
#   docker build --target service   --tag churn-service:0.1.0 .
#   docker build --target pipelines --tag churn-pipelines:0.1.0 .
#
# The base is pinned by tag; no registry could be asked for its digest when this was written. Pin it where you build:
#   --build-arg BASE=python:3.12-slim-bookworm@sha256:…
ARG BASE=python:3.12-slim-bookworm

# uv, in the version and with the hashes of the lock.
FROM ${BASE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml requirements.lock README.md ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > /tmp/uv.lock \
 && pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --require-hashes --requirement /tmp/uv.lock

FROM build AS wheel
COPY churn/ churn/
COPY service/ service/
COPY monitoring/ monitoring/
COPY pipelines/ pipelines/
RUN --mount=type=cache,target=/root/.cache/uv uv build --wheel --quiet --build-constraints requirements.lock --require-hashes --out-dir /wheels

# What writes the bill of materials; it stays in the build.
FROM build AS tools
RUN --mount=type=cache,target=/root/.cache/uv uv venv --quiet --python /usr/local/bin/python3 /opt/tools \
 && uv pip install --quiet --python /opt/tools/bin/python --constraint requirements.lock cyclonedx-bom

# Versions and hashes come from the lock, which covers all extras: as a constraint it lets an image take only what it needs.
# Dependencies come before the wheel, so that a change of our code does not install them again.
FROM tools AS service-environment
RUN --mount=type=cache,target=/root/.cache/uv uv venv --quiet --python /usr/local/bin/python3 /opt/churn \
 && uv pip install --quiet --python /opt/churn/bin/python \
      --constraint requirements.lock --requirements pyproject.toml --extra postgres
COPY --from=wheel /wheels /wheels
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --quiet --no-deps --python /opt/churn/bin/python /wheels/*.whl
# The tests of the large libraries are a seventh of it. Then everything that is left is put on the bill.
RUN find /opt/churn/lib/python3*/site-packages/numpy /opt/churn/lib/python3*/site-packages/pandas \
      /opt/churn/lib/python3*/site-packages/pyarrow /opt/churn/lib/python3*/site-packages/scipy \
      /opt/churn/lib/python3*/site-packages/sklearn -type d -name tests -prune -exec rm -r {} + \
 && /opt/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/churn/sbom.cdx.json /opt/churn/bin/python

FROM tools AS pipelines-environment
RUN --mount=type=cache,target=/root/.cache/uv uv venv --quiet --python /usr/local/bin/python3 /opt/churn \
 && uv pip install --quiet --python /opt/churn/bin/python \
      --constraint requirements.lock --requirements pyproject.toml --extra pipelines --extra postgres --extra s3 --extra dask
COPY --from=wheel /wheels /wheels
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --quiet --no-deps --python /opt/churn/bin/python /wheels/*.whl
# The tests of the large libraries are a seventh of it. Then everything that is left is put on the bill.
RUN find /opt/churn/lib/python3*/site-packages/numpy /opt/churn/lib/python3*/site-packages/pandas \
      /opt/churn/lib/python3*/site-packages/pyarrow /opt/churn/lib/python3*/site-packages/scipy \
      /opt/churn/lib/python3*/site-packages/sklearn -type d -name tests -prune -exec rm -r {} + \
 && /opt/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/churn/sbom.cdx.json /opt/churn/bin/python

# What both images run on. The root may be read-only: only CHURN_HOME (a volume) and /tmp are written to.
FROM ${BASE} AS runtime
ARG REVISION=unknown
LABEL org.opencontainers.image.title="churn" \
      org.opencontainers.image.description="An end-to-end MLOps service for telecom churn: train, serve, watch, retrain." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/churn/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp CHURN_HOME=/var/lib/churn
# The account has a name because `churn model promote` writes down who did it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin churn \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/churn
WORKDIR /var/lib/churn
VOLUME ["/var/lib/churn"]
USER 10001:10001
ENTRYPOINT ["churn"]

# No HEALTHCHECK: flows, exporter and servers run from this one, each with a check of its own (compose.yaml, k8s/).
FROM runtime AS pipelines
COPY --from=pipelines-environment /opt/churn /opt/churn
COPY params.yaml /etc/churn/params.yaml
ENV CHURN_PARAMS=/etc/churn/params.yaml
CMD ["flows"]

FROM runtime AS service
COPY --from=service-environment /opt/churn /opt/churn
# Open to others, for inside a container loopback reaches nobody: without CHURN_API_KEYS the service refuses to start.
ENV CHURN_HOST=0.0.0.0
EXPOSE 8000
# It asks CHURN_PORT of the container itself, and no proxy.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "service.server.healthcheck"]
CMD ["serve"]
