"""The exit statuses of the command, by kind of failure."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script goes by; `broker doctor` has three of its own, as it always had."""

    DONE = 0
    NOT_SUCCEEDED = 1
    USAGE = 2
    INVALID = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    LIMITED = 7
    UNAVAILABLE = 8
    NOT_YET = 9
    INTERRUPTED = 130


MEANING = {
    Exit.DONE: "it was done",
    Exit.NOT_SUCCEEDED: "it was done, and did not succeed: a job or rows that failed, a call that does not work",
    Exit.USAGE: "there is no such command, or its arguments are wrong; nothing was asked of anybody",
    Exit.INVALID: "the request, a file or a value is wrong (400, 413, 422)",
    Exit.NOT_ALLOWED: "no key or no credentials, or they do not allow it (401, 403)",
    Exit.NOT_FOUND: "there is no such thing, or not any more (404, 410)",
    Exit.CONFLICT: "as things stand it cannot be done (409)",
    Exit.LIMITED: "a budget or a limit does not allow it now (402, 429)",
    Exit.UNAVAILABLE: "nobody answered, or the service could not (5xx)",
    Exit.NOT_YET: "the time to wait was over before it ended; it goes on",
    Exit.INTERRUPTED: "it was interrupted from the keyboard",
}
"""In words, as the reference has them."""

BY_STATUS = {
    **dict.fromkeys((401, 403), Exit.NOT_ALLOWED),
    **dict.fromkeys((404, 410), Exit.NOT_FOUND),
    409: Exit.CONFLICT,
    **dict.fromkeys((402, 429), Exit.LIMITED),
}
"""Of the statuses of HTTP that are not told by their hundreds."""


def of_status(status: int) -> Exit:
    """The exit status for one of HTTP, as errors have it."""
    return BY_STATUS.get(status, Exit.INVALID if status < 500 else Exit.UNAVAILABLE)
