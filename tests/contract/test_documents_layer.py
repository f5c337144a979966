"""What reads documents has its packages in one list for Lambda and for this machine."""

import tomllib

from tests.contract.stack import ROOT


def test_the_extra_has_the_packages_of_the_layer():
    listed = (ROOT / "functions/broker/documents/requirements.txt").read_text().splitlines()
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["documents"]
    assert sorted(extra) == sorted(line for line in listed if line and not line.startswith("#"))
