"""Secrets Manager: providers' keys and webhook secrets, kept in memory for five minutes."""

import json
from collections.abc import Callable
from typing import Any

from broker.clock import now_ms
from broker.errors import CredentialRejected

KEEP_MS = 300_000
"""How long a rotated secret may still be used in its old form."""


class Secrets:
    """Secrets below the stack's prefix, by short name."""

    def __init__(self, client: Any, prefix: str, clock: Callable[[], int] = now_ms) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._kept: dict[str, tuple[int, str]] = {}

    def get(self, name: str) -> str:
        """The secret's text.

        Raises:
            CredentialRejected: there is none of that name.
        """
        read_at, text = self._kept.get(name, (0, ""))
        if self._clock() - read_at >= KEEP_MS:
            try:
                reply = self._client.get_secret_value(SecretId=f"{self._prefix}{name}")
            except (
                self._client.exceptions.ResourceNotFoundException,
                self._client.exceptions.InvalidRequestException,  # it is about to be deleted
            ):
                raise CredentialRejected(f"There is no secret {name!r}.", code="no_secret") from None
            text = str(reply["SecretString"])
            self._kept[name] = (self._clock(), text)
        return text

    def get_list(self, name: str) -> list[str]:
        """A secret that may be several during rotation: one text, or a JSON list of texts, newest first."""
        text = self.get(name)
        return [str(each) for each in json.loads(text)] if text.startswith("[") else [text]
