"""What the layers hold, as a CycloneDX 1.6 bill of materials: `python -m local.bill_of_materials > bom.json`.

From what is installed here by the versions that are pinned, so it says the same for the same pins: it has no time, and
its number follows from what is in it. Which hardware and which Python a wheel is for is not told.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distribution
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.servers import ROOT

PINS = tuple(ROOT / "functions" / each for each in ("requirements.txt", "broker/documents/requirements.txt"))
"""What each layer is built from."""

SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
}
"""Ids of licences that packages name in words: by their classifier, or as they like."""


def pinned() -> dict[str, str]:
    """Versions by the packages' names, of both layers."""
    lines = (line.partition("#")[0].strip() for path in PINS for line in path.read_text().splitlines())
    found = (line.split("==") for line in lines if line)
    return {canonicalize_name(name.partition("[")[0]): version for name, version in found}


def held() -> dict[str, list[str]]:
    """All packages of the layers, those that others need too, each with those that it needs itself."""
    wanted, found = list(pinned()), dict[str, list[str]]()
    while wanted:
        name = wanted.pop()
        if name not in found:
            needed = (Requirement(each) for each in distribution(name).requires or ())
            found[name] = sorted(
                canonicalize_name(each.name)
                for each in needed
                if not each.marker or each.marker.evaluate({"extra": ""})
            )
            wanted += found[name]
    return dict(sorted(found.items()))


def licences(package: Distribution) -> list[str]:
    """By its own word: an SPDX expression (PEP 639) where it has one, else what its classifiers or it itself name."""
    told = package.metadata
    if "License-Expression" in told:
        return [told["License-Expression"]]
    rows = (each.split(" :: ") for each in told.get_all("Classifier") or ())
    names = [row[-1] for row in rows if row[0] == "License" and row[-1] != "OSI Approved"]
    names = names or [told["License"].partition("\n")[0].strip() if "License" in told else ""]
    return [SPDX.get(each, each) for each in names]


def bill() -> dict[str, Any]:
    """The document (CycloneDX v1.6, JSON)."""
    packages = held()
    versions = {name: distribution(name).version for name in packages}
    purl = {name: f"pkg:pypi/{name}@{version}" for name, version in versions.items()}
    ours = distribution("inference-broker")
    root = f"pkg:pypi/inference-broker@{ours.version}"
    content: dict[str, Any] = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "inference-broker",
                "version": ours.version,
                "purl": root,
                "licenses": _shown(licences(ours)),
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": purl[name],
                "name": name,
                "version": versions[name],
                "purl": purl[name],
                "licenses": _shown(licences(distribution(name))),
            }
            for name in packages
        ],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(purl[each] for each in pinned())},
            *({"ref": purl[name], "dependsOn": [purl[each] for each in needed]} for name, needed in packages.items()),
        ],
    }
    number = uuid5(NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{number}", "version": 1}
    return head | content


def _shown(told: list[str]) -> list[dict[str, Any]]:
    """CycloneDX has an expression alone, or else ids of SPDX and names side by side."""
    if len(told) == 1 and re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*", told[0]):
        return [{"expression": told[0]}]
    return [{"license": {"id" if re.fullmatch(r"[\w.+-]+", each) else "name": each}} for each in told]


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=2)
