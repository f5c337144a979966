"""Textract as the tests' recipes name it; registered with all else, for a model is known half a minute later."""

EYES = {
    "id": "paper-eyes",
    "provider": "textract",
    "name": "textract",
    "tasks": ["extract_text"],
    "context_window": 128_000,
    "max_output_tokens": 1,
    "price_in_usd": 0,
    "price_out_usd": 0,
    "unit_prices_usd": {"pages": 0.0015},
    "timeout_s": 240,
    "rank": 900,
}
"""On this machine it takes seconds, and begins anew each time."""

PRICES = {"pages": 0.0015, "forms": 0.0485, "tables": 0.015}
READER = {**EYES, "id": "form-reader", "unit_prices_usd": PRICES, "asynchronous": True, "tenant_at_once": 1}
