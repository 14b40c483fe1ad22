from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from prefect.settings.base import PrefectBaseSettings

from churn.config.settings import Settings, load_settings
from deploy.make_secrets import make_secrets
from pipelines.environment import prefect_api
from service.app import create_app
from service.prediction_log.sink import PING_SECONDS
from service.server.run import DRAIN_SECONDS, FINISH_SECONDS, check_settings
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import PROJECT, assert_is_churn_command
from tests.unit.service.fakes import make_settings
from tools.stack.compose_file import BY_FILE, PORTS, Service, read_compose, read_services
from tools.stack.dockerfile import read_stages

COMPOSED = read_compose()
SERVICES = read_services()
OURS = {name: service for name, service in SERVICES.items() if service.stage}
# What an image's own entrypoint reads from a file: docs of postgres, minio and grafana.
THEIRS_BY_FILE = {"POSTGRES_PASSWORD", "MINIO_ROOT_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD"}
HAPROXY = (CHECKOUT / "deploy/haproxy.cfg").read_text()

each = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
each_of_ours = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


def setting_names() -> set[str]:
    named = {f"CHURN_{name.upper()}" for name in Settings.model_fields}
    return named | {f"{name}_FILE" for name in named}


def prefect_names() -> set[str]:
    """Every environment variable that Prefect reads a setting from."""
    from prefect.settings import Settings as PrefectSettings

    def names(model: type[PrefectBaseSettings]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, PrefectBaseSettings):
                found |= names(field.annotation)
            else:
                aliases = getattr(field.validation_alias, "choices", [])
                found |= {str(alias).upper() for alias in aliases}
                found.add(f"{model.model_config.get('env_prefix', '')}{name}".upper())
        return found

    return names(PrefectSettings)


def test_is_valid_by_the_compose_schema() -> None:
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas", reason="needs: pip install check-jsonschema")
    # As `check-jsonschema --builtin-schema vendor.compose-spec compose.yaml` does it, without a process.
    validator = Draft202012Validator(schemas.get_builtin_schema("vendor.compose-spec"))
    assert [error.message for error in validator.iter_errors(COMPOSED)] == []
    assert list(validator.iter_errors(COMPOSED | {"services": {"x": {"helthcheck": {}}}}))


def test_has_every_part_of_the_system() -> None:
    wanted = {"postgres", "minio", "mlflow", "prefect", "flows", "proxy", "exporter", "prometheus", "alertmanager", "grafana"}
    assert wanted <= set(SERVICES)
    assert [name for name in SERVICES if SERVICES[name].program == ["churn", "serve"]] == ["service-1", "service-2"]
    assert [name for name in SERVICES if SERVICES[name].program == ["churn", "flows"]] == ["flows"]


@each
def test_images_are_pinned_or_ours(service: Service) -> None:
    name, tag = service.image.rsplit(":", 1)
    assert re.search(r"\d+[.-]\d+", tag), "a whole version"
    if service.stage:
        assert name == f"churn-{service.entry['build']['target']}"
        assert tag == PROJECT["version"]
        assert (service.entry["build"]["context"], service.entry["build"]["target"] in read_stages()) == (".", True)


@each_of_ours
def test_commands_exist(service: Service) -> None:
    program = service.program
    if program[0] == "churn":
        assert_is_churn_command(program)
    elif program[0] != "chown":
        # tests/e2e/test_compose.py runs these as they are.
        assert Path(sys.executable).with_name(program[0]).exists()


def test_the_registry_keeps_its_artifacts_in_the_bucket_that_is_made() -> None:
    told = dict(word.partition("=")[::2] for word in SERVICES["mlflow"].program[2:])
    assert told["--artifacts-destination"] == f"s3://{SERVICES['bucket'].program[-1]}"
    assert "--serve-artifacts" in told
    assert f"mlflow:{told['--port']}" in told["--allowed-hosts"].split(",")


@each_of_ours
def test_variables_are_settings(service: Service) -> None:
    for name in service.environment:
        if name.startswith("CHURN_"):
            assert name in setting_names()
        elif name.startswith("PREFECT_"):
            assert name in prefect_names()
        elif name.startswith("MLFLOW_"):
            import mlflow.environment_variables as known

            assert hasattr(known, name)
        else:
            assert name in {"DO_NOT_TRACK", "PGPASSWORD_FILE"} or name.startswith("AWS_")


