"""Images and manifests, as far as they can be checked without a container engine and without a cluster."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted(DEPLOY.glob("Dockerfile*"))
MANIFESTS = sorted((DEPLOY / "k8s").glob("*.yaml"))
KUBERNETES = ("1.31", "1.37")
"""The oldest and the newest version the manifests are held against."""
SECRET = re.compile(r"(secret|token|passw|credential|api_?key|access_?key|private)", re.IGNORECASE)


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str

    @property
    def flags(self) -> dict[str, str]:
        return dict(re.findall(r"--([\w-]+)=(\S+)", self.value))

    @property
    def words(self) -> list[str]:
        """The value's words without flags; of the JSON form, its items."""
        text = re.sub(r"^(--[\w-]+=\S+\s+)+", "", self.value)
        return list(json.loads(text)) if text.startswith("[") else shlex.split(text)


def instructions(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile, lines that go on joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [Instruction(*line.strip().split(maxsplit=1)) for line in lines if line.strip()]


def stages(path: Path) -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for one in instructions(path):
        if one.name == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def values(path: Path, name: str) -> list[Instruction]:
    return [one for one in instructions(path) if one.name == name]


def commands() -> set[str]:
    done = subprocess.run([sys.executable, "-m", "toccata", "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE))


def fits(arguments: list[str]) -> None:
    """The command line is one that toccata understands; it is asked for its help, with these options."""
    import click

    from toccata.cli.main import cli

    assert arguments[0] in commands()
    with click.Context(cli, info_name="toccata") as context:
        command = cli.get_command(context, arguments[0])
        assert command is not None
        rest = [word for word in arguments[1:] if word != "--help"]
        if rest:
            command.make_context(arguments[0], rest, parent=context)  # raises a UsageError if it is wrong


# -- images --------------------------------------------------------------------------------------------------------


def test_there_are_two_images() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile", "Dockerfile.train"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
class TestDockerfile:
    def test_every_instruction_is_one(self, path: Path) -> None:
        known = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "VOLUME", "ENTRYPOINT", "CMD", "STOPSIGNAL", "LABEL"}
        assert {one.name for one in instructions(path)} <= known, "no ADD, no ARG, nothing misspelt"

    def test_the_base_is_one_version(self, path: Path) -> None:
        bases = {one.words[0] for one in values(path, "FROM")}
        assert len(bases) == 1
        assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", bases.pop())

    def test_what_builds_is_not_what_runs(self, path: Path) -> None:
        first, last = stages(path)
        assert first[0].words[1:] == ["AS", "build"]
        assert not [one for one in last if "pip" in one.value.split()]
        assert [one.flags for one in last if one.name == "COPY"] == [{"from": "build"}]

    def test_it_runs_as_nobody_in_particular(self, path: Path) -> None:
        users = [one.value for one in stages(path)[-1] if one.name == "USER"]
        assert users == ["10001:10001"], "a number, so that a cluster can see that it is not root"
        after = stages(path)[-1][[one.name for one in stages(path)[-1]].index("USER") :]
        assert not [one for one in after if one.name in ("RUN", "COPY")]

    def test_no_secret_and_no_download(self, path: Path) -> None:
        for one in instructions(path):
            assert "://" not in one.value
            if one.name == "ENV":
                assert not SECRET.search(one.value)
        mounts = [one.flags.get("mount", "") for one in values(path, "RUN") if "secret" in one.value]
        assert mounts == ["type=secret,id=pip,target=/etc/pip.conf"], "read while building, and in no layer"

    def test_every_source_is_there_and_sent_to_the_builder(self, path: Path) -> None:
        sources = [word for one in values(path, "COPY") if not one.flags for word in one.words[:-1]]
        assert sources
        assert [name for name in sources if not (ROOT / name).exists()] == []
        assert [name for name in sources if ignored(name)] == []

    def test_versions_are_pinned(self, path: Path) -> None:
        installs = [one.words for one in values(path, "RUN") if "install" in one.words and "pip" in one.words]
        assert len(installs) == 1
        assert installs[0][installs[0].index("-c") + 1] == "constraints.txt"
        extras = re.fullmatch(r"\.\[([\w,]+)\]", installs[0][-1])
        assert extras is not None
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
        assert ("train" in extras[1]) is (path.name == "Dockerfile.train"), "torch only where it trains"

    def test_its_commands_are_toccatas(self, path: Path) -> None:
        assert [one.words for one in values(path, "ENTRYPOINT")] == [["toccata"]]
        (command,) = [one.words for one in values(path, "CMD")]
        fits(command)
        assert command[0] == ("train" if path.name == "Dockerfile.train" else "generate")

    def test_the_way_to_build_it_is_said(self, path: Path) -> None:
        assert f"docker build -f deploy/{path.name} -t toccata" in path.read_text(encoding="utf-8")


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file from the builder; the last line that fits decides."""
    keeps = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")
        parts = Path(name).parts
        above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        candidates = parts if anywhere != pattern else above
        if any(fnmatch.fnmatch(one, anywhere) for one in candidates):
            keeps = not line.startswith("!")
    return keeps


def test_only_what_is_needed_is_sent_to_the_builder() -> None:
    sent = {"pyproject.toml", "src/toccata/api.py", "src/toccata/recipes/toccata.toml", "constraints.txt"}
    kept = {"tests/conftest.py", ".git/config", ".env", "models/mine/model.safetensors", "store.env",
            "src/toccata/__pycache__/api.cpython-311.pyc", "src/.secret", "docs/deploy.md"}  # fmt: skip
    assert [name for name in sent if ignored(name)] == []
    assert [name for name in kept if not ignored(name)] == []


# -- manifests -----------------------------------------------------------------------------------------------------


def documents(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]


def jobs() -> dict[str, dict[str, Any]]:
    found = [one for path in MANIFESTS for one in documents(path) if one["kind"] == "Job"]
    return {one["metadata"]["name"]: one["spec"] for one in found}


def containers() -> list[dict[str, Any]]:
    return [one for job in jobs().values() for one in job["template"]["spec"]["containers"]]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path: Path, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    assert documents(path)
    for one in documents(path):
        kubernetes_validate.validate(one, version, strict=True)


def test_the_schemas_find_mistakes() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    (job,) = documents(DEPLOY / "k8s" / "train.yaml")
    job["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES[-1], strict=True)


def test_there_are_a_volume_and_two_jobs() -> None:
    kinds = sorted((one["kind"], one["metadata"]["name"]) for path in MANIFESTS for one in documents(path))
    assert kinds == [("Job", "toccata-generate"), ("Job", "toccata-train"), ("PersistentVolumeClaim", "toccata")]
    volumes = [volume for job in jobs().values() for volume in job["template"]["spec"]["volumes"]]
    claimed = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claimed == {"toccata"}


def test_pods_may_do_little() -> None:
    for job in jobs().values():
        pod = job["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) <= {"name", "persistentVolumeClaim", "emptyDir"} for volume in pod["volumes"])
    for one in containers():
        allowed = one["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert {"name": "tmp", "mountPath": "/tmp"} in one["volumeMounts"]
        assert one["resources"]["limits"]["memory"]


def test_no_secret_is_in_a_manifest() -> None:
    for one in containers():
        assert one.get("env", []) == []
        assert one["envFrom"] == [{"secretRef": {"name": "toccata-store", "optional": True}}]
    assert all(one["kind"] != "Secret" for path in MANIFESTS for one in documents(path))


def test_images_are_those_of_the_dockerfiles() -> None:
    import toccata

    built = {found for path in DOCKERFILES for found in re.findall(r"-t (\S+)", path.read_text(encoding="utf-8"))}
    assert {one["image"] for one in containers()} == built
    assert all(image.endswith(f":{toccata.__version__}") for image in built)


def test_arguments_are_toccatas() -> None:
    for one in containers():
        fits(one["args"])
        mounts = [mount["mountPath"] for mount in one["volumeMounts"]]
        places = [word for word in one["args"] if word.startswith("/")]
        assert places
        assert all(any(place.startswith(f"{mount}/") for mount in mounts) for place in places)


def test_training_goes_on_when_it_is_moved() -> None:
    job = jobs()["toccata-train"]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "or podFailurePolicy is refused"
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert (job["parallelism"], job["podReplacementPolicy"]) == (1, "Failed"), "never two at one model"
    rules = job["podFailurePolicy"]["rules"]
    codes = {rule["action"]: rule["onExitCodes"]["values"] for rule in rules if "onExitCodes" in rule}
    assert codes == {"FailJob": [2], "Ignore": [130]}, "wrong usage stays wrong; 130 is the answer to SIGTERM"
    moved = [rule for rule in rules if rule.get("onPodConditions") == [{"type": "DisruptionTarget", "status": "True"}]]
    assert [rule["action"] for rule in moved] == ["Ignore"]
    named = {rule["onExitCodes"]["containerName"] for rule in rules if "onExitCodes" in rule}
    assert named == {one["name"] for one in pod["containers"]}
