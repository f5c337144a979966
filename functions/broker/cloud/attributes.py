"""DynamoDB's attribute values and back, for the types that `broker.storage` allows.

boto3's own codec turns every number into a Decimal, which JSON does not take and this broker has no use for: its
numbers are whole.
"""

from base64 import b64decode
from typing import Any


def encode(value: Any) -> dict[str, Any]:
    """A Python value as an attribute value.

    Raises:
        TypeError: a float, or another type that the tables do not hold.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case list() | tuple():
            return {"L": [encode(each) for each in value]}
        case dict():
            return {"M": {name: encode(each) for name, each in value.items()}}
    raise TypeError(f"the tables hold no {type(value).__name__}")


def decode(value: dict[str, Any]) -> Any:
    """An attribute value as a Python value; bytes may still be base64 text, as they are on the wire."""
    ((kind, inner),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(inner)
        case "B":
            return b64decode(inner) if isinstance(inner, str) else bytes(inner)
        case "L":
            return [decode(each) for each in inner]
        case "M":
            return {name: decode(each) for name, each in inner.items()}
    return inner


def encode_item(item: dict[str, Any]) -> dict[str, Any]:
    """All attributes of an item."""
    return {name: encode(value) for name, value in item.items()}


def decode_item(item: dict[str, Any]) -> dict[str, Any]:
    """All attributes of an item."""
    return {name: decode(value) for name, value in item.items()}
