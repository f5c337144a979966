"""Fields of a service's own in a chat, beside what the broker sends: the request says them, for operators allow them.

They stand beside the broker's in the body; of Gemini in `generationConfig`, of Bedrock in
`additionalModelRequestFields`, where the model's own fields are. What the broker says itself is never overwritten.
"""

from collections.abc import Collection, Mapping
from typing import Any

TAKE = frozenset({"anthropic", "azure", "bedrock", "cohere", "gemini", "huggingface", "mistral", "openai"})
"""Providers whose chats have such fields."""

OWN = frozenset(
    {
        *("model", "messages", "contents", "input", "system", "systemInstruction"),
        *("tools", "tool_choice", "toolConfig"),
        *("stream", "stream_options", "response_format", "responseMimeType", "responseJsonSchema", "responseSchema"),
        *("n", "candidateCount", "num_generations", "best_of"),
        *("max_tokens", "max_completion_tokens", "maxOutputTokens", "max_output_tokens", "max_tokens_to_sample"),
        *("temperature", "top_p", "topP", "p", "stop", "stop_sequences", "stopSequences", "seed", "random_seed"),
        *("user", "metadata", "safety_identifier", "cache_control", "cachedContent"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "modelId", "inferenceConfig"),
        *("guardrailConfig", "requestMetadata"),
    }
)
"""Fields that the broker says, or that would change what an answer is or may cost: nobody may be allowed them."""


def fault(provider: str, names: Collection[str]) -> str | None:
    """What is wrong with a list of fields that a model of a provider is to take, if anything."""
    if names and provider not in TAKE:
        return f"{provider} has no fields of its own that may be sent; {', '.join(sorted(TAKE))} have"
    if own := sorted(OWN.intersection(names)):
        return f"{', '.join(own)}: what the broker says itself, nobody may send"
    return "one is there twice" if len(set(names)) < len(names) else None


def beside(asked: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What the broker sends, and beside it what else is asked for; an object that both have holds what both say."""
    made = dict(asked)
    for name, value in extra.items():
        mine = made.get(name)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            made[name] = beside(mine, value)
        elif name not in made:
            made[name] = value
    return made
