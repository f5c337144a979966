"""Amazon Translate.

Source: Amazon Translate Developer Guide, `TranslateText` and "Supported languages". Longer texts than it takes are
split at sentences; the space around a part is ours to keep, for the service trims it.
"""

from typing import Any

from broker.errors import BadOutput, Rejected
from broker.providers.aws.client import MakeClient, Row, make_client
from broker.providers.aws.service import AwsService, Exchange, bad, only_text, primary, text
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import unsupported_task

MOST_BYTES = 10_000
VARIANTS = {each.lower(): each for each in ("es-MX", "fa-AF", "fr-CA", "pt-PT", "zh-TW")}
"""The languages that are known by their region too; all others by their first part."""

ERRORS: dict[str, Row] = {
    "UnsupportedLanguagePairException": (Rejected, "does not translate between these languages"),
    "DetectedLanguageLowConfidenceException": (Rejected, "cannot tell the text's language"),
}


class Translate:
    """See `base.Provider`. An option of a model: `settings`, as the service's (`{"Formality": "FORMAL"}`)."""

    tasks = frozenset({"translate"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("translate", "Translate", ERRORS, make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        if call.task not in self.tasks:
            raise unsupported_task()
        given = only_text(call)
        exchange = Exchange(self._service, call)
        source = _code(call.input["source_language"]) if call.input.get("source_language") else "auto"
        asked: dict[str, Any] = {"TargetLanguageCode": _code(call.input["target_language"])}
        if "settings" in call.options:
            asked["Settings"] = call.options["settings"]
        translated, end = "", 0
        for start, part in split(given, MOST_BYTES):
            bare = part.strip()
            head = start + part.index(bare)
            reply = exchange.ask("translate_text", Text=bare, SourceLanguageCode=source, **asked)
            # All parts are in the language of the first.
            source = text(reply.get("SourceLanguageCode"), "language")
            translated += given[end:head] + text(reply.get("TranslatedText"), "translation")
            end = head + len(bare)
        if not translated.strip():
            raise BadOutput("The translation is empty.", code="empty_answer", maybe_paid=True)
        target = text(reply.get("TargetLanguageCode"), "language")
        if not source or not target:
            bad("The service's reply has no languages.")
        output = {"text": translated + given[end:], "source_language": source, "target_language": target}
        return exchange.answer(output, units={"characters": len(given)})


def _code(language: str) -> str:
    if language.lower().startswith(("zh-hant", "zh-hk")):
        return "zh-TW"
    return VARIANTS.get(language.lower(), primary(language))
