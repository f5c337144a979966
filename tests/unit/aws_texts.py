"""The rows of `aws_cases` that read texts: Comprehend, Translate, Lex."""

from tests.fakes.aws import Reply
from tests.unit.aws_case import (
    DOWN,
    GONE,
    INVALID,
    SESSION,
    TEXT,
    Case,
    make_call,
)

LANGUAGES = Reply({"Languages": [{"LanguageCode": "fr", "Score": 0.1}, {"LanguageCode": "en", "Score": 0.9}]})
SCORES = {"Positive": 0.9, "Negative": 0.02, "Neutral": 0.05, "Mixed": 0.03}
SENTIMENT = Reply({"Sentiment": "POSITIVE", "SentimentScore": SCORES})
ENTITIES = Reply(
    {
        "Entities": [
            {"Text": "Ann", "Type": "PERSON", "Score": 0.99, "BeginOffset": 0, "EndOffset": 3},
            {"Text": "Köln", "Type": "LOCATION", "Score": 0.98, "BeginOffset": 13, "EndOffset": 17},
        ]
    }
)
PHRASES = Reply({"KeyPhrases": [{"Text": "Ann", "Score": 0.9, "BeginOffset": 0, "EndOffset": 3}]})
PII = Reply({"Entities": [{"Type": "NAME", "Score": 0.97, "BeginOffset": 0, "EndOffset": 3}]})
TOXIC = Reply(
    {
        "ResultList": [
            {"Labels": [{"Name": "INSULT", "Score": 0.7}, {"Name": "PROFANITY", "Score": 0.1}], "Toxicity": 0.8}
        ]
    }
)
PROMPT_SAFETY = "arn:aws:comprehend:us-east-1:aws:document-classifier-endpoint/prompt-safety"
CLASSES = Reply({"Classes": [{"Name": "SAFE_PROMPT", "Score": 0.3}, {"Name": "UNSAFE_PROMPT", "Score": 0.7}]})
UNKNOWN_LANGUAGE = {"UnsupportedLanguageException": INVALID}

COMPREHEND = {
    "sentiment": Case(
        "comprehend",
        make_call("sentiment", {"text": TEXT}),
        ("DetectDominantLanguage", "DetectSentiment"),
        (LANGUAGES, SENTIMENT),
        {"sentiment": "positive", "scores": {name.lower(): value for name, value in SCORES.items()}},
        {"characters": 600},
        ({"Text": TEXT}, {"Text": TEXT, "LanguageCode": "en"}),
        UNKNOWN_LANGUAGE,
    ),
    "entities": Case(
        "comprehend",
        make_call("entities", {"text": TEXT, "source_language": "en-GB", "features": ["key_phrases", "pii"]}),
        ("DetectEntities", "DetectKeyPhrases", "DetectPiiEntities"),
        (ENTITIES, PHRASES, PII),
        {
            "entities": [
                {"text": "Ann", "type": "person", "score": 0.99, "begin": 0, "end": 3},
                {"text": "Köln", "type": "location", "score": 0.98, "begin": 13, "end": 17},
            ],
            "key_phrases": [{"text": "Ann", "score": 0.9, "begin": 0, "end": 3}],
            "pii": [{"type": "name", "score": 0.97, "begin": 0, "end": 3}],
        },
        {"characters": 900},
        tuple({"Text": TEXT, "LanguageCode": "en"} for _ in range(3)),
        UNKNOWN_LANGUAGE,
    ),
    "moderate": Case(
        "comprehend",
        make_call("moderate", {"text": TEXT, "source_language": "en"}),
        ("DetectToxicContent",),
        (TOXIC,),
        {"flagged": True, "categories": {"insult": 0.7, "profanity": 0.1, "toxicity": 0.8}},
        {"characters": 300},
        ({"TextSegments": [{"Text": TEXT}], "LanguageCode": "en"},),
        UNKNOWN_LANGUAGE,
    ),
    "prompt safety": Case(
        "comprehend",
        make_call("moderate", {"text": TEXT, "source_language": "en"}, PROMPT_SAFETY),
        ("ClassifyDocument",),
        (CLASSES,),
        {"flagged": True, "categories": {"unsafe_prompt": 0.7}},
        {"characters": 300},
        ({"Text": TEXT, "EndpointArn": PROMPT_SAFETY},),
    ),
}

TRANSLATION = {"TranslatedText": "Ann lebt 🎉.", "SourceLanguageCode": "en", "TargetLanguageCode": "de"}
TRANSLATE = {
    "translate": Case(
        "translate",
        make_call("translate", {"text": "Ann lives 🎉.", "target_language": "de-CH"}),
        ("TranslateText",),
        (Reply(TRANSLATION),),
        {"text": "Ann lebt 🎉.", "source_language": "en", "target_language": "de"},
        {"characters": 12},
        ({"Text": "Ann lives 🎉.", "SourceLanguageCode": "auto", "TargetLanguageCode": "de"},),
        {
            "UnsupportedLanguagePairException": INVALID,
            "DetectedLanguageLowConfidenceException": INVALID,
            "ResourceNotFoundException": GONE,
        },
    )
}

TURN = {
    "messages": [
        {"content": "Which size? 🍕", "contentType": "PlainText"},
        {"contentType": "ImageResponseCard", "imageResponseCard": {"title": "Sizes"}},
    ],
    "sessionState": {
        "intent": {
            "name": "Order",
            "state": "InProgress",
            "slots": {
                "Size": None,
                "Kind": {"value": {"originalValue": "marg", "interpretedValue": "margherita"}},
                "Extras": {"shape": "List", "values": [{"value": {"interpretedValue": "olives"}}]},
            },
        }
    },
}
LEX = {
    "converse": Case(
        "lex",
        make_call("converse", {"text": "A pizza 🍕", "session": "s-1"}, "ABCDEFGHIJ/TSTALIASID/en_US"),
        ("RecognizeText",),
        (Reply(TURN),),
        {
            "text": "Which size? 🍕",
            "messages": [
                {"type": "PlainText", "content": "Which size? 🍕"},
                {"type": "ImageResponseCard", "content": "", "card": {"title": "Sizes"}},
            ],
            "session": "s-1",
            "intent": "Order",
            "slots": {"Size": None, "Kind": "margherita", "Extras": ["olives"]},
            "state": "InProgress",
        },
        {"requests": 1},
        (
            {
                "botId": "ABCDEFGHIJ",
                "botAliasId": "TSTALIASID",
                "localeId": "en_US",
                "sessionId": SESSION,
            },
        ),
        {
            "ResourceNotFoundException": GONE,
            **dict.fromkeys(("ConflictException", "DependencyFailedException", "BadGatewayException"), DOWN),
        },
    )
}
