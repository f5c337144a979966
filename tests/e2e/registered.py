"""What the tests register beside the demo's registry: models that misbehave, and tenants with limits."""

from collections.abc import Iterator
from typing import Any

from tests.e2e.odd import models as odd_models
from tests.e2e.readers import EYES, READER
from tests.e2e.thinking import THINKER

ORDERS: dict[str, dict[str, Any]] = {
    "answers": {"order": "", "tasks": ["chat", "embed"]},
    "bad-key": {"order": "!401"},
    "alarmed-key": {"order": "!401"},
    "alarmed-gone": {"order": "!404"},
    "no-secret": {"order": "", "secret": "providers/nowhere"},
    "throttles": {"order": "!429=60"},
    "throttles-a-second": {"order": "!429=1"},
    "fails": {"order": "!500"},
    "fails-once": {"order": "!fail_first=1"},
    "hangs": {"order": "!hang", "timeout_s": 1},
    "hangs-on": {"order": "!hang", "timeout_s": 15},
    "cuts": {"order": "!cut"},
    "breaks": {"order": "!badjson"},
    "misses-schema": {"order": "!notschema"},
    "refuses": {"order": "!refuse"},
    "rejects": {"order": "!400"},
    "overflows": {"order": "!context"},
    "small-window": {"order": "", "context_window": 50_000},
    "slow": {"order": "!latency=4"},
    "echoes": {"order": "!echo"},
    "creative": {"order": "", "tags": ["costly"]},
    "unhurried": {"order": ""},
    "unhurried-too": {"order": ""},
    "crashing": {"order": "", "name": "crashing"},
    "crashing-too": {"order": "", "name": "crashing-too"},
    "dying": {"order": "!500"},
    "lonely": {"order": ""},
    "unwatched-fails": {"order": "!500"},
    "unwatched-key": {"order": "!401"},
    "unwatched-refuses": {"order": "!refuse"},
    "dear": {"order": "", "price_in_usd": 1000, "price_out_usd": 1000},
    "european": {"order": "", "regions": ["eu"], "capabilities": ["law"], "quality": 1},
    "american": {"order": "", "regions": ["us"], "quality": 5, "price_out_usd": 9},
    "disabled": {"order": "", "status": "disabled"},
    "over": {"order": "", "status": "deprecated", "sunset": "2026-01-01", "successor": "american"},
    "wide": {"order": "", "tasks": ["embed"], "timeout_s": 240, "options": {"dimensions": 3072}},
    "ending": {"order": "", "status": "deprecated", "sunset": "2126-01-01", "successor": "american"},
}
"""Models by id; the order tells the local model server how to misbehave."""

ROUTES: list[dict[str, Any]] = [
    {
        "id": "canary",
        "query_type": "canary",
        "models": [{"model": "answers", "weight": 80}, {"model": "european", "weight": 20}],
        "fallbacks": ["american"],
    },
    *(
        {"id": f"by-{objective}", "query_type": objective, "models": ["european", "american"], "objective": objective}
        for objective in ("cost", "quality", "latency", "balanced")
    ),
    {
        "id": "records",
        "query_type": "records",
        "models": ["american", "european"],
        "fallbacks": ["echoes"],
        "residency": {"regions": ["eu"]},
    },
    {
        "id": "plain-texts",
        "query_type": "plain-texts",
        "models": ["revised"],
        "fallbacks": ["answers"],
        "postprocess": {"strip_html": True, "trim": True, "max_chars": 60, "languages": ["en"]},
    },
    {"id": "plain-picks", "query_type": "plain-picks", "models": ["revised"], "postprocess": {"pick": "$.answer"}},
]

PRICE_IN_USD, PRICE_OUT_USD = 1, 2
"""For a million tokens, where a model has no price of its own."""

ENDPOINT = {
    "provider": "sagemaker",
    "name": "forecasts",
    "endpoint": None,
    "secret": None,
    "tasks": ["custom"],
    "price_in_usd": 0,
    "price_out_usd": 0,
    "unit_prices_usd": {"requests": 0.001},
}
"""An endpoint of the operators' own."""

