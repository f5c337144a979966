"""The console in a Chromium: each page's main task, who may enter, and that nothing it is told becomes markup."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from playwright.sync_api import Browser, Route, expect

from local.client import Client
from local.receiver import Receiver
from tests.e2e.browsing import Console, chromium, console
from tests.e2e.stack import Stack, chat

ATTACK = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>{{7*7}}'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def shown(browser: Browser, stack: Stack) -> Iterator[Console]:
    with console(browser, stack) as made:
        yield made


def test_signing_in_needs_a_credential_that_the_api_takes(shown: Console) -> None:
    shown.open()
    shown.page.get_by_role("button", name="Sign in").click()
    expect(shown.page.get_by_role("alert")).to_have_text("Something has to stand here.")
    shown.check()
    shown.keep("sign-in")
    shown.page.get_by_label("API key or token").fill("ib_nobodys")
    shown.page.keyboard.press("Enter")
    expect(shown.page.get_by_role("alert")).to_have_text("The API does not take this credential.")
    shown.said.clear()  # the 401, which browsers note
    shown.page.get_by_label("API key or token").fill(shown.stack.seeded.api_key)
    shown.page.keyboard.press("Enter")
    expect(shown.page.get_by_role("heading", name="Jobs")).to_be_focused()
    own = shown.stack.base_url.split("/_aws")[0]
    assert all(each.startswith(own) for each in shown.asked), "something was asked of another host"
    shown.page.reload()
    expect(shown.page.get_by_role("heading", name="Sign in")).to_be_visible()
    kept = "[...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie].join('')"
    assert shown.page.evaluate(kept) == "", "a credential may have been kept"


def test_a_list_of_jobs_follows_what_happens_and_finds_some(shown: Console) -> None:
    done = shown.stack.run(chat())
    shown.enter()
    page = shown.page
    expect(page.locator(f"[data-job='{done['id']}']")).to_be_visible()
    later = shown.stack.run({"input": {"text": "Charge 4111 1111 1111 1111."}})
    row = page.locator("tr", has=page.locator(f"[data-job='{later['id']}']"))
    expect(row).to_contain_text("blocked")  # nobody pressed anything
    shown.check()
    shown.keep("jobs")
    page.get_by_label("Status").select_option("blocked")
    expect(page.locator(f"[data-job='{later['id']}']")).to_be_visible()
    expect(page.locator(f"[data-job='{done['id']}']")).to_have_count(0)
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_label("Open a job by its id").fill(done["id"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job")


def test_another_tenants_job_is_not_there(shown: Console) -> None:
    job = shown.stack.run(chat())
    shown.enter(shown.stack.seeded.other_key)
    expect(shown.page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(shown.page.locator(f"[data-job='{job['id']}']")).to_have_count(0)
    shown.go(f"/jobs/{job['id']}")
    expect(shown.page.get_by_role("alert")).to_contain_text("There is no such job.")


def test_the_way_of_a_job_is_a_picture_with_each_call_and_why(shown: Console) -> None:
    page = shown.page
    with Receiver(answers=[503]) as receiver:
        request = chat(model="local-overloaded", routing={"fallbacks": ["local-large"]})
        job = shown.stack.run(request | {"webhook": {"url": receiver.url, "events": ["job.succeeded"]}})
        shown.enter(where=f"#/jobs/{job['id']}")
        picture = page.get_by_role("group", name="The way of this job")
        expect(picture).to_be_visible()
        calls = picture.locator(".box[data-key^='call-']")
        assert calls.count() == len(job["attempts"])
        expect(calls.first).to_have_attribute("aria-label", re.compile("^local-overloaded: Unavailable"))
        expect(picture.get_by_text("fallback", exact=True)).to_be_visible()
        receiver.wait(2, 60)
        expect(picture.locator("[data-key='delivery-0']")).to_contain_text("delivered", timeout=20_000)
        picture.locator("[data-key='route']").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".chosen")).to_contain_text("not named by the request")
        shown.check()
        shown.keep("job")
        assert "lamp" not in page.inner_text("main").lower(), "the answer is shown before anybody asked for it"
        page.get_by_role("button", name="Show the answer").click()
        expect(page.locator("pre")).to_have_text(job["output"]["text"])
        page.get_by_role("button", name="Send webhooks again").click()
        expect(page.get_by_role("status")).to_have_text("1 webhook sent again.")
        assert len(receiver.wait(3, 60)) == 3


def test_a_job_is_canceled_and_erased_after_a_question(shown: Console) -> None:
    page = shown.page
    with shown.stack.nothing_dispatched():
        job = shown.stack.api.submit(chat()).body
        shown.enter(where=f"#/jobs/{job['id']}")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Leave it").click()
        assert shown.stack.api.call("GET", f"/jobs/{job['id']}").body["status"] == "queued"
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").get_by_role("button", name="End the job").click()
        expect(page.get_by_role("status")).to_have_text("The job is canceled.")
    expect(page.locator(".page-head .badge")).to_have_text("canceled")
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(page.get_by_text("It is not kept any more.")).to_be_visible()
    assert shown.stack.api.call("GET", f"/jobs/{job['id']}").body["erased"] is True


def test_the_overview_counts_what_the_tenant_did_and_spent(shown: Console) -> None:
    shown.stack.run(chat())
    shown.enter(where="#/overview")
    page = shown.page
    expect(page.get_by_role("img", name="Jobs by outcome over time")).to_be_visible()
    used = shown.stack.api.call("GET", "/usage").body["data"]
    spend = page.get_by_role("region", name="Cost this month, by model")
    expect(spend.get_by_role("row")).to_have_count(len(used) + 1)
    expect(page.locator(".tile", has_text="Succeeded")).to_contain_text("%")
    shown.check()
    shown.keep("overview")


def test_what_would_happen_to_a_request_is_told_with_every_exclusion(shown: Console) -> None:
    shown.enter(where="#/models")
    page = shown.page
    known = shown.stack.api.call("GET", "/models").body["data"]
    models = page.get_by_role("region", name="Registered models")
    expect(models.get_by_role("row")).to_have_count(len(known) + 1)
    asked = {"input": {"text": "Hi"}, "model": "local-small"}
    told = shown.stack.api.call("POST", "/estimates", asked).body["route"]
    page.get_by_label("A text, or a request as JSON").fill(json.dumps(asked))
    page.get_by_role("button", name="Estimate").click()
    order = page.get_by_role("region", name="Tried in this order")
    expect(order).to_contain_text("local-small")
    why = page.get_by_role("region", name="Why each model was taken or left")
    expect(why.get_by_role("row")).to_have_count(len(told) + 1)
    expect(why).to_contain_text("not named by the request")
    shown.check()
    shown.keep("models")
    page.get_by_label("A text, or a request as JSON").fill('{"input": {"text": "Hi"}, "colour": "blue"}')
    page.get_by_role("button", name="Estimate").click()
    expect(page.get_by_role("alert")).to_contain_text("colour")


def test_a_batch_tells_which_rows_failed_and_why_and_does_them_again(shown: Console) -> None:
    rows = [chat(), {"input": {"text": "Charge 4111 1111 1111 1111."}}, {"input": 5}]
    made = shown.stack.api.call("POST", "/batches", {"requests": rows}).body
    shown.enter(where="#/batches")
    page = shown.page
    page.locator(f"a[title='{made['id']}']").click()
    expect(page.locator(".page-head .badge")).to_have_text("completed", timeout=60_000)
    failed = page.get_by_role("region", name="Rows that did not succeed")
    expect(failed).to_contain_text("payment card number")
    expect(failed).to_contain_text("it has to be an object")
    shown.check()
    shown.keep("batch")
    page.get_by_role("button", name="Retry what did not succeed").click()
    expect(page.get_by_role("status")).to_have_text("A new batch does those rows again.")
    expect(page.locator("dl")).to_contain_text("Retry of")


def test_a_batch_is_paused_goes_on_and_is_stopped(shown: Console) -> None:
    page = shown.page
    with shown.stack.nothing_dispatched():
        made = shown.stack.api.call("POST", "/batches", {"requests": [chat() for _ in range(3)]}).body
        shown.enter(where=f"#/batches/{made['id']}")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".page-head .badge")).to_have_text("paused")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop the batch").click()
        expect(page.get_by_role("status")).to_have_text("It is being stopped.")


def test_an_operator_sees_all_tenants_jobs_and_a_payload_only_on_record(shown: Console) -> None:
    """By temporary credentials; that they are signed as AWS does it, another test says."""
    page, stack = shown.page, shown.stack
    own = stack.run(chat())
    other = Client(stack.base_url, stack.seeded.other_key)
    theirs = stack.run(chat(), other)
    shown.open()
    page.get_by_role("button", name="As an operator").click()
    page.get_by_label("AWS credentials").fill("nothing of the kind")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("These are no credentials")
    page.get_by_label("AWS credentials").fill("export AWS_ACCESS_KEY_ID=test\nexport AWS_SECRET_ACCESS_KEY=test")
    page.get_by_role("button", name="Sign in").click()
    for job, tenant in ((own, "demo"), (theirs, "other")):
        row = page.locator("tr", has=page.locator(f"[data-job='{job['id']}']"))
        expect(row).to_contain_text(tenant)
    page.get_by_label("Tenant").fill("other")
    page.keyboard.press("Tab")
    expect(page.locator(f"[data-job='{own['id']}']")).to_have_count(0)
    page.locator(f"[data-job='{theirs['id']}']").click()
    expect(page.get_by_role("group", name="The way of this job")).to_be_visible()
    assert theirs["output"]["text"] not in page.inner_text("main")
    seen = [each["event"] for each in other.call("GET", f"/jobs/{theirs['id']}/events").body["data"]]
    assert "job.read" not in seen
    page.get_by_role("button", name="Show request and answer").click()
    expect(page.locator("pre").last).to_have_text(theirs["output"]["text"])
    shown.check()
    shown.keep("operator")
    seen = [each["event"] for each in other.call("GET", f"/jobs/{theirs['id']}/events").body["data"]]
    assert seen.count("job.read") == 1


def test_an_operator_of_more_tenants_than_one_list_has_names_one(shown: Console) -> None:
    page, stack = shown.page, shown.stack
    theirs = stack.run(chat(), Client(stack.base_url, stack.seeded.other_key))
    refusal = {
        "error": {"code": "invalid_request", "message": "There are more than 50 tenants: name one.", "param": "tenant"}
    }

    def many(route: Route) -> None:
        named = "tenant=" in route.request.url
        return (
            route.continue_()
            if named
            else route.fulfill(status=400, content_type="application/json", body=json.dumps(refusal))
        )

    page.route("**/admin/jobs?*", many)
    shown.open()
    page.get_by_role("button", name="As an operator").click()
    page.get_by_label("AWS credentials").fill("export AWS_ACCESS_KEY_ID=test\nexport AWS_SECRET_ACCESS_KEY=test")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("name one")
    page.get_by_label("Tenant").fill("other")
    page.keyboard.press("Tab")
    expect(page.locator(f"[data-job='{theirs['id']}']")).to_be_visible()
    shown.said.clear()  # the 400, which browsers note


@pytest.mark.parametrize("token", ["", "a/session+token=="])
def test_calls_are_signed_as_aws_does_it(shown: Console, token: str) -> None:
    """Botocore's signature of the same call, at the same second."""
    shown.open()
    credentials = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG", "sessionToken": token}
    url = f"{shown.stack.base_url}/admin/jobs/a%20b?tag=order%3D17&limit=20&cursor=e%2B%2F"
    when, body = "2026-12-01T08:00:00.123Z", '{"reason": "\u00e9"}'
    script = """async ([credentials, url, body, when]) => {
      const { signed } = await import(new URL("console/sigv4.js", location.href.split("#")[0]));
      const asked = { method: "POST", url: new URL(url), body, region: "eu-central-1", now: new Date(when) };
      return signed(credentials, asked);
    }"""
    made = shown.page.evaluate(script, [credentials, url, body, when])
    request = AWSRequest("POST", url, data=body.encode(), headers={"host": url.split("/")[2]})
    request.context["timestamp"] = "20261201T080000Z"
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token or None), "execute-api", "eu-central-1")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert made["authorization"].endswith(f"Signature={signature}")
    assert made["x-amz-date"] == "20261201T080000Z"
    assert made.get("x-amz-security-token", "") == token


