"""The limits that a provider names in the headers of its replies, and what is left of them.

OpenAI, and who speaks its format, tell of requests and tokens by `x-ratelimit-limit-…` and `x-ratelimit-remaining-…`
(platform.openai.com/docs/guides/rate-limits), Mistral and Cerebras with the minute in the name; Anthropic by
`anthropic-ratelimit-…-limit` and `-remaining`, with tokens in and out apart (docs.anthropic.com/en/api/rate-limits).
All are of a minute. Bedrock names none.
"""

from collections.abc import Mapping, Sequence

MOST = 1_000_000_000
"""A minute: a larger number is no limit."""

REQUESTS = (
    ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute"),
    ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"),
)
TOKENS = (
    ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute"),
    ("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"),
)
"""Names of headers: of the limit, and of what is left."""

_ANTHROPIC, _WAYS = "anthropic-ratelimit-{}-tokens-{}", ("input", "output")


def rate_limits(headers: Mapping[str, str]) -> list[int] | None:
    """What a reply's headers, by lower-case name, tell of limits; None where that is nothing that can be used.

    Returns:
        Requests a minute, how many of them are left, tokens a minute, how many of them are left. A limit that is not
        named is 0.
    """
    requests, tokens = _first(headers, REQUESTS), _first(headers, TOKENS)
    apart = [_pair(headers, _ANTHROPIC.format(way, "limit"), _ANTHROPIC.format(way, "remaining")) for way in _WAYS]
    if all(limit for limit, _ in apart):  # `tokens` is then whichever of the two is nearer to its end
        tokens = apart[0][0] + apart[1][0], apart[0][1] + apart[1][1]
    return [*requests, *tokens] if requests[0] or tokens[0] else None


def _first(headers: Mapping[str, str], names: Sequence[tuple[str, str]]) -> tuple[int, int]:
    return next((found for pair in names if (found := _pair(headers, *pair))[0]), (0, 0))


def _pair(headers: Mapping[str, str], limit: str, left: str) -> tuple[int, int]:
    most = _whole(headers.get(limit))
    remaining = _whole(headers.get(left))
    return (0, 0) if not most else (most, most if remaining is None else min(remaining, most))


def _whole(value: str | None) -> int | None:
    """A whole number from 0; None for anything else, and for what is too large to mean something."""
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= len(str(MOST))):
        return None
    return int(value) if int(value) <= MOST else None
