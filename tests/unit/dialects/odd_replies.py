"""Replies that services really give, and that no reference shows: each with the answer, or the error, that is right.

A row is a reply (a body and perhaps headers), and what comes of it: the text, the JSON or the arguments of the calls;
or a class, and the tokens that are charged.
"""

from tests.unit.dialects.odd import Odd
from tests.unit.dialects.odd_openai import OPENAI
from tests.unit.dialects.odd_others import ANTHROPIC, COHERE, GEMINI

ODD: dict[str, Odd] = {
    f"{row.provider}: {name}": row for table in (OPENAI, ANTHROPIC, GEMINI, COHERE) for name, row in table.items()
}
