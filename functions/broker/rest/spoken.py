"""Errors in the words of who called: all are made in the broker's own form, which is OpenAI's and more."""

from collections.abc import Mapping
from dataclasses import replace

from broker.rest.http import REST, Reply

VERSION = "anthropic-version"
"""The header that Anthropic's clients always send, by which their calls of shared paths are known."""

OWN = "messages"
"""What begins the paths that Anthropic's clients alone call."""

SHARED = ("models", "files", REST)
"""What begins paths that OpenAI's clients call as well; the last stands for paths that nobody answers."""


def in_dialect(resource: str, headers: Mapping[str, str], reply: Reply, path: str = "") -> Reply:
    """A reply with its error in Anthropic's form for its clients: known by the path, on a shared one by a header.

    Args:
        resource: of the route.
        headers: of the call.
        reply: in the broker's form.
        path: as it was called, where the resource is that of paths that nobody answers.
    """
    room = resource.split("/")[1]
    is_own = OWN in (room, *path.split("/")[1:2])
    if reply.status < 400 or not (is_own or (room in SHARED and VERSION in headers)):
        return reply
    from broker.doors.anthropic import error_of

    status, body = error_of(reply.status, reply.body["error"])
    return replace(reply, status=status, body=body)
