"""Scanned forms by recipe on the embedded cloud: Textract's stand-in reads pages together, while the workflow waits."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from local.servers import Servers
from tests.e2e.conftest import FOLDER
from tests.e2e.readers import PRICES
from tests.e2e.stack import Stack
from tests.e2e.test_recipes import Papers
from tests.unit.test_local_textract import FORM, scan

PROMPT = {"id": "form-part", "user": "Summarize:\n\n{{document}}"}
FORMS = {
    "id": "forms-echo",
    "merge": {"way": "concat"},
    "prompts": {"map": "form-part"},
    "split": {"by": "pages", "size": 1000},
    "model": "echoes",
    "extract": {"model": "form-reader", "features": ["forms", "tables"]},
}
TENANTS = ("form-floods", "form-waits")


class Forms(Papers):
    """The documents of one of two tenants."""

    def __init__(self, stack: Stack, tenant: str) -> None:
        self.stack, self.s3, self.api, self.tenant = stack, stack.cloud.client("s3"), stack.as_tenant(tenant), tenant


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> Iterator[dict[str, Forms]]:
    budgets = [{"id": each, "monthly_budget_usd": 1000} for each in TENANTS]
    stack.register({"tenants": budgets, "prompts": [PROMPT], "recipes": [FORMS]})
    yield {each: Forms(stack, each) for each in TENANTS}


def order(stack: Stack, **asked: Any) -> None:
    """Have the stand-in refuse."""
    services = Servers(FOLDER, print).running()["services"].url
    reply = urllib3.request("POST", f"{services}/local/textract", body=json.dumps(asked))
    assert reply.status == 200, reply.data


def test_scanned_forms_are_read_together_and_keep_fields_tables_and_pages(
    tenants: dict[str, Forms], stack: Stack
) -> None:
    forms = tenants["form-waits"]
    order(stack, refuse="ProvisionedThroughputExceededException")
    key = forms.put("forms-echo", "scan.pdf", scan(FORM, ["Page two is a note."]))
    result = forms.result(f"{key}.result.json", 400)
    assert result["error"] is None, result["error"]
    scans, *parts = result["children"]
    assert (scans["stage"], scans["pages"], scans["status"]) == ("scans", "1-2", "succeeded")
    assert [part["pages"] for part in parts] == ["1-2"]
    said = result["answer"].replace("AnnKeeper", "Ann Keeper")
    assert "[p. 1]" in said and "Name: Ann Keeper" in said and "| Lamp | 12 |" in said
    assert "note" in said.partition("[p. 2]")[2]
    job = forms.api.call("GET", f"/jobs/{scans['job_id']}").body
    assert job["usage"]["cost_usd"] == pytest.approx(2 * sum(PRICES.values())), "by the page, once"
    outcomes = [each["outcome"] for each in job["attempts"]]
    assert outcomes[-1] == "succeeded" and len(outcomes) <= 2, outcomes
    listed = forms.s3.list_objects_v2(Bucket=stack.physical("PayloadsBucket"), Prefix=f"documents/{result['batch_id']}")
    assert listed.get("Contents", []) == [], "what was gathered is kept no longer than it is needed"


def test_one_tenants_scans_wait_for_their_turn_and_anothers_do_not(tenants: dict[str, Forms]) -> None:
    floods, waits = (tenants[each] for each in TENANTS)
    pages = scan(["One lamp burned."], ["Two lamps burned."])
    keys = [floods.put("forms-echo", f"{number}.pdf", pages) for number in range(2)]
    other = waits.result(f"{waits.put('forms-echo', 'one.pdf', pages)}.result.json", 400)
    assert other["error"] is None and "lamp" in other["answer"]
    for key in keys:
        assert floods.result(f"{key}.result.json", 600)["error"] is None, (
            "what waits is lost no more than what does not"
        )
