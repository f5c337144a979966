"""Credentials: by their issuers' formats, and by what stands beside them."""

import re
from collections.abc import Iterable

from broker.guardrails.checks.base import About
from broker.guardrails.spans import Span

ISSUED = (
    (("AKIA", "ASIA"), r"\b{}[A-Z0-9]{{16}}\b"),  # AWS access key ids
    (("-----BEGIN ",), r"{}[A-Z ]{{0,40}}PRIVATE KEY-----"),  # RFC 7468
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\b{}[A-Za-z0-9]{{36}}"),  # GitHub tokens
    (("github_pat_",), r"\b{}[A-Za-z0-9_]{{40}}"),
    (("sk-",), r"\b{}[A-Za-z0-9_-]{{20}}"),  # OpenAI, Anthropic and others like them
    (("rk_live_", "sk_live_"), r"\b{}[A-Za-z0-9]{{20}}"),  # Stripe
    (("AIza",), r"\b{}[A-Za-z0-9_-]{{35}}"),  # Google API keys
    (("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"), r"\b{}[A-Za-z0-9-]{{10}}"),  # Slack
    (("hf_",), r"\b{}[A-Za-z0-9]{{30}}"),  # Hugging Face
    (("ib_",), r"\b{}[A-Za-z0-9_-]{{43}}[0-9a-f]{{8}}\b"),  # our own
)
"""Credentials by the prefixes that their issuers publish, and what follows those, which is bounded."""

PREFIXES = tuple(prefix for prefixes, _ in ISSUED for prefix in prefixes)
"""Without one of them there is nothing to look for: ten times as quick to see as by the pattern."""

SECRETS = re.compile("|".join(form.format(f"(?:{'|'.join(prefixes)})") for prefixes, form in ISSUED))


class Secrets:
    """See `guardrails.secrets`."""

    version = "2"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        """See `Check.find`."""
        return [Span(*each.span(), "secret") for each in SECRETS.finditer(text)]
