"""A model that thinks before it answers; registered with all else, for a model is known half a minute later."""

from typing import Any

THINKER: dict[str, Any] = {
    "id": "thinker",
    "name": "small!echo",
    "provider": "anthropic",
    "capabilities": ["tools", "reasoning"],
}
"""The local models sign what they thought, and refuse it where it comes back with another text."""
