"""Registered endpoints as the tables keep them: DynamoDB's, and the fake."""

import pytest
from broker.endpoints.keeping import MOST, Endpoints
from broker.endpoints.record import NewEndpoint, new_endpoint_id
from broker.errors import InvalidRequest, NotFound, Throttled
from broker.storage import Database

from tests.fakes.endpoints import endpoints_of
from tests.fakes.world import NOW

NEW = NewEndpoint("native", "https://example.com/hook", ("job.failed",), "The shop's")


@pytest.fixture
def endpoints(database: Database) -> Endpoints:
    return endpoints_of(database)


def test_an_endpoint_is_kept_changed_and_deleted(endpoints: Endpoints) -> None:
    made, _ = endpoints.register("acme", NEW, new_endpoint_id(NOW), NOW)
    assert endpoints.get("acme", made.id) == made
    rotated, _ = endpoints.rotate("acme", made.id, NOW, keeps_old=True)
    off = endpoints.switch("acme", made.id, NOW, on=False)
    assert endpoints.get("acme", made.id) == off
    assert off.secrets == rotated.secrets
    assert endpoints.switch("acme", made.id, NOW, on=True).off is None
    assert endpoints.disable(endpoints.get("acme", made.id), "failing", NOW)
    assert not endpoints.disable(endpoints.get("acme", made.id), "failing", NOW)
    endpoints.delete("acme", made.id)
    with pytest.raises(NotFound):
        endpoints.delete("acme", made.id)
    assert (endpoints.all("acme"), endpoints.counts("acme", made.id)) == ([], {})


def test_the_bound_holds(endpoints: Endpoints) -> None:
    for number in range(MOST):
        endpoints.register("acme", NEW, new_endpoint_id(NOW + number), NOW)
    with pytest.raises(InvalidRequest):
        endpoints.register("acme", NEW, new_endpoint_id(NOW), NOW)
    assert len(endpoints.all("acme")) == MOST


def test_one_is_tested_at_a_time(endpoints: Endpoints) -> None:
    endpoints.register("acme", NEW, new_endpoint_id(NOW), NOW)
    with endpoints.tested("acme", NOW), pytest.raises(Throttled), endpoints.tested("acme", NOW):
        raise AssertionError
    with endpoints.tested("acme", NOW):
        pass
