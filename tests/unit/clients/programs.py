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


def python_of(framework: str) -> Path:
    """The interpreter that has a framework's packages."""
    python = PLACE / framework / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{framework} is not there: `make clients` installs it")
    return python
