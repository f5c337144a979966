"""Keeping endpoints: whose they are, how many, how their secrets come and go."""

from collections.abc import Callable

import pytest
from broker.delivery.addresses import AddressRefused
from broker.endpoints.keeping import MOST, REPEATED_MS, TESTED_MS
from broker.endpoints.record import BY_OWNER, MOST_SECRETS, OVERLAP_MS, Endpoint, NewEndpoint
from broker.errors import BrokerError, InvalidRequest, KeyReused, NotFound, Throttled

from tests.fakes.endpoints import FakeSeal
from tests.fakes.world import HOUR, NOW
from tests.unit.endpoints.endpoints_case import URL, Shop

NEW = NewEndpoint("native", URL, ("job.failed",), "The shop's")


@pytest.fixture
def shop() -> Shop:
    return Shop()


def signing(shop: Shop, endpoint: Endpoint, now: int) -> list[str]:
    found = shop.endpoints.get(endpoint.tenant, endpoint.id)
    return [shop.seal.open(found.tenant, found.id, each.sealed) for each in found.signing(now)]


def test_a_secret_is_told_once_and_kept_sealed(shop: Shop) -> None:
    endpoint = shop.register()
    secret = shop.secrets[endpoint.id]
    assert secret.startswith("whsec_") and endpoint.hint == f"whsec_…{secret[-4:]}"
    assert secret not in repr(shop.world.database.items())
    assert signing(shop, endpoint, NOW) == [secret]


def test_endpoints_are_their_tenants_alone(shop: Shop) -> None:
    mine, theirs = shop.register(), shop.register("other")
    use = shop.endpoints
    calls: list[Callable[[], object]] = [
        lambda: use.get("other", mine.id),
        lambda: use.change("other", mine.id, NOW, url=URL),
        lambda: use.switch("other", mine.id, NOW, on=False),
        lambda: use.rotate("other", mine.id, NOW, keeps_old=False),
        lambda: use.delete("other", mine.id),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert [each.id for each in use.all("other")] == [theirs.id]
    assert use.get("acme", mine.id) == mine


@pytest.mark.parametrize("endpoint_id", ["", "we_", "we_#", "we_a/b", f"we_{'a' * 64}", "job_1", "ENDPOINT#we_1"])
def test_what_is_no_id_is_not_found(shop: Shop, endpoint_id: str) -> None:
    for call in (shop.endpoints.get, shop.endpoints.delete):
        with pytest.raises(NotFound):
            call("acme", endpoint_id)


def test_nothing_is_sealed_for_what_there_is_not() -> None:
    sealed: list[str] = []

    class Seal(FakeSeal):
        def seal(self, tenant: str, endpoint_id: str, text: str) -> bytes:
            sealed.append(endpoint_id)
            return FakeSeal.seal(self, tenant, endpoint_id, text)

    shop = Shop(seal=Seal())
    mine = shop.register()
    for tenant, endpoint_id in (("other", mine.id), ("acme", "we_none"), ("acme", "\ud800")):
        with pytest.raises(NotFound):
            shop.endpoints.rotate(tenant, endpoint_id, NOW, keeps_old=True)
    with pytest.raises(AddressRefused):
        shop.register(url="https://10.0.0.1/")
    assert sealed == [mine.id]


def test_a_tenant_has_so_many_and_no_more(shop: Shop) -> None:
    made = [shop.register() for _ in range(MOST)]
    shop.register("other")
    with pytest.raises(InvalidRequest) as failure:
        shop.register(form="openai")
    assert failure.value.code == "too_many_endpoints"
    shop.endpoints.delete("acme", made[0].id)
    shop.register()
    with pytest.raises(NotFound):
        shop.endpoints.delete("acme", made[0].id)
    with pytest.raises(InvalidRequest):
        shop.register()
    assert len(shop.endpoints.all("acme")) == MOST


def test_the_first_of_two_that_come_at_once_does_not_lose_the_other(shop: Shop) -> None:
    shop.world.database.meanwhile = [lambda: shop.register()]
    shop.register()
    assert len(shop.endpoints.all("acme")) == 2
    shop.endpoints.delete("acme", shop.endpoints.all("acme")[0].id)
    for _ in range(MOST - 1):
        shop.register()
    with pytest.raises(InvalidRequest):
        shop.register()


def test_an_address_inside_is_refused_by_the_fields_own_name(shop: Shop) -> None:
    mine = shop.register()
    for call in (
        lambda: shop.register(url="https://127.0.0.1/"),
        lambda: shop.endpoints.change("acme", mine.id, NOW, url="http://example.com/"),
    ):
        with pytest.raises(AddressRefused) as failure:
            call()
        assert failure.value.param == "url" and failure.value.message.startswith("url ")
    assert shop.endpoints.get("acme", mine.id).url == URL


def test_a_change_that_changes_nothing_leaves_its_time(shop: Shop) -> None:
    mine = shop.register()
    assert shop.endpoints.change("acme", mine.id, NOW + HOUR, url=URL) == mine
    after = shop.endpoints.change("acme", mine.id, NOW + HOUR, name="Another", events=("job.failed",))
    assert (after.updated_at, after.name, after.events) == (NOW + HOUR, "Another", ("job.failed",))


def test_a_rotated_secret_signs_for_a_day(shop: Shop) -> None:
    mine = shop.register()
    _, new = shop.endpoints.rotate("acme", mine.id, NOW + HOUR, keeps_old=True)
    old = shop.secrets[mine.id]
    assert signing(shop, mine, NOW + HOUR) == [new, old]
    assert signing(shop, mine, NOW + HOUR + OVERLAP_MS - 1) == [new, old]
    assert signing(shop, mine, NOW + HOUR + OVERLAP_MS) == [new]


def test_a_second_rotation_gives_the_first_secret_no_more_time(shop: Shop) -> None:
    mine = shop.register()
    _, second = shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=True)
    _, third = shop.endpoints.rotate("acme", mine.id, NOW + HOUR, keeps_old=True)
    assert signing(shop, mine, NOW + OVERLAP_MS - 1) == [third, second, shop.secrets[mine.id]]
    assert signing(shop, mine, NOW + OVERLAP_MS) == [third, second]
    for _ in range(5):
        shop.endpoints.rotate("acme", mine.id, NOW + HOUR, keeps_old=True)
    assert len(signing(shop, mine, NOW + HOUR)) == MOST_SECRETS


