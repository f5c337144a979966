"""The AWS clients as the functions have them."""

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from broker.cloud.clients import client


class Reply:
    """The body of a reply, as urllib3 hands it over."""

    def stream(self) -> Any:
        yield b"{}"


def test_a_client_signs_and_says_in_short_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "ApiFunction")  # by which the bench counts
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, Reply())

    tables = client.__wrapped__("dynamodb")
    tables.meta.events.register("before-send.dynamodb.*", answer)
    tables.get_item(TableName="jobs", Key={"pk": {"S": "A"}, "sk": {"S": "1"}})
    (request,) = sent
    agent = request.headers["User-Agent"]
    text = agent if isinstance(agent, str) else agent.decode()
    # Powertools, where it is loaded, adds its own name.
    assert text.startswith("inference-broker app/ApiFunction") and "Boto" not in text
    assert b"AWS4-HMAC-SHA256" in bytes(str(request.headers["Authorization"]), "ascii")
