"""Google's Cloud Translation, Basic edition: the one that takes a key.

Source: Cloud Translation API Reference, v2, "Translate"; "Troubleshooting" for what a 403 can mean.

Options of a model: `model` (`nmt`), where Google has more than one for the pair of languages.
"""

from typing import Any, NoReturn

from broker.errors import BadOutput, BrokerError, ContextExceeded, CredentialRejected, InvalidRequest
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import field, unsupported_task
from broker.providers.wire.http_client import post_json

ENDPOINT = "https://translation.googleapis.com"

TOO_LONG = "too long"
"""A text above the limit is an invalid request like any other, so the message is read; it goes nowhere."""


class GoogleTranslate:
    """`Call.endpoint` is a base URL without a path; `Call.secret` is an API key."""

    tasks = frozenset({"translate"})

    def invoke(self, call: Call) -> Answer:
        """Translate `input.text` into `input.target_language`, from `input.source_language` or what it seems to be.

        Returns:
            `{"text", "source_language", "target_language"}`; units are `characters` (code points of the text, which
            is what Google counts).

        Raises:
            BrokerError: by `Provider`.
        """
        if call.task not in self.tasks:
            raise unsupported_task()
        text, target = call.input.get("text"), call.input.get("target_language")
        if not isinstance(text, str) or not text:
            raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
        if not target:
            raise InvalidRequest("The request names no language.", code="no_input", param="input.target_language")
        asked: dict[str, Any] = {"q": [text], "target": target, "format": "text"}
        if source := call.input.get("source_language"):
            asked["source"] = source
        if call.options.get("model"):
            asked["model"] = call.options["model"]
        reply = post_json(
            f"{(call.endpoint or ENDPOINT).rstrip('/')}/language/translate/v2",
            asked,
            headers=_headers(call),
            timeout=call.timeout,
            read_error=_read_error,
        )
        found = _translation(reply.body)
        source = source or found.get("detectedSourceLanguage")
        if not isinstance(source, str):
            _bad("The provider's reply tells no language.")
        output = {"text": found["translatedText"], "source_language": source, "target_language": target}
        return Answer(output, units={"characters": len(text)})


def _headers(call: Call) -> dict[str, str]:
    secret = (call.secret or "").strip()
    if not (secret.isascii() and secret.isprintable()):
        # http.client would say so too, and quote the key.
        raise CredentialRejected("The provider's key has characters that no header can carry.", code="bad_key")
    # Not in the address, where it would be in the logs of every proxy.
    return {"x-goog-api-key": secret} if secret else {}


def _translation(body: Any) -> dict[str, Any]:
    data = body.get("data") if isinstance(body, dict) else None
    rows = data.get("translations") if isinstance(data, dict) else None
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        _bad("The provider's reply has no translation.")
    text = rows[0].get("translatedText")
    if not isinstance(text, str):
        _bad("The provider's translation is no text.")
    if not text:
        _bad("The provider's translation is empty.", code="empty_answer")
    return rows[0]


def _read_error(status: int, body: Any) -> BrokerError | None:
    if status == 413 or (status == 400 and TOO_LONG in str(field(body, "error", "message")).lower()):
        return ContextExceeded("The text is longer than the provider takes at once.")
    return None


def _bad(message: str, code: str = "malformed_reply") -> NoReturn:
    raise BadOutput(message, code=code, maybe_paid=True)
