"""Tokens of a prompt by what a provider charges for them: read anew, from its prompt cache, or into it."""

from typing import NamedTuple


class CachedInput(NamedTuple):
    """Of all the tokens of a prompt, those that a provider's cache had to do with. The others were read anew."""

    read: int = 0
    """What was there already."""
    written: int = 0
    """What is there from now on, for some minutes."""
    written_1h: int = 0
    """The same for an hour, which costs more."""

    def within(self, tokens: int) -> "CachedInput":
        """No more than there are: a provider whose counts are at odds is not paid twice for a token."""
        read = min(self.read, tokens)
        written = min(self.written, tokens - read)
        return CachedInput(read, written, min(self.written_1h, tokens - read - written))


NOT_CACHED = CachedInput()
