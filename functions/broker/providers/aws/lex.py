"""Amazon Lex V2: one turn with a bot.

Source: Amazon Lex V2 API Reference, `RecognizeText`. The model's name is `bot id/alias id/locale`, such as
`ABCDEFGHIJ/TSTALIASID/en_US`.
"""

import hashlib
from typing import Any

from broker.errors import ContextExceeded, Unavailable
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import AwsService, Exchange, bad, named, only_text, rows, text
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import unsupported_task

LONGEST = 1024
"""Characters of one turn."""

ERRORS: dict[str, Row] = {
    "ConflictException": (Unavailable, "is at another turn of the session"),
    "DependencyFailedException": (Unavailable, "says that the bot's function failed"),
    "BadGatewayException": (Unavailable, "says that the bot's function failed"),
}


class Lex:
    """See `base.Provider`."""

    tasks = frozenset({"converse"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("lexv2-runtime", "Lex", ERRORS, make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        if call.task not in self.tasks:
            raise unsupported_task()
        bot = call.model.split("/")
        if len(bot) != 3 or not all(bot):
            raise Unavailable("The model's name is not bot/alias/locale.", code="bad_model_name")
        said = only_text(call)
        if len(said) > LONGEST:
            raise ContextExceeded(f"A turn has at most {LONGEST} characters.", code="text_too_long")
        session = call.input.get("session") or named(call.token)
        # The bot is shared by tenants, and so are its sessions' names.
        kept = hashlib.sha256(f"{call.scope}\n{session}".encode()).hexdigest()
        where = dict(zip(("botId", "botAliasId", "localeId"), bot, strict=True))
        exchange = Exchange(self._service, call)
        reply = exchange.ask("recognize_text", sessionId=kept, text=said, **where)
        return exchange.answer({**_turn(reply), "session": session}, units={"requests": 1})


def _turn(reply: Json) -> Json:
    state = reply.get("sessionState")
    intent = state.get("intent") if isinstance(state, dict) else None
    messages = [_message(each) for each in rows(reply.get("messages") or [], "messages")]
    if not isinstance(intent, dict):
        if not messages:
            bad("The bot's answer is empty.", code="empty_answer")
        intent = {}
    slots = intent.get("slots") or {}
    if not isinstance(slots, dict):
        bad("The service's reply has slots that are no map.")
    return {
        "text": "\n".join(each["content"] for each in messages if each["type"] == "PlainText"),
        "messages": messages,
        "intent": intent.get("name"),
        "slots": {name: _slot(value) for name, value in slots.items()},
        "state": intent.get("state"),
    }


def _message(given: Json) -> Json:
    """`{"type", "content"}`, and `card` where there is one; types are the service's."""
    message: Json = {"type": text(given.get("contentType"), "message"), "content": given.get("content") or ""}
    text(message["content"], "message")
    card = given.get("imageResponseCard")
    return {**message, "card": card} if isinstance(card, dict) else message


def _slot(given: Any) -> Any:
    """What a slot holds: a text, a list, a map of its own slots, or None where it is not filled."""
    if not isinstance(given, dict):
        return None
    if given.get("shape") == "List":
        return [_slot(each) for each in rows(given.get("values") or [], "values")]
    if given.get("shape") == "Composite":
        return {name: _slot(each) for name, each in (given.get("subSlots") or {}).items()}
    value = given.get("value")
    return value.get("interpretedValue") if isinstance(value, dict) else None
