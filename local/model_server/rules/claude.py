"""What Claude models refuse by their version, wherever they are served (Anthropic, "Migration guide")."""

import re

from local.model_server.rules.common import refuse

_NAME = re.compile(r"claude-(?:opus|sonnet|haiku)-(\d)(?:-(\d)(?!\d))?")
ONE_SAMPLING, NO_PREFILL, NO_SAMPLING = (4, 5), (4, 6), (4, 7)
"""The versions from which on."""


def check(model: str, *, temperature: object, top_p: object, prefilled: bool) -> None:
    """Refuse what the model does not take."""
    found = _NAME.search(model)
    if not found:
        return
    version = (int(found[1]), int(found[2] or 0))
    for name, value in (("temperature", temperature), ("top_p", top_p)):
        if value is not None and version >= NO_SAMPLING:
            refuse(f"`{name}` is deprecated for this model.")
    if temperature is not None and top_p is not None and version >= ONE_SAMPLING:
        refuse("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if prefilled and version >= NO_PREFILL:
        refuse("This model does not support assistant message prefill. The conversation must end with a user message.")
