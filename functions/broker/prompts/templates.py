"""Prompt templates (table `registry`, pk `PROMPT#id`, sk `V#0001`; `LATEST` names the newest version).

A template has a `system` and a `user` part with `{{variable}}` places. Filling is plain replacement in one pass, so a
value that itself holds `{{…}}` stays as it is.
"""

import re
from typing import Any

from broker.errors import InvalidRequest, NotFound
from broker.storage import Database

PLACE = re.compile(r"\{\{\s*([a-z][a-z0-9_]{0,63})\s*\}\}")


class Prompts:
    """The templates of the deployment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def messages(self, wanted: dict[str, Any]) -> list[dict[str, str]]:
        """Fill a template.

        Args:
            wanted: `{"id", "version"?, "variables"?}` of the request.

        Returns:
            Messages to put before the request's own.

        Raises:
            NotFound: there is no such template or version.
            InvalidRequest: a variable is missing or superfluous; the message names it.
        """
        pk = f"PROMPT#{wanted['id']}"
        version = wanted.get("version")
        item = self._database.get("registry", pk, f"V#{version:04}" if version else "LATEST")
        if item is None:
            raise NotFound("There is no such prompt or version.", code="unknown_prompt", param="prompt.id")
        values: dict[str, str] = wanted.get("variables", {})
        parts = {role: item[role] for role in ("system", "user") if item.get(role)}
        places = {name for text in parts.values() for name in PLACE.findall(text)}
        if missing := sorted(places - values.keys()):
            raise InvalidRequest(
                f"The prompt needs the variable {missing[0]!r}.",
                code="missing_variable",
                param=f"prompt.variables.{missing[0]}",
            )
        if extra := sorted(values.keys() - places):
            raise InvalidRequest(
                f"The prompt has no variable {extra[0]!r}.",
                code="unknown_variable",
                param=f"prompt.variables.{extra[0]}",
            )
        return [
            {"role": role, "content": PLACE.sub(lambda match: values[match.group(1)], text)}
            for role, text in parts.items()
        ]
