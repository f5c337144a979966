"""Numbers among the options that a model is registered with; the registry keeps fractions as texts."""

from broker.errors import ModelGone
from broker.providers.wire.base import Call


def number(call: Call, name: str, usual: float, least: float, most: float) -> float:
    """The option of that name, or what is usual without one.

    Raises:
        ModelGone: it is no number, or outside the bounds: an operator has to register the model anew (`bad_option`).
    """
    try:
        found = float(call.options.get(name, usual))
    except (TypeError, ValueError):
        found = float("nan")
    if not least <= found <= most:
        message = f"The model is registered with a {name} that is no number from {least:g} to {most:g}."
        raise ModelGone(message, code="bad_option")
    return found
