"""The bus: entries of the right source, by tens, and refusals by position."""

import json
from typing import Any

import pytest
from botocore.stub import Stubber
from broker.cloud.bus import Bus
from broker.errors import Unavailable

from tests.adapters.conftest import Client


def entry(number: int, kind: str = "JobAccepted") -> dict[str, str]:
    detail = json.dumps({"n": number})
    return {"EventBusName": "bus", "Source": "inference.broker", "DetailType": kind, "Detail": detail}


def events(count: int) -> list[tuple[str, dict[str, Any]]]:
    return [("JobAccepted", {"n": number}) for number in range(count)]


def taken(count: int, *refused: int) -> dict[str, Any]:
    entries = [{"ErrorCode": "InternalFailure"} if each in refused else {"EventId": "e"} for each in range(count)]
    return {"FailedEntryCount": len(refused), "Entries": entries}


@pytest.fixture
def api(client: Client) -> Any:
    return client("events")


def test_puts_by_tens_and_names_what_was_refused(api: Any) -> None:
    with Stubber(api) as stub:
        for begin, size, refused in ((0, 10, (3,)), (10, 10, ()), (20, 3, (0, 2))):
            entries = [entry(number) for number in range(begin, begin + size)]
            stub.add_response("put_events", taken(size, *refused), {"Entries": entries})
        assert Bus(api, "bus").put(events(23)) == [3, 20, 22]
        stub.assert_no_pending_responses()


def test_puts_nothing_where_nothing_happened(api: Any) -> None:
    with Stubber(api):
        assert Bus(api, "bus").put([]) == []


def test_one_event_goes_out_or_raises(api: Any) -> None:
    with Stubber(api) as stub:
        stub.add_response("put_events", taken(1), {"Entries": [entry(0, "RequestRejected")]})
        Bus(api, "bus").put_one("RequestRejected", {"n": 0})
        stub.add_response("put_events", taken(1, 0))
        with pytest.raises(Unavailable) as failure:
            Bus(api, "bus").put_one("RequestRejected", {"n": 0})
        assert failure.value.code == "event_refused"


def test_rules_on_the_bus_see_the_event(client: Client, api: Any) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    api.create_event_bus(Name="bus")
    pattern = json.dumps({"source": ["inference.broker"], "detail-type": ["JobSucceeded"]})
    api.put_rule(Name="rule", EventBusName="bus", EventPattern=pattern)
    api.put_targets(Rule="rule", EventBusName="bus", Targets=[{"Id": "1", "Arn": arn}])
    assert Bus(api, "bus").put([("JobSucceeded", {"n": 1}), ("JobFailed", {"n": 2})]) == []
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"])["detail"] == {"n": 1}
