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

# What installs: uv, in the version and with the hashes of the lock. How whoever builds reaches a package index is mounted and stays
# outside: a pip.conf, a uv.toml and the certificate authorities of their network, each of them optional (docs/images.md).
FROM ${BASE} AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=/tmp/uv PATH=$PATH:/opt/uv/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
WORKDIR /src
COPY pyproject.toml requirements.lock README.md ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt \
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock > /tmp/uv.lock \
 && python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement /tmp/uv.lock

FROM build AS wheel
COPY churn/ churn/
COPY service/ service/
COPY monitoring/ monitoring/
COPY pipelines/ pipelines/
RUN --mount=type=cache,target=/tmp/uv \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt \
    uv build --wheel --quiet --build-constraints requirements.lock --require-hashes --out-dir /wheels

# What trims an environment and writes its bill of materials; it stays in the build.
FROM build AS tools
# Whichever binutils the base has: it only strips symbols.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -qq --no-install-recommends binutils > /dev/null && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/tmp/uv \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt \
    uv venv --quiet --python "$(command -v python3)" /opt/tools \
 && uv pip install --quiet --python /opt/tools/bin/python --constraint requirements.lock cyclonedx-bom
COPY deploy/trim_environment.py ./

# Versions and hashes come from the lock, which covers all extras: as a constraint it lets an image take only what it needs.
# Each stage below adds something to /opt/churn, and becomes a layer of an image: what the service needs of others; what the
# pipelines need beside; our own code, and bytecode of all that it imports. A change of our code makes only the last anew.
FROM tools AS service-dependencies
COPY deploy/service-image-excludes.txt ./
RUN --mount=type=cache,target=/tmp/uv \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt \
    uv venv --quiet --python "$(command -v python3)" /opt/churn \
 && uv pip install --quiet --python /opt/churn/bin/python \
      --constraint requirements.lock --excludes service-image-excludes.txt --requirements pyproject.toml --extra postgres \
 && python3 trim_environment.py trim /opt/churn

FROM service-dependencies AS pipelines-dependencies
RUN --mount=type=cache,target=/tmp/uv \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt \
    touch /opt/began \
 && uv pip install --quiet --python /opt/churn/bin/python \
      --constraint requirements.lock --requirements pyproject.toml \
      --extra pipelines --extra postgres --extra s3 --extra dask \
 && python3 trim_environment.py trim /opt/churn /opt/began \
 && python3 trim_environment.py gather /opt/churn /opt/began /opt/libraries

FROM service-dependencies AS service-environment
COPY --from=wheel /wheels /wheels
RUN touch /opt/began \
 && uv pip install --quiet --no-cache --no-deps --offline --python /opt/churn/bin/python /wheels/*.whl \
 && python3 trim_environment.py compile /opt/churn psycopg sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite \
      uvicorn.lifespan.on uvicorn.logging uvicorn.loops.uvloop uvicorn.protocols.http.httptools_impl \
 && /opt/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/churn/sbom.cdx.json /opt/churn/bin/python \
 && python3 trim_environment.py gather /opt/churn /opt/began /opt/code

FROM pipelines-dependencies AS pipelines-environment
COPY --from=service-environment /opt/code /opt/churn
RUN touch /opt/began \
 && python3 trim_environment.py compile /opt/churn psycopg sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite \
      asyncpg aiosqlite boto3 botocore.session dask.distributed evidently.cli.main evidently.ui.service.app \
      mlflow.cli mlflow.server.fastapi_app mlflow.store.tracking.sqlalchemy_store \
      prefect.cli prefect.flow_engine prefect.server.api.server uvicorn.lifespan.on uvicorn.logging uvicorn.loops.uvloop \
 && /opt/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/churn/sbom.cdx.json /opt/churn/bin/python \
 && python3 trim_environment.py gather /opt/churn /opt/began /opt/code

# What both images run on. The root may be read-only: only CHURN_HOME (a volume) and /tmp are written to.
FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="churn" \
      org.opencontainers.image.description="An end-to-end MLOps service for telecom churn: train, serve, watch, retrain." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/churn/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp CHURN_HOME=/var/lib/churn
# The account has a name because `churn model promote` writes down who did it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin churn \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/churn
WORKDIR /var/lib/churn
VOLUME ["/var/lib/churn"]
USER 10001:10001
ENTRYPOINT ["churn"]
COPY --from=service-dependencies /opt/churn /opt/churn

# No HEALTHCHECK: flows, exporter and servers run from this one, each with a check of its own (compose.yaml, k8s/).
FROM runtime AS pipelines
COPY --from=pipelines-dependencies /opt/libraries /opt/churn
COPY --from=service-environment /opt/code /opt/churn
COPY --from=pipelines-environment /opt/code /opt/churn
COPY params.yaml /etc/churn/params.yaml
ENV CHURN_PARAMS=/etc/churn/params.yaml
CMD ["flows"]
# Last, because it changes with each commit.
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"

FROM runtime AS service
COPY --from=service-environment /opt/code /opt/churn
# Open to others, for inside a container loopback reaches nobody: without CHURN_API_KEYS the service refuses to start.
ENV CHURN_HOST=0.0.0.0
EXPOSE 8000
# It asks CHURN_PORT of the container itself, and no proxy.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "service.server.healthcheck"]
CMD ["serve"]
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
