import re
import shlex
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from router.settings import check_exposure, read_environment
from tests import ROOT


class Build(Struct, frozen=True):
    context: str
    dockerfile: str


class Service(Struct, frozen=True):
    build: Build
    environment: dict[str, str]
    secrets: list[str]
    ports: list[str]
    volumes: list[str]
    tmpfs: list[str]
    read_only: bool
    cap_drop: list[str]
    security_opt: list[str]


class Compose(Struct, frozen=True):
    services: dict[str, Service]
    secrets: dict[str, dict[str, str]]
    volumes: dict[str, None]

    @property
    def router(self) -> Service:
        return self.services["router"]


@pytest.fixture(scope="module")
def dockerfile() -> list[list[str]]:
    """Every instruction of the Dockerfile, split into words."""
    text = (ROOT / "docker/Dockerfile").read_text()
    whole_lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text))
    return [shlex.split(line) for line in whole_lines.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def environment(dockerfile: list[list[str]]) -> dict[str, str]:
    """What the last harness sets in the environment of the router."""
    [env] = [words[1:] for words in dockerfile if words[0] == "ENV"]
    return dict(word.split("=", 1) for word in env)


@pytest.fixture(scope="module")
def compose() -> Compose:
    """The compose file as it parses."""
    return msgspec.yaml.decode((ROOT / "docker/compose.yaml").read_bytes(), type=Compose)


def test_the_image_is_built_in_two_stages_of_the_same_python(dockerfile: list[list[str]]) -> None:
    stages = [words[1] for words in dockerfile if words[0] == "FROM"]
    assert len(stages) == 2
    assert len(set(stages)) == 1
    assert re.fullmatch(r"python:3\.1[1-9]-slim", stages[0])


def test_whatever_the_image_copies_exists_and_reaches_the_builder(
    dockerfile: list[list[str]],
) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    copies = [words[1:] for words in dockerfile if words[0] == "COPY"]
    sources = [
        source
        for words in copies
        for source in words[:-1]
        if not any(word.startswith("--from=") for word in words)
    ]
    assert "requirements.lock" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if f"!{source}" not in ignore] == []


def test_nothing_is_installed_into_the_image_without_a_hash(dockerfile: list[list[str]]) -> None:
    runs = [" ".join(words[1:]) for words in dockerfile if words[0] == "RUN"]
    installs = [
        command
        for run in runs
        for command in run.split("&&")
        if re.search(r"pip (install|wheel|download)", command)
    ]
    assert len(installs) == 2
    assert [
        install
        for install in installs
        if "--require-hashes" not in install
        and not {"--no-deps", "--no-build-isolation"} <= set(install.split())
    ] == []


def test_the_container_runs_as_a_user_who_owns_the_data_and_nothing_else(
    dockerfile: list[list[str]],
) -> None:
    [user] = [words[1] for words in dockerfile if words[0] == "USER"]
    uid, gid = user.split(":")
    setup = " ".join(next(words for words in dockerfile if "useradd" in words))
    assert f"--uid {uid}" in setup
    assert f"--gid {gid}" in setup
    assert "--owner=router --group=router --mode=0750 /data" in setup
    assert ["VOLUME", "[/data]"] in dockerfile


def test_the_container_says_how_healthy_it_is(dockerfile: list[list[str]]) -> None:
    [check] = [words for words in dockerfile if words[0] == "HEALTHCHECK"]
    assert check[-2:] == ["[router,", "healthcheck]"]


def test_database_and_rules_lie_where_compose_mounts_them(
    environment: dict[str, str], compose: Compose
) -> None:
    service = compose.router
    mounts = dict(volume.split(":", 1) for volume in service.volumes)
    assert environment["ROUTER_DATABASE"] == "sqlite+aiosqlite:////data/router.db"
    assert mounts["data"] == "/data"
    assert mounts["../rules.yaml"] == f"{environment['ROUTER_RULES']}:ro"
    assert "data" in compose.volumes
    assert (ROOT / "docker/../rules.yaml").is_file()


def test_the_router_takes_the_environment_of_the_container_and_may_listen(
    environment: dict[str, str], compose: Compose, tmp_path: Path
) -> None:
    service = compose.router
    given = {**environment, **service.environment, "ROUTER_WEBHOOK_USER": "cometchat"}
    for name, text in {
        "webhook_password": "a long secret",
        "api_keys": "ops:operator:" + "k" * 32,
    }.items():
        (tmp_path / name).write_text(text)
    given = {name: text.replace("/run/secrets", str(tmp_path)) for name, text in given.items()}
    settings, warnings = read_environment(given)
    assert check_exposure(settings) == ()
    assert warnings == ()
    assert [key.scope for key in settings.api_keys] == ["operator"]


def test_the_published_port_is_the_one_served_and_is_for_this_host_only(
    environment: dict[str, str], compose: Compose
) -> None:
    service = compose.router
    [port] = service.ports
    address, _, inside = port.split(":")
    assert address == "127.0.0.1"
    assert inside == environment["ROUTER_PORT"]


def test_the_container_may_write_to_its_data_and_tmp_alone(compose: Compose) -> None:
    service = compose.router
    assert service.read_only is True
    assert service.tmpfs == ["/tmp"]  # noqa: S108 - the container's own
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]


def test_compose_builds_the_dockerfile_from_the_root(compose: Compose) -> None:
    service = compose.router
    context = (ROOT / "docker" / service.build.context).resolve()
    assert context == ROOT.resolve()
    assert (context / service.build.dockerfile).is_file()


def test_secrets_are_files_that_git_does_not_take(compose: Compose) -> None:
    service = compose.router
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "docker/secrets/" in ignored
    assert "docker/router.env" in ignored
    assert sorted(service.secrets) == sorted(compose.secrets)
    for name, secret in compose.secrets.items():
        assert secret == {"file": f"secrets/{name}"}
        assert f"/run/secrets/{name}" in service.environment.values()
    values = {key: value for key, value in service.environment.items() if "PASSWORD" in key}
    assert values == {"ROUTER_WEBHOOK_PASSWORD_FILE": "/run/secrets/webhook_password"}