@each_of_ours
def test_settings_can_be_loaded(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if service.program[0] != "churn":
        return
    make_secrets(tmp_path / "secrets")
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    assert service.stage
    for name, value in {**service.stage.environment, **service.environment}.items():
        if name.startswith("CHURN_"):
            # The image has the parameters of this checkout.
            here = value.replace("/run/secrets", str(tmp_path / "secrets")).replace("/etc/churn", str(CHECKOUT))
            monkeypatch.setenv(name, here)
    settings = load_settings()
    if "serve" in service.program:
        check_settings(settings)
        assert settings.api_keys.get_secret_value()
    # Who logs customers, learns from them or erases them: with another key they would not know them again.
    if {"serve", "train", "flows"} & set(service.program):
        assert settings.pseudonym_key.get_secret_value() == (tmp_path / "secrets" / "pseudonym_key").read_text().strip()
    if service.name != "data":
        password = (tmp_path / "secrets" / "store_password").read_text().strip()
        assert settings.store_url == f"postgresql://churn:{password}@postgres:{PORTS['postgres']}/churn"
    if service.name in ("first-model", "flows", "service-1", "service-2"):
        assert settings.tracking_uri == f"http://mlflow:{PORTS['mlflow']}"
        assert Path(settings.params).name == CHECKOUT.joinpath("params.yaml").name


@each
def test_addresses_are_of_services_and_their_ports(service: Service) -> None:
    texts = [*service.words, *service.environment.values(), *service.health]
    for mount in service.mounts:
        source = CHECKOUT / mount.source
        if mount.kind == "bind" and source.is_file() and source.suffix in (".cfg", ".yml") and source.parent.name == "deploy":
            texts.append(source.read_text())
    pattern = re.compile(r"(?:(?<=//)|(?<=@)|(?<=[\s\"=,]))([a-z][a-z0-9-]*):(\d{2,5})\b")
    for text in texts:
        for name, port in pattern.findall(text):
            if name != "localhost":
                assert (name, int(port)) in PORTS.items(), text
                assert shares_network(service, SERVICES[name]), f"{service.name} cannot reach {name}"


def shares_network(one: Service, other: Service) -> bool:
    """Whether they can talk: over one of the closed networks. On `edge` nobody talks to anybody."""
    return one is other or bool((set(one.entry["networks"]) & set(other.entry["networks"])) - {"edge"})


def test_networks_are_closed_but_one() -> None:
    networks = COMPOSED["networks"]
    assert {name for name, said in networks.items() if not said.get("internal")} == {"edge"}
    assert networks["edge"]["driver_opts"] == {"com.docker.network.bridge.enable_icc": "false"}
    for name, service in SERVICES.items():
        assert set(service.entry.get("networks", [])) <= set(networks)
        # Who has state, keys or the model has no way out.
        if name in ("postgres", "minio", "service-1", "service-2", "flows", "exporter", "migrate", "first-model"):
            assert "edge" not in service.entry["networks"]
        assert ("ports" not in service.entry) or "edge" in service.entry["networks"]


@each
def test_ports_are_published_on_this_host_only(service: Service) -> None:
    for published in service.entry.get("ports", []):
        host, outside, inside = re.fullmatch(r"(.+?):(\d+):(\d+)", published).groups()  # type: ignore[union-attr]
        assert host == ("${CHURN_BIND:-127.0.0.1}" if service.name == "proxy" else "127.0.0.1")
        assert int(outside) == int(inside) == PORTS[service.name]


@each
def test_listens_where_the_others_look(service: Service) -> None:
    if service.name not in PORTS:
        return
    port = str(PORTS[service.name])
    told = " ".join([*service.words, *[f"{name}={value}" for name, value in service.environment.items()]])
    if service.name == "proxy":
        told += HAPROXY
    by_default = {"postgres", "grafana"}
    assert service.name in by_default or re.search(rf"(?<!\d){port}(?!\d)", told)


@each
def test_paths_are_mounted(service: Service) -> None:
    targets = {mount.target for mount in service.mounts} | {f"/run/secrets/{name}" for name in service.entry.get("secrets", [])}
    targets |= {"/tmp/prefect", "/tmp/ui", "/dev/null", "/var/lib/churn/evidently", "/prometheus", "/alertmanager"}  # noqa: S108
    targets |= {f"{mount.target}/pgdata" for mount in service.mounts}
    for word in [*service.words, *service.environment.values()]:
        for path in re.findall(r"(?:^|(?<=[=\s]))(/[a-z][\w./-]+)", word):
            assert path in targets, path
    for mount in service.mounts:
        if mount.kind == "bind":
            assert (CHECKOUT / mount.source).exists(), mount.source
            assert mount.read_only


@each
def test_nothing_can_be_written_but_volumes_and_memory(service: Service) -> None:
    said = service.entry
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said.get("cap_add", []) == (["CHOWN"] if service.name == "minio-volume" else [])
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in said
    assert re.fullmatch(r"\d+:\d+", said["user"])
    assert said["user"].startswith("0:") == (service.name == "minio-volume")
    assert "/tmp" in {mount.target for mount in service.mounts if mount.kind == "tmpfs"}  # noqa: S108
    if service.stage:
        home = service.stage.environment["CHURN_HOME"]
        assert home in {mount.target for mount in service.mounts} or service.name == "data"
        assert said["user"] in (service.stage.all("USER")[-1], "0:0")
    named = {mount.source for mount in service.mounts if mount.kind == "volume"}
    assert named <= set(COMPOSED["volumes"])


def test_every_volume_is_used_and_each_replica_has_its_own() -> None:
    used = [mount.source for service in SERVICES.values() for mount in service.mounts if mount.kind == "volume"]
    assert set(used) == set(COMPOSED["volumes"])
    assert used.count("service-1") == used.count("service-2") == 1


@each
def test_has_limits_and_a_way_to_end(service: Service) -> None:
    said = service.entry
    assert re.fullmatch(r"\d+[mg]", said["mem_limit"])
    assert said["pids_limit"]
    assert said["logging"]["options"].keys() == {"max-size", "max-file"}
    assert said["restart"] in ("unless-stopped", "on-failure:3")


@each
def test_health_is_checked_where_it_answers(service: Service, tmp_path: Path) -> None:
    if service.ends:
        assert not service.health
        return
    assert service.health[0] == "CMD"
    urls = [word for word in service.health if word.startswith("http")]
    if service.name in ("postgres", "minio"):
        assert not urls
        return
    (url,) = urls
    where = urlsplit(url)
    known = {
        "service-1": set(create_app(make_settings(tmp_path)).openapi()["paths"]),
        "mlflow": {"/health"},
        "prefect": {urlsplit(f"{prefect_api(Settings())}/health").path},
        "flows": {"/health"},
        "exporter": {"/metrics"},
        "evidently": {"/"},
        "prometheus": {"/-/ready"},
        "alertmanager": {"/-/ready"},
        "grafana": {"/api/health"},
        "proxy": set(re.findall(r"monitor-uri (\S+)", HAPROXY)),
    }
    assert where.path in known["service-1" if service.name == "service-2" else service.name]
    assert where.hostname == "127.0.0.1"
    assert where.port == (
        int(re.findall(r"bind 127.0.0.1:(\d+)", HAPROXY)[0]) if service.name == "proxy" else PORTS[service.name]
    )


@each
def test_waits_for_what_can_be_waited_for(service: Service) -> None:
    for name, condition in service.dependencies.items():
        assert condition == ("service_completed_successfully" if SERVICES[name].ends else "service_healthy")
        assert SERVICES[name].ends or SERVICES[name].health


def test_a_service_that_needs_another_one_at_its_start_waits_for_it() -> None:
    def needs(name: str) -> set[str]:
        direct = set(SERVICES[name].dependencies)
        return direct.union(*(needs(other) for other in direct))

    for name in ("migrate", "mlflow", "prefect", "exporter", "service-1", "service-2", "first-model", "flows"):
        assert "postgres" in needs(name)
    assert {"bucket", "minio"} <= needs("mlflow")
    assert {"mlflow", "prefect", "migrate", "data"} <= needs("first-model")
    # A registry that is away never stops the service.
    assert "mlflow" not in needs("service-1")


def test_secrets_are_files_that_the_script_makes_and_each_is_used(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    made = {file.name for file in (tmp_path / "secrets").iterdir()}
    assert {name: said["file"] for name, said in COMPOSED["secrets"].items()} == {
        name: f"./secrets/{name}" for name in COMPOSED["secrets"]
    }
    assert set(COMPOSED["secrets"]) == made - {"operator_key"}
    assert set(COMPOSED["secrets"]) == {name for service in SERVICES.values() for name in service.entry.get("secrets", [])}
    assert "/secrets/" in (CHECKOUT / ".gitignore").read_text().splitlines()


@each
def test_each_secret_that_is_mounted_is_read_and_no_other(service: Service) -> None:
    texts = [*service.words, *service.environment.values()]
    texts += [
        file.read_text()
        for m in service.mounts
        if m.target.startswith("/docker-entry")
        for file in (CHECKOUT / m.source).iterdir()
    ]
    read = {name for text in texts for name in re.findall(r"/run/secrets/(\w+)", text)}
    assert read == set(service.entry.get("secrets", []))


@each
def test_no_password_is_in_the_file(service: Service) -> None:
    for name, value in service.environment.items():
        if re.search(r"PASSWORD|SECRET|TOKEN|_KEYS?$|_KEYS?_FILE$", name):
            by_file = BY_FILE.fullmatch(name)
            assert by_file, f"{name} must come from a file"
            assert value.startswith("/run/secrets/")
            program = service.words[: service.words.index("--")] if "--" in service.words else []
            known = by_file["name"].rstrip("_")
            assert f"{known}_FILE" in setting_names() or known in THEIRS_BY_FILE or known in program
        assert not re.search(r"://[^/\s]*:[^/\s]*@", value), name
    assert not [word for word in service.words if re.search(r"://[^/\s]*:[^/\s]*@", word)]


def test_secrets_are_random_closed_and_never_made_twice(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make_secrets(folder)
    held = {file.name: file.read_text() for file in folder.iterdir()}
    assert len(made) == len(COMPOSED["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "operator_key").stat().st_mode & 0o777 == 0o600
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", text) for name, text in held.items() if name != "api_keys")
    assert len(set(held.values())) == len(held)
    assert held["operator_key"].strip() not in held["api_keys"]
    (folder / "s3_password").unlink()
    assert make_secrets(folder) == ["s3_password"]
    assert {file.name: file.read_text() for file in folder.iterdir()} == held | {
        "s3_password": (folder / "s3_password").read_text()
    }


@pytest.mark.parametrize("content", ["", None], ids=["empty", "missing"])
def test_a_program_does_not_start_without_its_secret(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "password"
    script = ["sh", str(CHECKOUT / "deploy/with-secrets.sh"), "PGPASSWORD", "--", "sh", "-c", 'printf %s "$PGPASSWORD"']
    said = {"PATH": "/usr/bin:/bin", "PGPASSWORD_FILE": str(file)}
    if content is not None:
        file.write_text(content)
    done = subprocess.run(script, env=said, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert str(file) in done.stderr
    file.write_text("pass word\n")
    assert subprocess.run(script, env=said, capture_output=True, text=True, check=False).stdout == "pass word"


def test_the_proxy_looks_where_the_service_answers_and_in_time(tmp_path: Path) -> None:
    paths = create_app(make_settings(tmp_path)).openapi()["paths"]
    (ready,) = re.findall(r"http-check send meth GET uri (\S+)", HAPROXY)
    assert ready == "/readyz"
    assert ready in paths
    (every, again, fall) = re.search(r"inter (\d+)ms fastinter (\d+)ms fall (\d+)", HAPROXY).groups()  # type: ignore[union-attr]
    assert (int(every) + int(again) * (int(fall) - 1)) / 1000 < DRAIN_SECONDS
    assert seconds("check") > PING_SECONDS
    assert seconds("server") > Settings().body_timeout_seconds
    assert SERVICES["service-1"].entry["stop_grace_period"] == "45s"
    # What waits on its disk waits there: the replica's volume outlives it.
    settings = Settings()
    assert DRAIN_SECONDS + FINISH_SECONDS + settings.spool_drain_seconds + settings.store_timeout_seconds < 45
    # Orders are not repeated: every route of an administrator lies below this.
    (never_again,) = re.findall(r"disable-l7-retry if \{ path_beg (\S+) \}", HAPROXY)
    assert [path for path in paths if path.startswith(never_again)]
    servers = re.findall(r"^    server (\S+) (\S+):(\d+)$", HAPROXY, re.MULTILINE)
    assert servers == [(name, name, str(PORTS[name])) for name in ("service-1", "service-2")]


def seconds(name: str) -> int:
    return int(re.findall(rf"timeout {name} (\d+)s", HAPROXY)[0])


def test_proxy_and_service_agree_on_the_largest_body() -> None:
    largest = {SERVICES[name].environment["CHURN_MAX_BODY_BYTES"] for name in ("proxy", "service-1", "service-2")}
    assert largest == {str(Settings.model_fields["max_body_bytes"].default)}
    assert '"${CHURN_MAX_BODY_BYTES}"' in HAPROXY


def test_prometheus_is_the_same_but_for_its_addresses() -> None:
    beside_up = yaml.safe_load((CHECKOUT / "monitoring/prometheus/prometheus.yml").read_text())
    here = yaml.safe_load((CHECKOUT / "deploy/prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0].pop("targets") for job in here["scrape_configs"]}
    for job in beside_up["scrape_configs"]:
        job["static_configs"][0].pop("targets")
    assert targets == {
        "churn-service": [f"{name}:{PORTS[name]}" for name in ("service-1", "service-2")],
        "churn-monitor": [f"exporter:{PORTS['exporter']}"],
    }
    managers = here["alerting"]["alertmanagers"][0]["static_configs"][0].pop("targets")
    beside_up["alerting"]["alertmanagers"][0]["static_configs"][0].pop("targets")
    assert managers == [f"alertmanager:{PORTS['alertmanager']}"]
    assert here == beside_up
    mounted = {Path(mount.target).name: mount for mount in SERVICES["prometheus"].mounts if mount.kind == "bind"}
    assert set(here["rule_files"]) == set(mounted) - {"prometheus.yml"}
    assert len({str(Path(mount.target).parent) for mount in mounted.values()}) == 1


def test_grafana_finds_dashboards_and_prometheus() -> None:
    grafana = SERVICES["grafana"]
    mounted = {mount.target: CHECKOUT / mount.source for mount in grafana.mounts if mount.kind == "bind"}
    provisioning = mounted["/etc/grafana/provisioning"]
    text = "".join(file.read_text() for file in provisioning.rglob("*.yml"))
    for name in re.findall(r"\$\{(\w+)\}", text):
        assert name in grafana.environment
    assert list(mounted[grafana.environment["CHURN_DASHBOARDS"]].glob("*.json"))
    assert {folder.name for folder in provisioning.iterdir()} == {"dashboards", "datasources"}


def test_the_databases_are_those_that_are_asked_for() -> None:
    made = (CHECKOUT / "deploy/postgres/1-databases.sql").read_text()
    passwords = (CHECKOUT / "deploy/postgres/2-passwords.sql").read_text()
    asked = {
        SERVICES["migrate"].environment["CHURN_STORE_URL"],
        SERVICES["prefect"].environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"],
        next(word for word in SERVICES["mlflow"].words if word.startswith("--backend-store-uri=")).partition("=")[2],
    }
    for url in asked:
        parts = urlsplit(url)
        assert f"CREATE ROLE {parts.username} LOGIN;" in made
        assert f"CREATE DATABASE {parts.path[1:]} OWNER {parts.username};" in made
        assert f"ALTER ROLE {parts.username} PASSWORD :'" in passwords
    assert len(asked) == 3
    assert made.count("CREATE DATABASE") == 3
    assert not re.search(r"PASSWORD '", made + passwords)
