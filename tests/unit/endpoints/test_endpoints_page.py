"""The page about webhooks: what it has receivers do works, and its figures are the code's."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from broker.contract.endpoint_operations import ENDPOINT_OPERATIONS
from broker.delivery.post import TIMEOUT_S
from broker.delivery.schedule import CONTROLS, LONGEST_S, PAUSES_S
from broker.delivery.signing import new_secret
from broker.endpoints.bodies import EVENTS
from broker.endpoints.keeping import MOST, REPEATED_MS
from broker.endpoints.log import MOST_RECOVERED
from broker.endpoints.record import MOST_SECRETS, OVERLAP_MS
from broker.endpoints.registered import FAILING_MS
from broker.endpoints.telling import KEEP_MS

from tests.contract.stack import ROOT
from tests.unit.endpoints.endpoints_case import Shop

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
SNIPPETS = re.findall(r"With `(\w+)`.*?```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("package", "code"), SNIPPETS)
def test_a_receiver_does_with_a_package_what_the_page_says(package: str, code: str) -> None:
    shop = Shop(now=time.time_ns() // 1_000_000)
    form: Any = "openai" if package == "openai" else "native"
    mine = shop.register(form=form)
    head = shop.end(door="openai")
    assert shop.work() == ["delivered"]
    (post,) = shop.posts
    given: dict[str, Any] = {}
    exec(code, given)  # noqa: S102 - it is our own page
    kind, data = given["receive"](shop.secrets[mine.id], post.body.decode(), post.headers)
    if form == "openai":
        assert (kind, data.id) == ("response.completed", head.id.replace("job_", "resp_"))
    else:
        assert (kind, data["job_id"]) == ("job.succeeded", head.id)
    with pytest.raises(Exception, match=r"[Ss]ignature"):
        given["receive"](new_secret(), post.body.decode(), post.headers)


def test_the_page_has_a_receiver_for_each_package() -> None:
    assert [package for package, _ in SNIPPETS] == ["standardwebhooks", "svix", "openai"]


def test_the_page_has_each_event() -> None:
    for form in ("native", "openai"):
        for event in EVENTS[form]:  # type: ignore[index]
            assert f"`{event}`" in PAGE, event


def test_the_page_has_each_route() -> None:
    for method, path in ENDPOINT_OPERATIONS:
        if path.startswith("/webhooks/"):
            assert f"`{method} /v1{path}`" in PAGE or path.rsplit("/", 1)[1] in PAGE, path


def test_the_figures_of_the_page_are_true() -> None:
    assert f"A tenant has {MOST} endpoints at most" in PAGE
    assert (KEEP_MS, "from ten seconds after" in PAGE) == (10_000, True)
    assert (OVERLAP_MS, "for 24 hours the old one signs" in PAGE) == (24 * 3_600_000, True)
    assert (FAILING_MS, "all attempts of five days" in PAGE) == (5 * 24 * 3_600_000, True)
    assert (TIMEOUT_S, "within ten seconds" in PAGE) == (10.0, True)
    assert (MOST_SECRETS, "Three secrets sign at once" in PAGE) == (3, True)
    assert (MOST_RECOVERED, "A thousand are looked at" in PAGE) == (1_000, True)
    assert (REPEATED_MS, "a repeat within ten minutes" in PAGE) == (600_000, True)
    assert (LONGEST_S, "up to a day" in PAGE) == (86_400, True)
    waits = ["5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h"]
    units = {"s": 1, "min": 60, "h": 3_600}
    spelled = [int(each.split()[0]) * units[each.split()[1]] for each in waits]
    assert [timedelta(seconds=each) for each in spelled] == [timedelta(seconds=each) for each in PAUSES_S[1:]]
    assert f"{', '.join(waits[:-1])} and {waits[-1]}" in PAGE
    assert all(f"`webhook-delivery: {word}`" in PAGE or f"`{word}`" in PAGE for word in CONTROLS)
