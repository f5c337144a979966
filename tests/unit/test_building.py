"""What `sam build` makes of the layer and the functions, by functions/Makefile; pip and the compiler are stand-ins."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
OTHER = f"python3.{sys.version_info.minor + 1}"

STAND_IN = """#!/bin/sh
# A Python of version {version}, which writes down what it is asked to do.
case "$1" in
-c) echo "$2" | grep -q '"{version}"' ;;
*) echo "$*" >> "{log}"; mkdir -p "$ARTIFACTS_DIR/python" ;;
esac
"""


def python(folder: Path, name: str, version: str) -> Path:
    """Put a stand-in into a folder of commands."""
    made = folder / "bin" / name
    made.parent.mkdir(exist_ok=True)
    made.write_text(STAND_IN.format(version=version, log=folder / f"{name}.log"))
    made.chmod(0o755)
    return made


def project(folder: Path, told: str = "") -> Path:
    """Have the Makefile beside a samconfig.toml of its own; gives its path."""
    makefile = folder / "functions" / "Makefile"
    makefile.parent.mkdir(parents=True)
    shutil.copy(ROOT / "functions" / "Makefile", makefile)
    (folder / "schemas").mkdir()
    (folder / "schemas" / "openapi.json").write_text("{}")
    (folder / "samconfig.toml").write_text(f"version = 0.1\n[default.deploy.parameters]\n{told}\n")
    return makefile


def built(folder: Path, makefile: Path, target: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Call the Makefile as SAM does: from a copy of the folder, and naming the original."""
    artifacts, copy = folder / "artifacts", folder / "copy"
    artifacts.mkdir(exist_ok=True)
    for name in ("broker", "handlers"):
        (copy / name).mkdir(parents=True, exist_ok=True)
    (copy / "broker" / "rest").mkdir(exist_ok=True)
    given = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "ARTIFACTS_DIR": str(artifacts)} | environment
    command = [str(shutil.which("make")), "--makefile", str(makefile), f"build-{target}"]
    return subprocess.run(command, cwd=copy, env=given, capture_output=True, text=True)  # noqa: S603 - our own


@pytest.mark.parametrize("target", ["DependenciesLayer", "ApiFunction"])
def test_another_python_than_the_runtimes_builds_nothing_and_says_so_in_one_sentence(
    tmp_path: Path, target: str
) -> None:
    named = {"BUILD_RUNTIME": OTHER, "BUILD_PYTHON": sys.executable}
    done = built(tmp_path, project(tmp_path), target, **named)
    told = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    version = OTHER.removeprefix("python")
    assert done.returncode != 0
    assert told == [f"Building for {OTHER} needs a Python {version} (BUILD_PYTHON may name it), which is not here."]
    assert not os.listdir(tmp_path / "artifacts"), "something is left that could be taken for an artefact"


def test_the_python_of_the_runtimes_version_is_found_whatever_stands_before_it(tmp_path: Path) -> None:
    python(tmp_path, "python3.12", version="2.7")  # a shim of a version manager: it is there, and is something else
    right = python(tmp_path, "python", version="3.12")
    python(tmp_path, "python3", version="3.9")
    done = built(tmp_path, project(tmp_path), "ApiFunction", BUILD_RUNTIME="python3.12")
    assert done.returncode == 0, done.stderr
    assert "compileall" in (tmp_path / f"{right.name}.log").read_text()


@pytest.mark.parametrize(
    ("told", "version", "machine"),
    [
        ('parameter_overrides = "Target=aws Runtime=python3.12 Architecture=x86_64"', "3.12", "x86_64"),
        # As `sam deploy --guided` writes it.
        (r'parameter_overrides = "Target=\"aws\" Runtime=\"python3.14\" Architecture=\"x86_64\""', "3.14", "x86_64"),
        ("", "3.13", "aarch64"),
    ],
)
def test_the_layer_is_for_what_the_stack_is_deployed_with(
    tmp_path: Path, told: str, version: str, machine: str
) -> None:
    python(tmp_path, f"python{version}", version)
    done = built(tmp_path, project(tmp_path / "a project", told), "DependenciesLayer")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / f"python{version}.log").read_text()
    assert f"--python-version {version} --implementation cp --only-binary=:all:" in asked
    assert f"--platform manylinux_2_28_{machine} --platform manylinux2014_{machine}" in asked
    assert asked.count("--platform") == 2, "a wheel of another processor could be taken"


def test_an_architecture_that_lambda_does_not_have_is_refused(tmp_path: Path) -> None:
    python(tmp_path, "python3.13", "3.13")
    done = built(tmp_path, project(tmp_path), "DependenciesLayer", BUILD_ARCHITECTURE="aarch64")
    assert done.returncode != 0
    assert done.stderr.startswith("BUILD_ARCHITECTURE is arm64 or x86_64, and not aarch64.\n")


def test_what_is_built_here_is_compiled_so_that_lambda_takes_it_as_it_is(tmp_path: Path) -> None:
    makefile = project(tmp_path)
    (tmp_path / "copy" / "broker").mkdir(parents=True)
    (tmp_path / "copy" / "broker" / "m.py").write_text("a = 1\n")
    done = built(tmp_path, makefile, "ApiFunction", BUILD_RUNTIME=HERE, BUILD_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    (compiled,) = (tmp_path / "artifacts" / "broker" / "__pycache__").iterdir()
    assert compiled.read_bytes()[4:8] == (1).to_bytes(4, "little"), "PEP 552: by hash, and not to be checked"
    assert b"/var/task/broker/m.py" in compiled.read_bytes()
    assert (tmp_path / "artifacts" / "broker" / "rest" / "openapi.json").read_text() == "{}", "nothing could be shown"
