"""What the tests register beside the demo's registry: models that misbehave, and tenants with limits."""

from typing import Any

ORDERS: dict[str, dict[str, Any]] = {
    "answers": {"order": "", "tasks": ["chat", "embed"]},
    "bad-key": {"order": "!401"},
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
    "crashing": {"order": "", "name": "crashing"},
    "crashing-too": {"order": "", "name": "crashing-too"},
    "dying": {"order": "!500"},
    "lonely": {"order": ""},
    **{f"of-{provider}": {"order": "", "provider": provider} for provider in ("gemini", "huggingface", "mistral")},
    "dear": {"order": "", "price_in_usd": 1000, "price_out_usd": 1000},
}
"""Models by id; the order tells the local model server how to misbehave."""

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

ISSUER = "https://issuer.example"
AUDIENCE = "broker"


def registry(models_url: str, jwks_url: str) -> dict[str, Any]:
    """A registry document, as `broker apply` reads it."""
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
        + [common | ENDPOINT | {"id": "endpoint"}],
        "tenants": [
            {"id": "poor", "monthly_budget_usd": 1},
            {"id": "noting", "policy": {"block_card_numbers": False, "denied_terms": ["positive"]}},
            {"id": "crashing", "monthly_budget_usd": 1000, "webhook_secret": "tenants/demo/webhook"},
            {"id": "tokens", "models": ["answers"]},
            {"id": "alike", "cache_embedding_model": "answers"},
        ],
        "sources": [
            {"account": "000000000000", "source": "tests.orders", "tenant": "demo"},
            {"account": "000000000000", "source": "tests.crashing", "tenant": "crashing"},
        ],
        "issuers": [{"issuer": ISSUER, "jwks_uri": jwks_url, "audience": AUDIENCE, "tenant_claim": "org"}],
    }
