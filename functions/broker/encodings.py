"""Which encodings of texts are taken from those who name one: all that Python knows, but for its own."""

import codecs

PYTHONS_OWN = frozenset(
    {"idna", "mbcs", "oem", "palmos", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)
"""No encodings of files ("Python Specific Encodings" of its `codecs`): `punycode` takes minutes for a megabyte."""


def known(name: str) -> str | None:
    """Python's name of an encoding; None where there is none of this name."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name in PYTHONS_OWN:  # `bz2`, `base64`: they stand in the same table
        return None
    return codec.name
