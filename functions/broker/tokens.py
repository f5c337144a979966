"""Token counts before a model counts them: an estimate that errs on the high side for English and code.

Four characters a token is the providers' own rule of thumb for English; three bytes a token also covers scripts whose
letters take several bytes. The estimate guards windows and holds budgets; what is paid comes from the model's reply.
"""

import json
from typing import Any

BYTES_A_TOKEN = 3


def estimate(text: str) -> int:
    """Tokens of a text, about; at least one."""
    return max(1, -(-len(text.encode()) // BYTES_A_TOKEN))


def estimate_input(request: dict[str, Any]) -> int:
    """Tokens of a stored request's material, with its tools and its schema."""
    parts = [request.get("input", {}), request.get("output_schema", {})]
    return estimate(json.dumps(parts, ensure_ascii=False))
