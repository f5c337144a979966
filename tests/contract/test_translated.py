"""What SAM makes of the template is within CloudFormation's limits, and what checkov finds of it is told."""

import json

from tests.contract.checkov import EXCEPTIONS, failed, strange
from tests.contract.stack import ROOT, functions
from tests.contract.translated import translated


def test_the_template_is_within_what_cloudformation_takes() -> None:
    # CloudFormation user guide, "Quotas": 500 resources, 200 parameters and outputs, a megabyte.
    made = translated()
    assert len(made["Resources"]) <= 500 and len(made["Parameters"]) <= 200 and len(made["Outputs"]) <= 200
    assert len(json.dumps(made)) <= 1_000_000 and (ROOT / "template.yaml").stat().st_size <= 1_000_000


def test_no_variable_of_a_function_is_a_secret() -> None:
    """As the exception says."""
    given = {name for each in functions().values() for name in each.get("Environment", {}).get("Variables", {})}
    assert not {each for each in given if any(word in each for word in ("PASSWORD", "TOKEN", "CREDENTIAL"))}
    assert {each for each in given if "SECRET" in each or "KEY" in each} == {"SEALING_KEY", "SECRETS_PREFIX"}


def test_each_exception_has_a_reason_and_is_of_something() -> None:
    for check, (resources, reason) in EXCEPTIONS.items():
        assert resources and reason.endswith("."), check


def test_what_no_exception_names_is_told_and_so_is_one_that_nothing_needs() -> None:
    report = {"results": {"failed_checks": [{"check_id": "CKV_1", "resource": "AWS::S3::Bucket.One"}]}}
    assert strange(failed(report), {"CKV_1": ({"One"}, "So.")}) == []
    assert strange(failed([report]), {}) == ["CKV_1: One is not as it should be"]
    assert strange(failed(report), {"CKV_1": ({"One", "Two"}, "So.")}) == ["CKV_1: Two needs no exception any more"]
