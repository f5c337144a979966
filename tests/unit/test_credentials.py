"""Several keys behind one model: which is asked, what follows where one is rejected or exhausted, and who is told."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from broker.consequences import SUCCEEDED
from broker.errors import BrokerError, CircuitOpen, CredentialRejected, InvalidRequest, Throttled, Unavailable
from broker.jobs.reading import view
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.registry.document import parse_registry
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.credentials import Credential, KeyLimits, in_order
from broker.routing.model import Model
from broker.steps.advancing import Advance
from broker.storage import Item, Update

from tests.fakes.database import FakeDatabase
from tests.fakes.provider import FakeProvider, failing
from tests.fakes.stage import Stage
from tests.fakes.world import HOUR, JOB_ID, NOW, World, a_head, a_model

KEYS = ("a", "b", "c")
ENTRY: dict[str, Any] = {
    "id": "small", "provider": "openai", "name": "small", "tasks": ["chat"], "context_window": 9,
    "max_output_tokens": 9, "price_in_usd": 1, "price_out_usd": 1,
}  # fmt: skip


def pool(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "secret": f"providers/{name}", **more} for name in names]


def staged(*names: str, **more: Any) -> Stage:
    stage = Stage()
    stage.world.register(a_model("small", credentials=pool(*(names or KEYS), **more)))
    return stage


def advance(stage: Stage, candidates: tuple[str, ...] = ("small", "large")) -> dict[str, Any]:
    return Advance(stage.world.jobs, stage.invoke())(stage.next(), candidates, 0, NOW)


def used(stage: Stage) -> list[str]:
    """The secrets that calls were made with."""
    return [str(call.secret).removeprefix("secret of providers/") for call in stage.provider.calls]


def told(stage: Stage, name: str) -> list[str]:
    return [outcome for circuit, outcome, _ in stage.circuits.recorded if circuit == name]


# the registry


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"credentials": pool("a"), "secret": "providers/x"}, "models.0.credentials"),
        ({"credentials": [*pool("a"), *pool("a")]}, "models.0.credentials"),
        ({"credentials": [*pool("a"), {"name": "b", "secret": "providers/a"}]}, "models.0.credentials"),
        ({"credentials": pool("a", weight=0)}, "models.0.credentials"),
        ({"credentials": pool("a", weight=-1)}, "models.0.credentials.0.weight"),
        (
            {"credentials": pool("a", limits={"requests_per_minute": 0})},
            "models.0.credentials.0.limits.requests_per_minute",
        ),
        ({"credentials": pool("a", limits={"requests_per_day": 5})}, "models.0.credentials.0.limits.requests_per_day"),
        ({"credentials": pool("a", key="sk-1")}, "models.0.credentials.0.key"),
        ({"credentials": pool("a b")}, "models.0.credentials.0.name"),
        ({"credentials": [{"name": "a", "secret": "sk x"}]}, "models.0.credentials.0.secret"),
        ({"credentials": [{"name": "a"}]}, "models.0.credentials.0.secret"),
        ({"credentials": pool(*map(str, range(33)))}, "models.0.credentials"),
        ({"credentials": {"a": "b"}}, "models.0.credentials"),
    ],
)
def test_a_pool_at_fault_is_refused_by_its_place(more: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"models": [ENTRY | more]})
    assert failure.value.param == field


def test_a_pool_is_registered() -> None:
    given = pool("a", weight=3, limits={"requests_per_minute": 60, "tokens_per_minute": 9_000}) + pool("b")
    entry = parse_registry({"models": [ENTRY | {"credentials": given}]}).models[0]
    assert Model.from_item(entry.item()).credentials == (
        Credential("a", "providers/a", 3, 60, 9_000),
        Credential("b", "providers/b"),
    )
    alone = parse_registry({"models": [ENTRY | {"secret": "providers/x"}]}).models[0]
    assert "credentials" not in alone.item() and Model.from_item(alone.item()).credentials == ()


# which key


def test_keys_are_asked_by_their_weights_and_a_conversation_keeps_to_one() -> None:
    model = Model.from_item(a_model("m", credentials=[*pool("a", weight=300), *pool("b"), *pool("none", weight=0)]))
    first = Counter(in_order(model.credentials, f"acme/{number}")[0].name for number in range(2000))
    assert 0.7 < first["a"] / 2000 < 0.8 and first["none"] == 0
    gone = tuple(each for each in model.credentials if each.name != "b")
    for number in range(50):
        before, after = in_order(model.credentials, f"acme/{number}"), in_order(gone, f"acme/{number}")
        assert before == in_order(model.credentials, f"acme/{number}")
        assert before[0].name == "b" or before[0] == after[0], "nobody else moves when a key goes"


def keys_of(conversation: str | None, tenant: str, **more: Any) -> set[str]:
    """The keys that jobs of a conversation are asked with."""
    found = set()
    for number in range(8):
        stage = staged(*(f"k{each}" for each in range(8)))
        head = replace(stage.head, conversation=conversation, rev=stage.head.rev + 1)
        stage.world.jobs.change(JOB_ID, lambda current, head=head: head)
        stage.world.payloads.save(head, "BODY", {"task": "chat", "input": {"text": f"{number}"}, **more})
        stage.run = replace(stage.run, head=None, tenant=tenant)
        stage()
        found |= set(used(stage))
    return found


def test_what_has_something_in_common_keeps_to_its_key() -> None:
    talks = {name: keys_of(name, "acme") for name in ("c-1", "c-2", "c-3", "c-4", "c-5")}
    assert all(len(each) == 1 for each in talks.values())
    assert len(set.union(*talks.values())) > 1
    others = [keys_of(name, "other") for name in talks]
    assert others != list(talks.values()), "of another tenant it is another conversation"
    assert len(keys_of(None, "acme", prompt_cache={"key": "manual"})) == 1


# a key that fails


@pytest.mark.parametrize("kind", [CredentialRejected, Throttled])
def test_where_a_key_fails_the_next_is_asked_at_once(kind: type[BrokerError]) -> None:
    stage = staged("a", "b")
    stage.provider.script.append(failing(kind, retry_after=1))
    first = advance(stage)
    assert (first["next"], first["failure"]["error"]) == ("repeat", kind.__name__)
    assert advance(stage)["next"] == "moderate"
    bad, good = used(stage)
    assert {bad, good} == {"a", "b"}
    assert told(stage, f"small/{bad}") == [kind.__name__]
    assert told(stage, f"small/{good}") == [SUCCEEDED]
    assert told(stage, "small") == ["InvalidRequest", SUCCEEDED], "which says nothing against the model"
    attempts = view(stage.head, {}, None, "https://example.com")["attempts"]
    assert [(each["credential"], each["paid"]) for each in attempts] == [(bad, "no"), (good, "unknown")]
    assert "providers/" not in str(attempts) and "secret of" not in str(attempts)


def test_what_is_no_failure_of_a_key_is_the_models() -> None:
    stage = staged("a", "b")
    stage.provider.script.append(failing(Unavailable))
    assert advance(stage)["next"] == "wait"
    (asked,) = used(stage)
    assert told(stage, "small") == ["Unavailable"] and told(stage, f"small/{asked}") == ["InvalidRequest"]


def test_a_pool_whose_keys_are_all_bad_is_the_models_failure_in_the_end() -> None:
    stage = staged()
    stage.provider.script.extend(failing(CredentialRejected, code="bad_key") for _ in range(5))
    assert [advance(stage)["next"] for _ in KEYS] == ["repeat", "repeat", "candidate"]
    assert sorted(used(stage)) == list(KEYS)
    assert told(stage, "small") == ["InvalidRequest", "InvalidRequest", "CredentialRejected"]
    again = advance(stage)  # the step is repeated after a lost reply
    assert (again["next"], again["failure"]["facts"]["code"]) == ("candidate", "bad_key")
    assert len(used(stage)) == len(KEYS), "nobody was asked again"
    assert advance(stage, ("small",))["next"] == "end"


def test_of_a_large_pool_so_many_are_asked_in_vain() -> None:
    stage = staged(*(f"k{number}" for number in range(9)))
    stage.provider.script.extend(failing(CredentialRejected) for _ in range(9))
    ends = [advance(stage)["next"] for _ in range(4)]
    assert ends == ["repeat", "repeat", "repeat", "candidate"] and len(set(used(stage))) == 4


def test_where_all_ask_for_a_pause_one_is_asked_once_more_after_it() -> None:
    stage = staged("a", "b")
    stage.provider.script.extend(failing(Throttled, retry_after=2) for _ in range(5))
    ends = [advance(stage)["next"] for _ in range(4)]
    assert ends == ["repeat", "wait", "candidate", "candidate"]
    assert len(used(stage)) == 3


def test_a_pool_with_one_key_left_still_pauses_for_it() -> None:
    stage = staged("a", "b")
    stage.provider.script.extend([failing(CredentialRejected), failing(Throttled, retry_after=2)])
    assert [advance(stage)["next"] for _ in range(3)] == ["repeat", "wait", "moderate"]
    first, second, third = used(stage)
    assert second == third != first


def test_a_key_whose_secret_is_missing_is_passed_over() -> None:
    """It costs no call: what is wrong with the key is found before."""
    stage = staged("a", "b")
    order = [each.name for each in in_order(stage.world.models().get("small", NOW).credentials, JOB_ID)]

    def read(name: str) -> str:
        if name == f"providers/{order[0]}":
            raise CredentialRejected("There is no secret.", code="no_secret")
        return name

    stage.secret = read
    assert advance(stage)["next"] == "moderate"
    assert [call.secret for call in stage.provider.calls] == [f"providers/{order[1]}"]
    assert told(stage, f"small/{order[0]}") == ["CredentialRejected"]


def test_work_that_goes_on_is_asked_after_with_the_same_key() -> None:
    stage = staged(*(f"k{number}" for number in range(6)))
    stage.world.register(a_model("small", asynchronous=True, credentials=pool(*(f"k{each}" for each in range(6)))))
    stage.provider.script.append(OperationStarted({"job": "1"}))
    assert advance(stage)["next"] == "wait"
    assert advance(stage)["next"] == "moderate"
    assert [call.secret for call in stage.provider.checked] == [stage.provider.calls[0].secret]


# circuits of keys, with two tenants


class OfKeys(FakeProvider):
    """A provider that some keys do not get an answer of."""

    def __init__(self, fails: dict[str, type[BrokerError]]) -> None:
        super().__init__()
        self.fails = fails

    def invoke(self, call: Call) -> Answer | OperationStarted:
        if kind := self.fails.get(str(call.secret).rpartition("/")[2]):
            self.calls.append(call)
            raise failing(kind)
        return super().invoke(call)


class Fleet:
    """Processes that share a ledger, and jobs of several tenants."""

    def __init__(self, *names: str) -> None:
        self.database = FakeDatabase()
        self.names = names
        self.now = NOW
        self.provider_fails: dict[str, type[BrokerError]] = {}

    def job(self, tenant: str) -> tuple[list[str], str]:
        """The keys that a job of a tenant was asked with, and what came next of the last call."""
        stage = staged(*self.names)
        stage.circuits = Breakers(self.database, Board(self.database), chance=lambda: 0.0)  # type: ignore[assignment]
        stage.run = replace(stage.run, head=None, tenant=tenant)
        stage.provider = OfKeys(fails=self.provider_fails)
        for _ in range(9):
            end = advance(stage, ("small",))
            if end["next"] != "repeat":
                break
        return used(stage), end["next"] if "failure" not in end else end["failure"]["error"]


def test_a_rejected_key_is_left_alone_by_who_met_it_and_then_by_all() -> None:
    first, second = (each.name for each in in_order(tuple(map(Credential.of, pool("a", "b"))), JOB_ID))
    fleet = Fleet("a", "b")
    fleet.provider_fails[first] = CredentialRejected
    assert fleet.job("acme") == ([first, second], "moderate")
    assert fleet.job("acme") == ([second], "moderate"), "acme has met it"
    assert fleet.job("other") == ([first, second], "moderate"), "other is served, whatever acme met"
    assert fleet.job("third") == ([second], "moderate"), "two have met it: it is the key"


def test_what_one_tenant_does_to_a_key_is_no_outage_of_anothers() -> None:
    fleet = Fleet("a", "b")
    fleet.provider_fails |= {"a": CredentialRejected, "b": CredentialRejected}
    assert fleet.job("hostile")[1] == "CredentialRejected"
    assert fleet.job("hostile") == ([], "CircuitOpen")
    fleet.provider_fails.clear()
    assert fleet.job("hostile") == ([], "CircuitOpen"), "until its cooling is over"
    assert fleet.job("acme")[1] == "moderate"


# limits of keys


class Refusing(FakeDatabase):
    """A ledger that nothing can be counted in."""

    def update(self, change: Update) -> Item:
        raise OSError("throttled")


def test_a_keys_limits_are_counted_by_the_minute_for_all_processes() -> None:
    database, credential = FakeDatabase(), Credential("a", "providers/a", 100, 2, 1_000)
    minute = NOW - NOW % 60_000
    assert [KeyLimits(database).take("m", credential, 10, minute + 15_000) for _ in range(3)] == [None, None, 45.0]
    assert KeyLimits(database).take("m", credential, 10, minute + 60_000) is None
    assert KeyLimits(database).take("m", credential, 2_000, minute + 60_000) == 60.0
    assert KeyLimits(database).take("m", credential, 2_000, minute + 120_000) is None, "it never fits better"
    assert KeyLimits(database).take("other", credential, 10, minute + 15_000) is None
    unbound = Credential("b", "providers/b")
    assert KeyLimits(Refusing()).take("m", unbound, 10, minute) is None, "what has no limits is not counted"


def test_a_key_that_has_had_what_it_may_is_passed_over_without_a_call() -> None:
    stage = Stage()
    stage.world.register(a_model("small", credentials=pool("a", "b", requests_per_minute=1)))
    asked = []
    for number in range(3):
        run = replace(stage.run, id=f"job_{number:032x}", head=None)
        stage.world.start_first(stage.world.put(a_head(id=run.id, timeout_s=60, deadline_at=NOW + HOUR)))
        stage.run = replace(run, fence=stage.run.fence)
        asked.append(advance(stage, ("small",)))
    assert [each["next"] for each in asked] == ["moderate", "moderate", "end"]
    assert sorted(used(stage)) == ["a", "b"]
    assert asked[-1]["failure"]["error"] == CircuitOpen.__name__ and 0 < asked[-1]["failure"]["retry_after"] <= 60


def test_where_counts_cannot_be_reached_the_key_is_asked() -> None:
    stage = Stage(world=World(database=Refusing()))
    stage.world.register(a_model("small", credentials=pool("a", requests_per_minute=1)))
    assert advance(stage)["next"] == "moderate"
    assert ("a key's calls could not be counted", JOB_ID) in stage.noticed


def test_a_model_with_one_secret_pays_for_nothing_of_this() -> None:
    stage = Stage()
    assert advance(stage)["next"] == "moderate"
    assert {name for name, _, _ in stage.circuits.recorded} == {"small"}
    assert [name for name, _ in stage.circuits.admitted] == ["small"]
    assert view(stage.head, {}, None, "https://example.com")["attempts"][0]["credential"] is None
