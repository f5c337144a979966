"""What each dialect takes of a conversation: the rules by which `history` makes one provider's answer fit the next.

A row says what the dialect refuses, by its documentation and by what its service is known to answer. What a single
model refuses although its dialect takes it, operators say in its registry entry (`abilities`).
"""

import re
from dataclasses import dataclass
from typing import Literal

WORD = r"[a-zA-Z0-9_-]"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row."""

    identity: re.Pattern[str]
    """Of a tool call's id, as a whole; another becomes a hash. All are unique over a whole request."""
    identity_length: int = 32
    """Of the ids that are made."""
    name: re.Pattern[str] = re.compile(rf"{WORD}{{1,64}}")
    """Of a tool."""
    name_length: int = 64
    system: Literal["apart", "first", "anywhere"] = "apart"
    """Where instructions stand: beside the turns, in one message before them, or wherever they were given."""
    developer: bool = False
    """Whether there are developers; else they are the system."""
    speakers: bool = False
    """Whether messages may have a `name`; else it is left out, for no other place would mean the same."""
    merged: bool = False
    """Whether turns of one role that follow each other have to be one."""
    begins: bool = True
    """Whether a user has to speak first."""
    prefill: bool = True
    """Whether the last word may be the model's, for it to go on with."""
    user_after_results: bool = True
    """Whether a user may speak before the model has answered to its tools' results."""
    sees_results: bool = False
    """Whether a tool's result may hold pictures; else they follow in a user's turn."""
    pictures: frozenset[str] | None = None
    """Media types that it takes; None for whatever it makes of them itself."""
    undeclared: Literal["kept", "declared", "words"] = "kept"
    """Tool calls of a history whose request has no tools: they are taken as they are, or the tools have to be declared
    (and are forbidden), or the calls are told in words, where tools that are declared cannot be forbidden."""
    thoughts: str = ""
    """The provider whose signed thoughts it takes back (`wire.reasoning`); empty for none."""
    passes_on: bool = False
    """Whether content is in OpenAI's parts, of which those that are neither text nor picture are the service's own
    affair."""


PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
WORDS = re.compile(rf"{WORD}{{1,64}}")
VISIBLE = re.compile(r"[\x21-\x7e]{1,40}")
"""OpenAI's limit is on the length alone. Some models read meaning in their own ids (`functions.look_up:0`)."""

OPENAI = Dialect(VISIBLE, system="anywhere", developer=True, speakers=True, begins=False, passes_on=True)
AZURE = Dialect(VISIBLE, system="anywhere", speakers=True, begins=False, passes_on=True)
"""Dated versions know no developers, and none takes them beside the system."""
COMPATIBLE = Dialect(VISIBLE, system="first", passes_on=True)
"""Servers that fill in a model's own chat template, most of which take one system's message, and that first."""
MISTRAL = Dialect(
    re.compile("[a-zA-Z0-9]{9}"),
    identity_length=9,
    system="first",
    prefill=False,
    user_after_results=False,
    passes_on=True,
)
ANTHROPIC = Dialect(
    WORDS,
    name=re.compile(rf"{WORD}{{1,128}}"),
    name_length=128,
    merged=True,
    sees_results=True,
    pictures=PICTURES,
    undeclared="declared",
    thoughts="anthropic",
)
GEMINI = Dialect(
    WORDS,
    name=re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}"),
    merged=True,
    pictures=frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}),
)
COHERE = Dialect(WORDS, system="first", prefill=False, undeclared="words")
CONVERSE = Dialect(WORDS, merged=True, sees_results=True, pictures=PICTURES, undeclared="words", thoughts="bedrock")
