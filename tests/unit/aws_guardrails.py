"""The rows of `aws_cases` of Bedrock's guardrails, and a reply of theirs with everything in it."""

from typing import Any

from tests.fakes.aws import Reply
from tests.unit.aws_case import CAT, DOWN, GONE, PNG, TEXT, Case, make_call

USAGE = {
    "topicPolicyUnits": 1,
    "contentPolicyUnits": 1,
    "wordPolicyUnits": 1,
    "sensitiveInformationPolicyUnits": 1,
    "sensitiveInformationPolicyFreeUnits": 0,
    "contextualGroundingPolicyUnits": 0,
}
UNITS = {"content_units": 1, "topic_units": 1, "pii_units": 1}
ERRORS = {"ResourceNotFoundException": GONE, "ServiceUnavailableException": DOWN}


def applied(action: str = "NONE", *assessments: Any, **usage: int) -> Reply:
    return Reply({"usage": USAGE | usage, "action": action, "outputs": [], "assessments": list(assessments)})


def asked(text: str, *qualifiers: str) -> dict[str, Any]:
    return {"text": {"text": text, **({"qualifiers": list(qualifiers)} if qualifiers else {})}}


ALL = {
    "topicPolicy": {
        "topics": [
            {"name": "Investment advice", "type": "DENY", "action": "BLOCKED", "detected": True},
            {"name": "Weather", "type": "DENY", "action": "NONE", "detected": False},
        ]
    },
    "contentPolicy": {
        "filters": [
            {"type": "HATE", "confidence": "NONE", "filterStrength": "HIGH", "action": "NONE", "detected": False},
            {"type": "INSULTS", "confidence": "MEDIUM", "action": "BLOCKED"},
            {"type": "PROMPT_ATTACK", "confidence": "HIGH", "action": "BLOCKED", "detected": True},
        ]
    },
    "wordPolicy": {
        "customWords": [{"match": "likes", "action": "BLOCKED", "detected": True}],
        "managedWordLists": [{"match": "lives", "type": "PROFANITY", "action": "BLOCKED"}],
    },
    "sensitiveInformationPolicy": {
        "piiEntities": [
            {"match": "Ann", "type": "NAME", "action": "ANONYMIZED", "detected": True},
            {"match": "", "type": "EMAIL", "action": "NONE", "detected": False},
        ],
        "regexes": [{"name": "towns", "match": "Köln", "regex": "K.ln", "action": "BLOCKED"}],
    },
}
CATEGORIES = {
    "hate": 0.0,
    "insults": 0.6,
    "prompt_attack": 0.9,
    "topic/Investment advice": 1.0,
    "topic/Weather": 0.0,
    "words": 1.0,
    "profanity": 1.0,
    "pii/name": 1.0,
    "pii/email": 0.0,
    "regex/towns": 1.0,
}
GUARDRAIL = "gr1234567890"
GUARDRAILS = {
    "everything": Case(
        "bedrock_guardrails",
        make_call("moderate", {"text": TEXT}, GUARDRAIL, options={"version": "3"}),
        ("ApplyGuardrail",),
        (applied("GUARDRAIL_INTERVENED", ALL),),
        {
            "flagged": True,
            "categories": CATEGORIES,
            "spans": [
                {"category": "words", "begin": 24, "end": 29, "score": 1.0},
                {"category": "profanity", "begin": 4, "end": 9, "score": 1.0},
                {"category": "pii/name", "begin": 0, "end": 3, "score": 1.0},
                {"category": "regex/towns", "begin": 13, "end": 17, "score": 1.0},
            ],
        },
        UNITS,
        (
            {
                "guardrailIdentifier": GUARDRAIL,
                "guardrailVersion": "3",
                "source": "INPUT",
                "content": [asked(TEXT)],
                "outputScope": "FULL",
            },
        ),
        ERRORS,
    ),
    "an answer's grounding": Case(
        "bedrock_guardrails",
        make_call(
            "moderate",
            {"text": TEXT, "stage": "output", "documents": ["Ann lives in Bonn."], "query": "Where does Ann live?"},
            GUARDRAIL,
        ),
        ("ApplyGuardrail",),
        (
            applied(
                "GUARDRAIL_INTERVENED",
                {
                    "contextualGroundingPolicy": {
                        "filters": [
                            {"type": "GROUNDING", "threshold": 0.7, "score": 0.12, "action": "BLOCKED"},
                            {"type": "RELEVANCE", "threshold": 0.5, "score": 0.9, "action": "NONE"},
                        ]
                    }
                },
                contextualGroundingPolicyUnits=3,
            ),
        ),
        {"flagged": True, "categories": {"grounding": 0.88, "relevance": 0.1}},
        {**UNITS, "grounding_units": 3},
        (
            {
                "guardrailVersion": "DRAFT",
                "source": "OUTPUT",
                "content": [
                    asked("Ann lives in Bonn.", "grounding_source"),
                    asked("Where does Ann live?", "query"),
                    asked(TEXT, "guard_content"),
                ],
            },
        ),
        ERRORS,
    ),
    "a picture": Case(
        "bedrock_guardrails",
        make_call("moderate", {"file": CAT}, GUARDRAIL),
        ("ApplyGuardrail",),
        (
            applied(
                "NONE",
                {"contentPolicy": {"filters": [{"type": "VIOLENCE", "confidence": "LOW", "action": "NONE"}]}},
                contentPolicyImageUnits=1,
                contentPolicyUnits=0,
                topicPolicyUnits=0,
                sensitiveInformationPolicyUnits=0,
            ),
        ),
        {"flagged": False, "categories": {"violence": 0.3}},
        {"images": 1},
        ({"content": [{"image": {"format": "png", "source": {"bytes": PNG}}}]},),
        ERRORS,
    ),
}
