"""Amazon Bedrock Guardrails by themselves: a guardrail judges texts or a picture, and no model is called.

Source: Amazon Bedrock API Reference, `ApplyGuardrail`; user guide, "Use the ApplyGuardrail API" and "Use contextual
grounding check"; AWS General Reference, quotas "maximum input size in text units" (25 in the smallest regions). A text
unit is up to 1,000 characters of one request. Parts are measured in bytes, of which no character has less than one, for
AWS does not say what it counts. The reference names no bound on a request's blocks, of which a part is one, nor on what
a reply lists; what a reply's `guardrailCoverage` leaves out was not read.

`Call.model` is the guardrail's id or ARN, `Call.endpoint` its region. The input's `stage` says which of its policies
count. Going in, `documents` are judged as the text is; coming out, they and the `query` are what the contextual
grounding check holds the text against. What is anonymised counts as flagged: the guardrail intervened.

Options of a model: `version` (`DRAFT` unless said); `text_units`, the most of one request, where the region's quota is
above 25; `threshold`, to flag by score also what the guardrail only detects.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from broker.errors import Rejected
from broker.providers.aws.client import Json, MakeClient, make_client
from broker.providers.aws.service import AwsService, Exchange, bad, rows, score, text
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.options import number
from broker.providers.wire.picture_parts import sniffed
from broker.providers.wire.values import counted, field
from broker.providers.wire.verdicts import MOST_SPANS, only, output, places, texts, threshold, worst

UNIT_CHARACTERS = 1_000
FEWEST_UNITS, MOST_UNITS = 25, 1_000
"""Of one request: quotas of the smallest and the largest regions."""
ANSWER_BYTES = 5_000
"""Of a text that is held against its sources; no quota of this kind can be raised."""
MOST_PARTS = 1_000
LARGEST_PICTURE = 4_000_000
PICTURES = {"image/png": "png", "image/jpeg": "jpeg"}

SURE = 1.0
CONFIDENCES = {"NONE": 0.0, "LOW": 0.3, "MEDIUM": 0.6, "HIGH": 0.9}
"""Scores of the content filters' confidence; what either matches or does not is `SURE`."""

UNITS = {
    "contentPolicyUnits": "content_units",
    "topicPolicyUnits": "topic_units",
    "sensitiveInformationPolicyUnits": "pii_units",
    "contextualGroundingPolicyUnits": "grounding_units",
    "contentPolicyImageUnits": "images",
}
"""What a reply's usage charges for, and our name of it; words and patterns are free."""


PATTERNS = "sensitiveInformationPolicyFreeUnits"
"""What a reply's usage counts where the guardrail has patterns of personal data, which are free. Also with its full
scope, the service lists no pattern that did not match (ApplyGuardrail, `outputScope`)."""
LOOKED_FOR = "regex"
"""The category that says that none of them did."""


class Found(NamedTuple):
    """One thing that a policy found: `match` is its text, where it is a text that can be found again."""

    category: str
    score: float
    match: str = ""