def test_a_secret_that_was_given_away_ends_at_once(shop: Shop) -> None:
    mine = shop.register()
    shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=True)
    after, last = shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=False)
    assert signing(shop, mine, NOW) == [last] and after.hint.endswith(last[-4:])


def test_a_rotation_that_meets_a_change_loses_neither(shop: Shop) -> None:
    mine = shop.register()
    shop.world.database.meanwhile = [lambda: shop.endpoints.change("acme", mine.id, NOW, name="Another")]
    after, _ = shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=True)
    assert (after.name, len(after.secrets)) == ("Another", 2)


def test_what_is_deleted_meanwhile_does_not_come_back(shop: Shop) -> None:
    mine = shop.register()
    shop.world.database.meanwhile = [lambda: shop.endpoints.delete("acme", mine.id)]
    with pytest.raises(NotFound):
        shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=True)
    assert shop.endpoints.all("acme") == []


def test_each_try_of_one_call_registers_one_endpoint(shop: Shop) -> None:
    first, lost = shop.endpoints.register("acme", NEW, "we_1", NOW)
    again, told = shop.endpoints.register("acme", NEW, "we_1", NOW + 1)
    assert (first.id, len(shop.endpoints.all("acme"))) == (again.id, 1)
    assert signing(shop, again, NOW + 1) == [told, lost], "whichever reply its client got"


def test_a_key_registers_one_endpoint_and_no_other(shop: Shop) -> None:
    shop.endpoints.register("acme", NEW, "we_1", NOW, "k")
    again, _ = shop.endpoints.register("acme", NEW, "we_1", NOW + REPEATED_MS, "k")
    assert len(again.secrets) == 2
    other = NewEndpoint("native", URL, ("job.succeeded",), "The shop's")
    for new, now in ((other, NOW), (NEW, NOW + REPEATED_MS + 1)):
        with pytest.raises(KeyReused):
            shop.endpoints.register("acme", new, "we_1", now, "k")
    assert shop.endpoints.get("acme", "we_1").secrets == again.secrets, "a late repeat changes nothing"


def test_switching(shop: Shop) -> None:
    mine = shop.register()
    off = shop.endpoints.switch("acme", mine.id, NOW + 1, on=False)
    assert (off.off, off.off_at, off.takes_more) == (BY_OWNER, NOW + 1, False)
    assert shop.endpoints.switch("acme", mine.id, NOW + 2, on=False) == off
    on = shop.endpoints.switch("acme", mine.id, NOW + 3, on=True)
    assert (on.off, on.takes_more) == (None, True)


def test_one_endpoint_of_a_tenant_is_tested_at_a_time(shop: Shop) -> None:
    shop.register(), shop.register("other")
    with shop.endpoints.tested("acme", NOW):
        with pytest.raises(Throttled) as failure, shop.endpoints.tested("acme", NOW + 1):
            raise AssertionError
        assert failure.value.retry_after
        with shop.endpoints.tested("other", NOW):
            pass
        with shop.endpoints.tested("acme", NOW + TESTED_MS + 1):  # the first one crashed
            pass
    with pytest.raises(BrokerError), shop.endpoints.tested("acme", NOW + 2 * TESTED_MS):
        raise BrokerError("The test failed.")
    with shop.endpoints.tested("acme", NOW + 2 * TESTED_MS):
        pass
