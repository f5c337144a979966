"""The bill of materials has all that the layers hold, each by its version and licence."""

import json
import re
import subprocess
import sys
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.bill_of_materials import bill, held, licences, pinned
from tests.contract.stack import ROOT

TAKEN = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0"),
    "Apache-2.0 OR BSD-3-Clause",
    "LGPL-2.0-or-later",  # python-stdnum: whole and unchanged in the layer, where another can take its place
    "BSD-3-Clause, Apache-2.0, dependency licenses",  # pypdfium2, with PDFium inside
}
"""Licences of what we hand on; another is looked at before it comes in."""


def test_each_pin_is_in_it_by_its_version() -> None:
    listed = {each["name"]: each["version"] for each in bill()["components"]}
    assert pinned() and pinned().items() <= listed.items()
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in bill()["components"])


def test_what_packages_need_is_in_it_as_well() -> None:
    listed = held()
    for name, needed in listed.items():
        own = [Requirement(each) for each in distribution(name).requires or ()]
        always = {canonicalize_name(each.name) for each in own if not each.marker}
        assert always <= set(needed) <= listed.keys(), name
    refs = {each["bom-ref"] for each in bill()["components"]}
    assert {each for one in bill()["dependencies"] for each in one["dependsOn"]} <= refs


def test_each_has_a_licence_that_we_take() -> None:
    strange = {name: told for name in held() if not set(told := licences(distribution(name))) <= TAKEN or not told}
    assert strange == {}


def test_the_same_pins_make_the_same_bill() -> None:
    command = [sys.executable, "-m", "local.bill_of_materials"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - our own
    assert json.loads(done.stdout) == bill()
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill()["serialNumber"])
