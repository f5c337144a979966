"""Amazon Comprehend: sentiment, entities (and key phrases, and personal data), toxicity, prompt safety.

Source: Amazon Comprehend API Reference, "Guidelines and quotas", "Trust and safety". Longer texts than an operation
takes are split, and the results joined. The service counts characters in units of a hundred, at least three for each
request; so does `units`. Offsets are in characters (Unicode code points), as the service's are.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.errors import Rejected
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import (
    AwsService,
    Exchange,
    bad,
    count,
    features,
    only_text,
    primary,
    rows,
    score,
    text,
)
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.verdicts import only, output, texts, threshold, verdict, worst

SENTIMENT_BYTES = 5_000
LARGE_BYTES = 99_999
"""Of entities, key phrases, personal data and the dominant language."""
SEGMENT_BYTES = 1_000
SEGMENTS = 10
"""Toxicity looks at so many segments in one request."""
MOST_SEGMENTS = 1_000
PROMPT_BYTES = 10_000
MOST_PROMPTS = 1_000
"""Parts of one text that are looked at: each is a request."""

PROMPT_SAFETY = ":document-classifier-endpoint/prompt-safety"
"""How a model's name ends that is the service's own classifier of prompts."""
UNSAFE = ("UNSAFE_PROMPT", "UNSAFE")
"""The class that is told on; the API and its guide spell it each in its own way."""

ENOUGH_BYTES = 5_000
"""What is looked at to tell a language."""
SHORTEST_DETECTED = 20
"""Characters: the dominant language of less is not told."""

LANGUAGES = frozenset({"en", "es", "fr", "de", "it", "pt", "ar", "hi", "ja", "ko", "zh", "zh-TW"})
PII_LANGUAGES = frozenset({"en", "es"})
TOXICITY_LANGUAGES = frozenset({"en"})

FEATURES = frozenset({"key_phrases", "pii"})
SENTIMENTS = ("positive", "negative", "neutral", "mixed")

ERRORS: dict[str, Row] = {"UnsupportedLanguageException": (Rejected, "does not know the text's language")}


class Comprehend:
    """See `base.Provider`.

    Options of a model: `language` where the request names none, `threshold` of `moderate`. A model whose name is the
    ARN `arn:aws:comprehend:{region}:aws:document-classifier-endpoint/prompt-safety` judges prompts, in that region; by
    any other name it is toxicity that `moderate` judges.
    """

    tasks = frozenset({"sentiment", "entities", "moderate"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("comprehend", "Comprehend", ERRORS, make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        tasks = {"sentiment": _sentiment, "entities": _entities, "moderate": _moderate}
        if call.task not in tasks:
            raise unsupported_task()
        perform = _judge_prompts if _is_of_prompts(call) else tasks[call.task]
        return perform(call, _Analysis(self._service, call))


def _is_of_prompts(call: Call) -> bool:
    return call.task == "moderate" and call.model.endswith(PROMPT_SAFETY)


class _Analysis(Exchange):
    """The requests of one call, and the characters that they are billed for."""

    characters = 0

    def look(self, operation: str, part: str, **request: Any) -> Json:
        self.bill(part)
        return self.ask(operation, Text=part, **request)

    def bill(self, part: str) -> None:
        self.characters += max(300, -(-len(part) // 100) * 100)

    def done(self, output: Json) -> Answer:
        return self.answer(output, units={"characters": self.characters})


def _language(call: Call, analysis: _Analysis, sample: str, known: frozenset[str]) -> str:
    """The code of the text's language: as the request says, as the model's options say, or as the service finds."""
    given = call.input.get("source_language") or call.options.get("language")
    code = _code(str(given)) if given else _code(_detect(analysis, sample))
    if code not in known:
        message = f"For this, the text has to be in one of {', '.join(sorted(known))}."
        paid = analysis.requests > 0
        raise Rejected(message, code="unsupported_language", param="input.source_language", maybe_paid=paid)
    return code


def _code(language: str) -> str:
    traditional = language.lower().startswith(("zh-tw", "zh-hant", "zh-hk"))
    return "zh-TW" if traditional else primary(language)


def _detect(analysis: _Analysis, sample: str) -> str:
    part = split(sample[:ENOUGH_BYTES], ENOUGH_BYTES)[0][1]
    # Said again, a short text keeps its language and becomes long enough to tell it.
    part = " ".join([part] * -(-SHORTEST_DETECTED // len(part)))
    found = rows(analysis.look("detect_dominant_language", part).get("Languages"), "languages")
    if not found:
        bad("The service found no language.")
    return text(max(found, key=lambda each: score(each.get("Score"))).get("LanguageCode"), "language")


def _sentiment(call: Call, analysis: _Analysis) -> Answer:
    given = only_text(call)
    parts = [part for _, part in split(given, SENTIMENT_BYTES)]
    language = _language(call, analysis, given.lstrip(), LANGUAGES)
    # A longer part says more of the whole.
    whole = sum(map(len, parts))
    scores = dict.fromkeys(SENTIMENTS, 0.0)
    said: Any = None
    for part in parts:
        reply = analysis.look("detect_sentiment", part, LanguageCode=language)
        said, reported = text(reply.get("Sentiment"), "sentiment").lower(), reply.get("SentimentScore")
        if said not in SENTIMENTS or not isinstance(reported, Mapping):
            bad("The service's reply has no sentiment.")
        for name in SENTIMENTS:
            scores[name] += score(reported.get(name.capitalize())) * len(part) / whole
    scores = {name: round(value, 6) for name, value in scores.items()}
    sentiment = said if len(parts) == 1 else max(SENTIMENTS, key=lambda name: scores[name])
    return analysis.done({"sentiment": sentiment, "scores": scores})


def _entities(call: Call, analysis: _Analysis) -> Answer:
    asked = features(call, FEATURES)
    given = only_text(call)
    parts = split(given, LARGE_BYTES)
    language = _language(call, analysis, given.lstrip(), PII_LANGUAGES if "pii" in asked else LANGUAGES)
    output: Json = {"entities": list(_found(analysis, "detect_entities", parts, language, "Entities"))}
    if "key_phrases" in asked:
        output["key_phrases"] = list(_found(analysis, "detect_key_phrases", parts, language, "KeyPhrases"))
    if "pii" in asked:
        output["pii"] = list(_found(analysis, "detect_pii_entities", parts, language, "Entities"))
    return analysis.done(output)


def _found(
    analysis: _Analysis, operation: str, parts: list[tuple[int, str]], language: str, name: str
) -> Iterator[Json]:
    """What an operation finds in all parts, at its place in the whole text. Of personal data the place has to do."""
    for start, part in parts:
        for each in rows(analysis.look(operation, part, LanguageCode=language).get(name), "entities"):
            begin, end = count(each.get("BeginOffset"), "place"), count(each.get("EndOffset"), "place")
            if not begin <= end <= len(part):
                bad("The service's reply has a place outside the text.")
            found: Json = {"text": text(each.get("Text"), "entity")} if operation != "detect_pii_entities" else {}
            if operation != "detect_key_phrases":
                found["type"] = text(each.get("Type"), "type").lower()
            yield {**found, "score": score(each.get("Score")), "begin": start + begin, "end": start + end}


def _moderate(call: Call, analysis: _Analysis) -> Answer:
    only(call, "text")
    given, least = texts(call), threshold(call)
    parts = [(place, part) for place, each in enumerate(given) for _, part in split(each, SEGMENT_BYTES, MOST_SEGMENTS)]
    language = _language(call, analysis, " ".join(given).lstrip(), TOXICITY_LANGUAGES)
    found: list[list[Json]] = [[] for _ in given]
    for place in range(0, len(parts), SEGMENTS):
        few = parts[place : place + SEGMENTS]
        analysis.bill("".join(part for _, part in few))
        asked = [{"Text": part} for _, part in few]
        reply = analysis.ask("detect_toxic_content", TextSegments=asked, LanguageCode=language)
        results = rows(reply.get("ResultList"), "results")
        if len(results) != len(few):
            bad("The service's reply has another number of results.")
        for (of, _), result in zip(few, results, strict=True):
            labels = [(text(each.get("Name"), "label").lower(), each) for each in rows(result.get("Labels"), "labels")]
            categories = {name: score(each.get("Score")) for name, each in labels}
            found[of].append(verdict({**categories, "toxicity": score(result.get("Toxicity"))}, least))
    return analysis.done(output(call, [worst(each) for each in found]))


def _judge_prompts(call: Call, analysis: _Analysis) -> Answer:
    only(call, "text")
    given, least = texts(call), threshold(call)
    parts = [[part for _, part in split(each, PROMPT_BYTES, MOST_PROMPTS)] for each in given]
    _language(call, analysis, " ".join(given).lstrip(), TOXICITY_LANGUAGES)
    judged = [worst(_judged(call, analysis, part, least) for part in each) for each in parts]
    return analysis.done(output(call, judged))


def _judged(call: Call, analysis: _Analysis, part: str, least: float) -> Json:
    classes = rows(analysis.look("classify_document", part, EndpointArn=call.model).get("Classes"), "classes")
    found = [score(each.get("Score")) for each in classes if each.get("Name") in UNSAFE]
    if not found:
        bad("The service's reply does not say whether the prompt is safe.")
    return verdict({"unsafe_prompt": max(found)}, least)
