"""Attribute values: what goes into the tables comes back as it was."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from broker.cloud.attributes import decode, decode_item, encode, encode_item
from broker.jobs.head import Status
from hypothesis import given, settings
from hypothesis import strategies as st

LEAVES = st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(max_size=20) | st.binary(max_size=20)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
ITEMS = st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=5)


def plain(value: Any) -> Any:
    """What boto3's own codec reads, in the types of this project."""
    match value:
        case Decimal():
            return int(value)
        case list():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
    return value if value is None or isinstance(value, str | bool) else bytes(value)


@settings(max_examples=150)
@given(ITEMS)
def test_round_trip(item: dict[str, Any]) -> None:
    back = decode_item(encode_item(item))
    assert back == item
    assert repr(back) == repr(item)  # True is not 1


@settings(max_examples=100)
@given(VALUES)
def test_others_read_the_same(value: Any) -> None:
    assert plain(TypeDeserializer().deserialize(encode(value))) == value  # type: ignore[arg-type]


def test_tuples_become_lists_and_names_become_texts() -> None:
    assert decode(encode(("a", Status.QUEUED))) == ["a", "queued"]
    assert type(decode(encode(Status.QUEUED))) is str


@pytest.mark.parametrize("value", [1.5, Decimal(1), {1, 2}, object(), datetime(2026, 1, 1), [1, [2.5]], {"a": 0.1}])
def test_refuses_what_the_tables_do_not_hold(value: Any) -> None:
    with pytest.raises(TypeError, match="the tables hold no"):
        encode(value)