def test_twice_as_large_all_of_it_is_there_without_scrolling_aside(browser: Browser, stack: Stack) -> None:
    """What 200 % makes of a window of 1280 (WCAG 2.2, 1.4.4 and 1.4.10)."""
    job = stack.run(chat())
    with console(browser, stack, viewport={"width": 640, "height": 480}) as shown:
        shown.enter()
        for where in ("/batches", "/models", "/overview", "/jobs", f"/jobs/{job['id']}"):
            shown.go(where)
            expect(shown.page.locator("main :is(.tile, table, .empty)").first).to_be_visible()
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert shown.page.evaluate(wide) <= 0, f"{where} is wider than the window"
        shown.check()
        shown.keep("job-200-percent")


def test_nothing_that_is_told_becomes_markup(shown: Console) -> None:
    """What comes of a real job, and then the same replies with every text in them hostile."""
    page = shown.page
    job = shown.stack.run({"input": ATTACK, "model": "local-small", "metadata": {"note": ATTACK, ATTACK[:60]: "x"}})
    shown.enter(where=f"#/jobs/{job['id']}")
    page.get_by_role("button", name="Show the answer").click()
    expect(page.locator("pre").first).to_be_visible()
    page.route("**/v1/jobs*", hostile)
    page.route("**/v1/jobs/**", hostile)
    for where in ("/jobs", f"/jobs/{job['id']}", f"/jobs/{ATTACK.replace('/', '%2F')}"):
        shown.go(where)
        expect(page.get_by_text("onerror", exact=False).first).to_be_visible()
    assert page.evaluate("window.owned") is None
    assert page.locator("main img").count() == page.locator("main script").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    said = [each for each in shown.said if "404" not in each]  # of the job that there is not
    assert not said, said


def hostile(route: Route) -> None:
    """The reply with an attack in the place of each text, but for times and what code decides by."""
    reply = route.fetch()
    try:
        body = reply.json()
    except ValueError:
        route.fulfill(response=reply)
        return
    route.fulfill(response=reply, body=json.dumps(_hostile(body)))


def _hostile(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _hostile(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_hostile(each, name) for each in value]
    if isinstance(value, str) and not name.endswith(("_at", "at", "next_cursor")):
        return f"javascript:window.owned=1//{ATTACK}" if "url" in name else ATTACK
    return value
