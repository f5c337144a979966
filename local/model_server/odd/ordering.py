"""Which odd reply was ordered."""

from local.model_server.exchange import OddReply, Orders, Problem, Wire
from local.model_server.formats import anthropic, cohere, gemini, mistral, openai
from local.model_server.misbehaviour import ODD
from local.model_server.odd import anthropic as of_anthropic
from local.model_server.odd import cohere as of_cohere
from local.model_server.odd import gemini as of_gemini
from local.model_server.odd import mistral as of_mistral
from local.model_server.odd import openai as of_openai

REPLIES: tuple[tuple[Wire, dict[str, OddReply]], ...] = (
    (openai, of_openai.REPLIES),
    (anthropic, of_anthropic.REPLIES),
    (gemini, of_gemini.REPLIES),
    (cohere, of_cohere.REPLIES),
    (mistral, of_mistral.REPLIES),
)
"""By format and order."""


def ordered(form: Wire, orders: Orders) -> OddReply | None:
    """The first odd reply that was ordered, if any; raises Problem where the format knows none of that name."""
    replies = next((replies for wire, replies in REPLIES if wire is form), {})
    for order in orders:
        if order in ODD:
            if order not in replies:
                raise Problem("invalid", f"Misbehaviour '{order}' has no meaning here.", "model")
            return replies[order]
    return None
