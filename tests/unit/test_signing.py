"""Signatures, held against the library that receivers use."""

import base64
import datetime
import time

import pytest
from broker.delivery.signing import SignatureInvalid, new_secret, sign, verify
from broker.errors import CredentialRejected
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.fakes.world import NOW

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"a": "ü"}'.encode()
STAMP = NOW // 1000


def headers(secrets: list[str], stamp: int = STAMP, body: bytes = BODY, message_id: str = "evt_1") -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secrets, message_id, stamp, body),
    }


def refused(secrets: list[str], given: dict[str, str], body: bytes = BODY, now: int = STAMP) -> str:
    with pytest.raises(SignatureInvalid) as failure:
        verify(secrets, given, body, now)
    return str(failure.value)


def test_the_published_example() -> None:
    signature = sign([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(st.characters(codec="utf-8"), max_size=50), st.uuids())
def test_receivers_take_what_we_sign(text: str, message_id: object) -> None:
    secret, body = new_secret(), text.encode()
    Webhook(secret).verify(body, headers([secret], int(time.time()), body, str(message_id)), json_parse=False)


def test_we_take_what_others_sign() -> None:
    secret = new_secret()
    when = datetime.datetime.fromtimestamp(STAMP, datetime.UTC)
    given = headers([secret]) | {"webhook-signature": Webhook(secret).sign("evt_1", when, BODY.decode())}
    verify([secret], given, BODY, STAMP)


def test_in_a_rotation_either_secret_is_enough() -> None:
    new, old = new_secret(), new_secret()
    given = headers([new, old], int(time.time()))
    assert given["webhook-signature"].count("v1,") == 2
    for receiver in (new, old):
        Webhook(receiver).verify(BODY, given)
        verify([receiver], given, BODY, int(time.time()))
    verify([new, old], headers([old]), BODY, STAMP)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, given)


@pytest.mark.parametrize("missing", ["id", "timestamp", "signature"])
def test_a_header_is_missing(missing: str) -> None:
    given = {name: value for name, value in headers([SECRET]).items() if name != f"webhook-{missing}"}
    assert refused([SECRET], given) == "a webhook header is missing or malformed"


@pytest.mark.parametrize("stamp", ["", "now", "1.5", "9" * 5000, "0x1"])
def test_a_timestamp_is_a_number(stamp: str) -> None:
    given = headers([SECRET]) | {"webhook-timestamp": stamp}
    assert refused([SECRET], given) == "a webhook header is missing or malformed"


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_message_may_be_five_minutes_off(age: int) -> None:
    verify([SECRET], headers([SECRET]), BODY, STAMP + age)


@pytest.mark.parametrize("age", [-301, 301, 10**9])
def test_a_replayed_message_is_too_old(age: int) -> None:
    assert refused([SECRET], headers([SECRET]), now=STAMP + age) == "the timestamp is too far from now"


def test_a_tolerance_may_be_asked_for() -> None:
    with pytest.raises(SignatureInvalid):
        verify([SECRET], headers([SECRET]), BODY, STAMP + 11, tolerance_s=10)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": str(STAMP + 1)},
        {"webhook-timestamp": f" {STAMP}"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,ä"},
        {"webhook-signature": sign([SECRET], "evt_1", STAMP, BODY).removeprefix("v1,")},
        {"webhook-signature": sign([SECRET], "evt_1", STAMP, BODY).replace("v1,", "v2,")},
        {"webhook-signature": sign([SECRET], "evt_1", STAMP, BODY).replace("=", "")},
        {"webhook-signature": sign([new_secret()], "evt_1", STAMP, BODY)},
    ],
)
def test_what_was_changed_does_not_match(change: dict[str, str]) -> None:
    assert refused([SECRET], headers([SECRET]) | change) == "no signature matches"


def test_a_changed_body_does_not_match() -> None:
    assert refused([SECRET], headers([SECRET]), BODY + b" ") == "no signature matches"
    assert refused([], headers([SECRET])) == "no signature matches"


def test_signatures_of_other_versions_beside_ours_do_no_harm() -> None:
    given = headers([SECRET])
    verify([SECRET], given | {"webhook-signature": f"v1a,abc {given['webhook-signature']} v3,x"}, BODY, STAMP)


def test_a_new_secret_has_256_bits() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("secret", ["whsec_YWJjZA", "YWJjZA==", "whsec_YWJjZA=="])
def test_forms_of_one_secret(secret: str) -> None:
    assert sign([secret], "evt_1", STAMP, BODY) == sign(["whsec_YWJjZA=="], "evt_1", STAMP, BODY)
    Webhook(secret).verify(BODY, headers([secret], int(time.time())))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_====", "whsec_!!!!", "whsec_YWJj_A--", "whsec_Y", "ä"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(CredentialRejected) as failure:
        sign([SECRET, secret], "evt_1", STAMP, BODY)
    assert failure.value.code == "bad_webhook_secret"
    assert secret in ("", "whsec_") or secret not in failure.value.message


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(CredentialRejected) as failure:
        sign([], "evt_1", STAMP, BODY)
    assert failure.value.code == "no_webhook_secret"