OTHERS: dict[str, dict[str, Any]] = {
    "openai": {"tasks": ["chat", "embed", "moderate"], "capabilities": ["json", "tools", "vision"]},
    "anthropic": {},
    "gemini": {"tasks": ["chat", "embed", "generate_image"]},
    "huggingface": {},
    "mistral": {"path": "/mistral/v1"},
    "azure": {"name": "gpt-image", "path": "", "tasks": ["chat", "embed", "generate_image", "speak", "transcribe"]},
    "cohere": {"path": "/v2", "tasks": ["chat", "embed"]},
    "google_translate": {"path": "", "tasks": ["translate"]},
    "content_safety": {"provider": "azure_content_safety", "name": "text", "path": "", "tasks": ["moderate"]},
    "shields": {"provider": "azure_content_safety", "name": "prompt-shields", "path": "", "tasks": ["moderate"]},
    "imagen": {"provider": "gemini", "tasks": ["generate_image"], "options": {"family": "imagen"}},
    "flux": {"provider": "huggingface", "path": "/hf-inference/models/small", "tasks": ["generate_image"]},
}
"""Providers whose formats the local models speak, and where; `of-gemini` and so on."""

ON_AWS: dict[str, dict[str, Any]] = {
    "aws-comprehend": {"provider": "comprehend", "tasks": ["entities", "moderate"]},
    "aws-prompt-safety": {
        "provider": "comprehend",
        "name": "arn:aws:comprehend:us-east-1:aws:document-classifier-endpoint/prompt-safety",
        "tasks": ["moderate"],
    },
    "aws-eyes": {
        "provider": "rekognition",
        "tasks": ["moderate"],
        "capabilities": ["vision"],
        "unit_prices_usd": {"images": 0.001},
    },
    "aws-translate": {"provider": "translate", "tasks": ["translate"]},
    "aws-lex": {"provider": "lex", "name": "ABCDEFGHIJ/TSTALIASID/en_US", "tasks": ["converse"]},
    "aws-transcribe": {
        "provider": "transcribe",
        "tasks": ["transcribe"],
        "asynchronous": True,
        "options": {"key": "alias/inference-broker"},
    },
    "aws-titan": {"provider": "bedrock", "name": "amazon.titan-embed-text-v2:0", "tasks": ["embed"]},
    "aws-canvas": {"provider": "bedrock", "name": "amazon.nova-canvas-v1:0", "tasks": ["generate_image"]},
    "aws-stable": {"provider": "bedrock", "name": "stability.stable-image-core-v1:1", "tasks": ["generate_image"]},
    "aws-part": {"provider": "sagemaker", "tasks": ["custom"], "options": {"inference_component": "part-1"}},
    "aws-slow": {"provider": "sagemaker_async", "tasks": ["custom"], "asynchronous": True},
}
"""Services and models of AWS."""

DENIES_HERONS = {"check": "denied_terms", "action": "block", "terms": ["heron"]}
POLICIES = [
    {"id": "herons", "rules": [DENIES_HERONS]},
    {"id": "herons-tried", "rules": [DENIES_HERONS], "shadow": True, "shared": True},
    {"id": "ponds", "rules": [{"check": "denied_terms", "action": "block", "stages": ["output"], "terms": ["pond"]}]},
    {
        "id": "birds",
        "rules": [
            {"check": "denied_terms", "action": "review", "stages": ["input"], "terms": ["stork"]},
            {"check": "denied_terms", "action": "review", "stages": ["output"], "terms": ["egret"]},
        ],
    },
    {
        "id": "discretion",
        "rules": [
            {"check": "personal_data", "action": "redact", "kinds": ["email"]},
            {"check": "secrets", "action": "redact"},
            {"check": "card_numbers", "action": "hash"},
        ],
    },
    {
        "id": "fences",
        "mark_untrusted": "datamarking",
        "rules": [
            {"check": "links", "action": "block", "domains": ["lamps.example"]},
            {"check": "markup", "action": "block"},
            {"check": "tool_calls", "action": "block", "tools": ["look"]},
            {"check": "prompt_leak", "action": "block", "canary": True},
            {"check": "personal_data", "action": "block", "kinds": ["email"], "stages": ["output"], "only_new": True},
        ],
    },
]
"""Guardrail policies."""

