"""Azure AI Content Safety: how harmful a text is, and attacks on a model in a prompt and its documents.

Source: Azure AI Content Safety REST API, 2024-09-01, `text:analyze` and `text:shieldPrompt`; "What is Azure AI Content
Safety", "Input requirements": 10,000 code points of a text or a prompt, five documents of as many together.

`Call.endpoint` is the resource (`https://{name}.cognitiveservices.azure.com`); the model's name says what is asked:
`text`, or `prompt-shields`. Options of a model: `api_version`; `threshold`, from 0 to 1; of `text` also `blocklists`,
names of the resource's own lists, all of whose terms are flagged.
"""

from typing import Any
from urllib.parse import quote

from broker.errors import BrokerError, ModelGone, Refused, Unavailable
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import bad, field, unsupported_task
from broker.providers.wire.failures import failure
from broker.providers.wire.http_client import ProviderReply, post_json
from broker.providers.wire.several_requests import in_batches
from broker.providers.wire.verdicts import Json, only, output, texts, threshold, verdict, worst

API_VERSION = "2024-09-01"

MOST_CHARACTERS = 10_000
MOST_DOCUMENTS = 5
"""Of one request, which have `MOST_CHARACTERS` together."""
MOST_PARTS = 1_000
RECORD_CHARACTERS = 1_000
"""What a text record holds, by which the service charges each request."""

WORST_SEVERITY = 7
"""Of eight steps, from 0. Without a `threshold`, 4 is flagged, which the service calls medium."""


class AzureContentSafety:
    """See `base.Provider`."""

    tasks = frozenset({"moderate"})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`.

        Returns:
            Categories of `text` are `hate`, `self_harm`, `sexual`, `violence` (a seventh for each step of severity),
            and `blocklist/{name}`; of `prompt-shields` `prompt_attack` and `document_attack`, each 0 or 1.
            Units are `text_units`.
        """
        if call.task not in self.tasks:
            raise unsupported_task()
        if call.model not in MODELS:
            raise ModelGone(f"The service has {' and '.join(MODELS)}, and no other models.", code="unknown_model")
        return MODELS[call.model](call)


def _analyze(call: Call) -> Answer:
    only(call, "text")
    lists = call.options.get("blocklists")
    asked: Json = {"outputType": "EightSeverityLevels", **({"blocklistNames": lists} if lists else {})}
    least = threshold(call)
    parts = [(place, part) for place, each in enumerate(texts(call)) for part in _parts(each)]

    def ask(one: list[tuple[int, str]], left: float) -> ProviderReply:
        return _post(call, "text:analyze", {"text": one[0][1], **asked}, left)

    found: list[list[Json]] = [[] for _ in texts(call)]
    facts: dict[str, str] = {}
    for (of, _), reply in zip(parts, in_batches(parts, 1, call.timeout, ask), strict=True):
        found[of].append(_read_analysis(reply.body, least))
        facts = _facts(reply)
    units = {"text_units": sum(_records(part) for _, part in parts)}
    return Answer(output(call, [worst(each) for each in found]), facts=facts, units=units)


def _read_analysis(body: Any, least: float) -> Json:
    rows, matches = field(body, "categoriesAnalysis"), field(body, "blocklistsMatch") or []
    if not isinstance(rows, list) or not isinstance(matches, list):
        bad("The service's reply has no analysis.")
    categories = {_snake(field(each, "category")): _severity(field(each, "severity")) for each in rows}
    listed = {f"blocklist/{_name(field(each, 'blocklistName'))}": 1.0 for each in matches}
    return verdict({**categories, **listed}, least)


def _shield(call: Call) -> Answer:
    only(call, "text", "documents")
    prompts = [(place, part) for place, each in enumerate(texts(call)) for part in _parts(each)]
    packs = _packed([part for each in call.input.get("documents") or () for part in _parts(each)])
    # A prompt and some documents to a request, as long as there are both.
    longest = max(len(prompts), len(packs))
    asked = [(prompts[at : at + 1], packs[at] if at < len(packs) else []) for at in range(longest)]
    least = threshold(call)

    def ask(one: list[tuple[list[tuple[int, str]], list[str]]], left: float) -> ProviderReply:
        prompt, documents = one[0]
        body = {"userPrompt": prompt[0][1]} if prompt else {}
        return _post(call, "text:shieldPrompt", {**body, **({"documents": documents} if documents else {})}, left)

    found: list[list[Json]] = [[] for _ in texts(call)]
    attacked: list[Json] = []
    facts: dict[str, str] = {}
    for (prompt, documents), reply in zip(asked, in_batches(asked, 1, call.timeout, ask), strict=True):
        for of, _ in prompt:
            detected = _detected(field(reply.body, "userPromptAnalysis"))
            found[of].append(verdict({"prompt_attack": detected}, least))
        rows = field(reply.body, "documentsAnalysis") or []
        if not isinstance(rows, list) or len(rows) != len(documents):
            bad("The service's reply has another number of documents.")
        attacked += [verdict({"document_attack": _detected(each)}, least) for each in rows]
        facts = _facts(reply)
    sent = [*(part for _, part in prompts), *(part for pack in packs for part in pack)]
    judged = output(call, [worst(each) for each in found])
    return Answer({**judged, **worst([judged, *attacked])}, facts=facts, units={"text_units": sum(map(_records, sent))})


def _packed(parts: list[str]) -> list[list[str]]:
    """Documents as they go into requests."""
    packs: list[list[str]] = []
    for part in parts:
        last = packs[-1] if packs else []
        if not last or len(last) == MOST_DOCUMENTS or sum(map(len, last)) + len(part) > MOST_CHARACTERS:
            packs.append([part])
        else:
            last.append(part)
    return packs


def _parts(text: str) -> list[str]:
    return [part for _, part in split(text, MOST_CHARACTERS, MOST_PARTS, characters=True)]


def _records(part: str) -> int:
    return -(-len(part) // RECORD_CHARACTERS)


def _post(call: Call, operation: str, body: Json, left: float) -> ProviderReply:
    if not call.endpoint:
        raise Unavailable("The model is registered without its resource's address.", code="bad_endpoint")
    version = quote(str(call.options.get("api_version", API_VERSION)), safe="")
    return post_json(
        f"{call.endpoint.rstrip('/')}/contentsafety/{operation}?api-version={version}",
        body,
        headers=exchange.headers(call, "Ocp-Apim-Subscription-Key", "{}"),
        timeout=left,
        read_error=_read_error,
    )


def _facts(reply: ProviderReply) -> dict[str, str]:
    return exchange.facts(reply, "apim-request-id")


def _read_error(status: int, body: Any) -> BrokerError | None:
    """A service that judges refuses nothing: what it says of safety is its name, or quotes the text."""
    return failure(status, {}) if isinstance(failure(status, {}, body), Refused) else None


def _snake(name: Any) -> str:
    """`self_harm` of `SelfHarm`."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in _name(name)).lstrip("_")


def _name(given: Any) -> str:
    if not isinstance(given, str) or not given:
        bad("The service's reply has a category without a name.")
    return given


def _severity(given: Any) -> float:
    known = exchange.counted(given)
    if known is None:
        bad("The service's reply has a severity that is no number.")
    return round(min(known / WORST_SEVERITY, 1.0), 6)


def _detected(analysis: Any) -> float:
    said = field(analysis, "attackDetected")
    if not isinstance(said, bool):
        bad("The service's reply does not say whether there is an attack.")
    return 1.0 if said else 0.0


MODELS = {"text": _analyze, "prompt-shields": _shield}
"""By the model's name."""