class BedrockGuardrails:
    """See `base.Provider`."""

    tasks = frozenset({"moderate"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("bedrock-runtime", "Bedrock Guardrails", make=make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`.

        Returns:
            Categories are `hate`, `insults`, `sexual`, `violence`, `misconduct`, `prompt_attack`; `topic/{name}`,
            `words`, `profanity`, `pii/{type}`, `regex/{name}`, or `regex` where no pattern matched; `grounding` and
            `relevance`, where 1 is not grounded at all. Of one text, `spans` tell where matches stand. With
            `"partial": True` the service has not read all, or there are more places than are told.
        """
        if call.task not in self.tasks:
            raise unsupported_task()
        judging = _Judging(self._service, call)
        done = judging.picture() if call.input.get("file") else judging.texts()
        return judging.answer(done, units=judging.units)


class _Judging(Exchange):
    """The requests of one call, and what they are charged at."""

    def __init__(self, service: AwsService, call: Call) -> None:
        super().__init__(service, call)
        self._call = call
        self._flagged_at = threshold(call) if "threshold" in call.options else None
        self._bytes = int(number(call, "text_units", FEWEST_UNITS, FEWEST_UNITS, MOST_UNITS)) * UNIT_CHARACTERS
        self._source = "OUTPUT" if call.input.get("stage") == "output" else "INPUT"
        self._partial = False
        self.units: dict[str, int] = {}

    def picture(self) -> Json:
        only(self._call, "file")
        blob = self._call.media.read(self._call.input["file"])
        kind = PICTURES.get(sniffed(blob.data) or blob.media_type)
        if kind is None:
            raise Rejected("The file has to be a PNG or a JPEG.", code="unsupported_media_type", param="input.file")
        if not 0 < len(blob.data) <= LARGEST_PICTURE:
            message = f"The file has to have between 1 and {LARGEST_PICTURE} bytes."
            raise Rejected(message, code="bad_size", param="input.file")
        verdict, _ = self._judge([{"image": {"format": kind, "source": {"bytes": blob.data}}}])
        return self._told(verdict)

    def texts(self) -> Json:
        only(self._call, "text", "documents", "query")
        given, sources = texts(self._call), self._sources()
        spans: list[Json] = []
        verdicts = []
        for each in given:
            parts = split(each, ANSWER_BYTES if sources else self._bytes, MOST_PARTS)
            verdicts.append(worst([self._part(sources, start, part, spans) for start, part in parts]))
        if not isinstance(self._call.input.get("text"), str):
            spans = []
        self._partial = self._partial or len(spans) > MOST_SPANS
        judged = output(self._call, verdicts)
        others = [] if sources else [self._document(each) for each in self._call.input.get("documents") or ()]
        found = {"spans": spans[:MOST_SPANS]} if spans else {}
        return self._told({**judged, **worst([judged, *others]), **found})

    def _told(self, verdict: Json) -> Json:
        return verdict | ({"partial": True} if self._partial else {})

    def _sources(self) -> list[Json]:
        """What an answer is held against."""
        documents, query = self._call.input.get("documents") or (), self._call.input.get("query")
        if self._source == "INPUT" or not (documents or query):
            only(self._call, "text", "documents")
            return []
        if not documents or not query:
            missing = "documents" if not documents else "query"
            message = "The grounding of an answer is judged by its documents and its query together."
            raise Rejected(message, code="no_input", param=f"input.{missing}")
        return [*(_block(each, "grounding_source") for each in documents), _block(query, "query")]

    def _document(self, document: str) -> Json:
        return worst(self._part([], 0, part, []) for _, part in split(document, self._bytes, MOST_PARTS))

    def _part(self, sources: list[Json], start: int, part: str, spans: list[Json]) -> Json:
        """The verdict on one part; its matches go to the spans."""
        verdict, found = self._judge([*sources, _block(part, *(["guard_content"] if sources else []))])
        for category, match in dict.fromkeys((each.category, each.match) for each in found if each.match):
            for begin, end in places(match, part):
                if len(spans) > MOST_SPANS:
                    return verdict
                spans.append({"category": category, "begin": start + begin, "end": start + end, "score": SURE})
        return verdict

    def _judge(self, content: list[Json]) -> tuple[Json, list[Found]]:
        reply = self.ask(
            "apply_guardrail",
            guardrailIdentifier=self._call.model,
            guardrailVersion=str(self._call.options.get("version", "DRAFT")),
            source=self._source,
            content=content,
            outputScope="FULL",
        )
        self._charge(reply.get("usage"))
        # What an answer is held against is not itself guarded.
        self._partial = self._partial or (len(content) == 1 and _has_unread(reply.get("guardrailCoverage")))
        action = reply.get("action")
        if action not in ("NONE", "GUARDRAIL_INTERVENED"):
            bad("The service's reply does not say whether the guardrail intervened.")
        found = [each for one in rows(reply.get("assessments"), "assessments") for each in _found(one)]
        categories: dict[str, float] = {}
        for each in found:
            categories[each.category] = max(each.score, categories.get(each.category, 0.0))
        if counted(reply["usage"].get(PATTERNS)) and not any(each.startswith(LOOKED_FOR) for each in categories):
            categories[LOOKED_FOR] = 0.0
        least = self._flagged_at
        flagged = action != "NONE" or (least is not None and any(each >= least for each in categories.values()))
        return {"flagged": flagged, "categories": categories}, [each for each in found if each.score]

    def _charge(self, usage: Any) -> None:
        if not isinstance(usage, Mapping):
            bad("The service's reply does not say what it charges for.")
        for reported, unit in UNITS.items():
            if amount := counted(usage.get(reported)):
                self.units[unit] = self.units.get(unit, 0) + amount


def _has_unread(coverage: Any) -> bool:
    """True where a reply says that the guardrail left out some of the characters, or the picture."""
    told = [field(coverage, kind) for kind in ("textCharacters", "images")]
    return any((counted(field(each, "guarded")) or 0) < (counted(field(each, "total")) or 0) for each in told)


def _block(given: str, *qualifiers: str) -> Json:
    return {"text": {"text": given, **({"qualifiers": list(qualifiers)} if qualifiers else {})}}


def _matched(name: str) -> Callable[[Json], Found]:
    return lambda row: Found(name, _sure(row), text(row.get("match", ""), "match"))


def _sure(row: Json) -> float:
    """With its full scope, the service also lists what it looked for and did not find."""
    return 0.0 if row.get("detected") is False else SURE


def _kind(row: Json) -> str:
    return text(row.get("type"), "type").lower()


def _named(prefix: str, row: Json) -> str:
    name = text(row.get("name") or "", "name")
    return f"{prefix}/{name}" if name else prefix


def _confidence(row: Json) -> float:
    said = CONFIDENCES.get(text(row.get("confidence"), "confidence"))
    if said is None:
        bad("The service's reply has a confidence that is none.")
    return said


POLICIES: tuple[tuple[str, str, Callable[[Json], Found]], ...] = (
    ("contentPolicy", "filters", lambda row: Found(_kind(row), _confidence(row))),
    ("topicPolicy", "topics", lambda row: Found(_named("topic", row), _sure(row))),
    ("wordPolicy", "customWords", _matched("words")),
    ("wordPolicy", "managedWordLists", lambda row: _matched(_kind(row))(row)),
    ("sensitiveInformationPolicy", "piiEntities", lambda row: _matched(f"pii/{_kind(row)}")(row)),
    ("sensitiveInformationPolicy", "regexes", lambda row: _matched(_named("regex", row))(row)),
    ("contextualGroundingPolicy", "filters", lambda row: Found(_kind(row), round(1 - score(row.get("score")), 6))),
)
"""Of an assessment: the policy, its list, and how a row of it is read. Others say nothing that could be a category."""


def _found(assessment: Json) -> Iterator[Found]:
    for policy, name, read in POLICIES:
        judged = assessment.get(policy) or {}
        if not isinstance(judged, Mapping):
            bad("The service's reply has an assessment that is none.")
        for row in rows(judged.get(name) or [], "findings"):
            yield read(row)