HARM = {"check": "harmful_content", "action": "block"}
JUDGED: dict[str, list[dict[str, Any]]] = {
    "judged": [HARM | {"engines": ["judge"]}],
    "judged-after": [HARM | {"engines": ["judge"], "stages": ["output"]}],
    "judged-by-none": [HARM | {"engines": ["judge-down"], "stages": ["input"]}],
    "judged-by-none-open": [HARM | {"engines": ["judge-down"], "stages": ["input"], "fail_open": True}],
    "judged-by-two": [
        HARM | {"engines": ["shield", "judge"], "stages": ["input"], "combine": "cascade", "unsure": [0.2, 0.95]}
    ],
    "judged-shakily": [HARM | {"engines": ["shaky-judge"], "stages": ["input"]}],
    "judged-shakily-too": [HARM | {"engines": ["shaky-judge"], "stages": ["input"]}],
    "judged-shakily-open": [HARM | {"engines": ["shaky-judge"], "stages": ["input"], "fail_open": True}],
    "judged-by-words": [
        HARM | {"engines": ["judge"], "stages": ["input"], "prompt": {"id": "house-rules", "version": 1}}
    ],
    "judged-by-sight": [HARM | {"engines": ["judge-sees"], "stages": ["input"], "pictures": True}],
    "judged-by-sight-after": [HARM | {"engines": ["judge-sees"], "stages": ["output"], "pictures": True}],
    "judged-by-shield": [HARM | {"engines": ["shield-sees"], "stages": ["input"], "pictures": True}],
    "judged-by-eyes": [HARM | {"engines": ["aws-eyes"], "pictures": True}],
    "judged-by-eyes-else": [HARM | {"engines": ["aws-eyes"], "pictures": True, "kinds": ["nudity"]}],
    "judged-in-shadow": [HARM | {"engines": ["judge"]}],
    "judged-names": [
        {"check": "personal_data", "action": "redact", "kinds": ["email"]},
        {"check": "topics", "action": "block", "engines": ["judge"], "topics": ["Herons: all about them"]},
    ],
}
"""Rules of policies for whose tenants engines judge, by the name of both."""

ENGINES: list[dict[str, Any]] = [
    {"id": "judge", "name": "small", "capabilities": ["json", "schema"], "by_name_only": True},
    {"id": "judge-sees", "name": "small", "capabilities": ["json", "schema", "vision"], "by_name_only": True},
    {"id": "judge-down", "name": "small!500", "by_name_only": True},
    {"id": "shield", "name": "omni-moderation", "tasks": ["moderate"], "by_name_only": True},
    {
        "id": "shield-sees",
        "name": "omni-moderation",
        "tasks": ["moderate"],
        "capabilities": ["vision"],
        "by_name_only": True,
    },
]

