"""What the tables of engines say of providers is what their adapters do."""

import base64
from typing import Any

import pytest
from broker.errors import BrokerError
from broker.guardrails.engines.tasks import SIGHT_ALONE, TEXTS_ALONE
from broker.providers import PROVIDERS, lookup
from broker.providers.wire.base import Call

from tests.fakes.media import FakeMedia

FILE = {"data": base64.b64encode(b"\x89PNG\r\n\x1a\nand more").decode(), "media_type": "image/png"}
MODELS = {"azure_content_safety": "text"}
MODERATING = sorted(name for name in PROVIDERS if "moderate" in lookup(name).tasks)


@pytest.mark.parametrize("provider", MODERATING)
@pytest.mark.parametrize(
    ("given", "alone"), [({"file": FILE}, TEXTS_ALONE), ({"text": "Hello."}, SIGHT_ALONE)], ids=["picture", "text"]
)
def test_a_service_takes_what_the_tables_say_and_nothing_else(
    provider: str, given: dict[str, Any], alone: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    call = Call("moderate", MODELS.get(provider, "any"), given, {}, 1, "key", "http://127.0.0.1:9", media=FakeMedia())
    with pytest.raises(BrokerError) as failure:  # nobody is there to answer
        lookup(provider).invoke(call)
    assert (failure.value.code == "unsupported_content") is (provider in alone), failure.value.message


def test_services_of_each_sort_are_known() -> None:
    assert set(MODERATING) >= SIGHT_ALONE | TEXTS_ALONE
    assert not SIGHT_ALONE & TEXTS_ALONE