PROMPTS = [
    {"id": "house-rules", "system": "Is it against the rules of the house?", "user": "A guest wrote: {{material}}"},
    {"id": "of-ponds", "user": "Repeat: {{what}}", "guardrails": ["ponds"]},
    {
        "id": "of-notes",
        "variables": {"what": {"type": "string"}, "note": {"type": "string"}},
        "user": "{{what}} {{note}}",
    },
    {"id": "of-documents", "user": "{{question}} [1] {{text}}", "postprocess": {"citations": {"at_least": 1}}},
    {
        "id": "of-fields",
        "user": "What of {{what}}?",
        "output_schema": {"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]},
        "postprocess": {"defaults": {"by": "nobody"}, "fields": {"names": "$.items[*].name", "by": "$.by"}},
    },
]

SHAKY = (
    "shaky",
    "malformed",
    "impatient",
    "flagging",
    "hanging",
    "retired",
    "excusing",
    "thinking",
    "limiting",
    "unmet",
    "forgotten",
    "repeated",
    "replayed",
    "discreet",
    "fenced",
    "revised",
    "narrow",
    "shaky-judge",
)
"""Models whose far end answers as a test says; each test of a fault has its own, and so a circuit of its own."""


OF_SHAKY: dict[str, dict[str, Any]] = {
    "fenced": {"capabilities": ["tools"]},
    "narrow": {"context_window": 5_000, "max_output_tokens": 500},
    "shaky-judge": {"capabilities": ["json", "schema"], "by_name_only": True},
}
"""What some of them have of their own."""

GUARDED_WORD = "albatross"
"""What Bedrock's own guardrail stops."""

APPLICATIONS: list[dict[str, Any]] = [
    {"id": "campaigns", "tenant": "studio", "groups": ["marketing"]},
    {"id": "crm", "tenant": "studio", "groups": ["sales"]},
    {"id": "closed", "tenant": "studio", "groups": ["marketing"], "enabled": False},
    {"id": "campaigns", "tenant": "hostile", "groups": ["marketing"]},
]
"""Of two tenants; the second one calls its groups as the first one does."""

PERMISSIONS: list[dict[str, Any]] = [
    {
        "id": "creative",
        "models": ["creative"],
        "allow_only": {"tenants": ["studio"], "groups": ["marketing"]},
        "ask": "Ask the studio.",
    },
    {"id": "no-agents", "doors": ["mcp"], "within": {"tenants": ["studio"]}, "deny": {"applications": ["crm"]}},
]

ISSUER = "https://issuer.example"
AUDIENCE = "broker"


def registry(models_url: str, jwks_url: str, guardrail: str, shaky_url: str) -> dict[str, Any]:
    """A registry document, as `broker apply` reads it; the guardrail is one of Bedrock's."""
    guarded = {"provider": "bedrock", "name": "any.claude", "options": {"guardrail": {"id": guardrail}}}
    units = {"pii_units": 0.0001}
    judging = {"provider": "bedrock_guardrails", "name": guardrail, "tasks": ["moderate"], "unit_prices_usd": units}
    common = {
        "provider": "openai",
        "endpoint": f"{models_url}/v1",
        "secret": "providers/local",
        "tasks": ["chat"],
        "context_window": 2_000_000,
        "max_output_tokens": 1_000_000,
        "price_in_usd": PRICE_IN_USD,
        "price_out_usd": PRICE_OUT_USD,
        "rank": 900,
        "timeout_s": 30,
    }
    return {
        "models": [
            {"id": model_id, "name": f"small{facts['order']}", **common}
            | {name: value for name, value in facts.items() if name != "order"}
            for model_id, facts in ORDERS.items()
        ]
        + [common | ENDPOINT | {"id": "endpoint"}]
        + [common | engine for engine in ENGINES]
        + [
            common | {"id": model, "name": model, "endpoint": shaky_url, "timeout_s": 3} | OF_SHAKY.get(model, {})
            for model in SHAKY
        ]
        + [
            common
            | {"capabilities": ["json", "tools"]}
            | {"id": f"of-{name}", "name": "small", "provider": name, "endpoint": f"{models_url}{path}"}
            | facts
            for name, (path, facts) in _by_path()
        ]
        + [common | {"capabilities": ["tools"]} | each for each in odd_models(models_url)]
        + [
            common | {"name": "any", "endpoint": None, "secret": None, "id": model} | facts
            for model, facts in {**ON_AWS, "aws-guarded": guarded, "aws-guardrail": judging}.items()
        ]
        + [common | THINKER, EYES, READER],
        "tenants": [
            {"id": "guarded", "guardrails": ["herons"]},
            *({"id": name, "guardrails": [name]} for name in JUDGED),
            {"id": "reviewed", "guardrails": ["birds"], "webhook_secret": "tenants/demo/webhook"},
            {"id": "reviewed-too", "guardrails": ["birds"]},
            {"id": "trying", "guardrails": ["herons-tried"]},
            {"id": "discreet", "guardrails": ["discretion"], "redaction_secret": "redaction/discreet"},
            {
                "id": "retelling",
                "guardrails": ["discretion"],
                "redaction_secret": "redaction/discreet",
                "models": ["narrow"],
            },
            {"id": "fenced", "guardrails": ["fences"], "language": "de"},
            {"id": "keyless", "guardrails": ["discretion"]},
            {"id": "poor", "monthly_budget_usd": 1},
            {"id": "noting", "policy": {"block_card_numbers": False, "denied_terms": ["positive"]}},
            {"id": "crashing", "monthly_budget_usd": 1000, "webhook_secret": "tenants/demo/webhook"},
            {"id": "tokens", "models": ["answers"]},
            {"id": "alike", "cache_embedding_model": "answers"},
            {"id": "alike-by-titan", "cache_embedding_model": "aws-titan"},
            *({"id": tenant} for tenant in ("studio", "hostile")),
        ],
        "aliases": [{"id": "muses", "models": ["creative", "answers"]}],
        "applications": APPLICATIONS,
        "permissions": PERMISSIONS,
        "guardrails": POLICIES
        + [{"id": name, "rules": rules, "shadow": "shadow" in name} for name, rules in JUDGED.items()],
        "routes": ROUTES,
        "prompts": PROMPTS,
        "sources": [
            {"account": "000000000000", "source": "tests.orders", "tenant": "demo"},
            {"account": "000000000000", "source": "tests.crashing", "tenant": "crashing"},
            {"account": "000000000000", "source": "tests.judged", "tenant": "judged"},
            {"account": "000000000000", "source": "tests.reviewed", "tenant": "reviewed"},
            {"account": "000000000000", "source": "tests.fenced", "tenant": "fenced"},
            {"account": "000000000000", "source": "tests.crm", "tenant": "studio", "application": "crm"},
        ],
        "issuers": [
            {"issuer": ISSUER, "jwks_uri": jwks_url, "audience": AUDIENCE, "tenant_claim": "org"}
            | {f"{kind}_claim": kind for kind in ("application", "groups", "roles")},
        ],
    }


def _by_path() -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    for name, facts in OTHERS.items():
        yield name, (facts.get("path", "/v1"), {each: value for each, value in facts.items() if each != "path"})
