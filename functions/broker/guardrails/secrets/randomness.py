"""Whether a value looks made by a machine, and whether it is only a stand-in for one."""

import math
import re
from collections import Counter

COMMON_PAIRS = frozenset(
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic "
    "ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un "
    "lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev "
    "ld ry mp fe bl ab gh ty op wo sa ay ex ke ui ck ap by ag do ef if up ok ey db ks pi bu ub da va ps sp cr ru lu "
    "py js bo ob ba au tc fa ff gi go gr tt ds ws qu sc sk sl sw ue ys".split()
)
"""Pairs of letters of which words and names in code are made: two of three in text, one of five in random letters."""

PLACEHOLDER = re.compile(
    r"""(?ix)
    \A(?: .{0,40}? (?<![a-z0-9]) (?: example|sample|dummy|placeholder|change[-_ ]?(?:me|it|this)
        |replace[-_ ]?(?:me|with|this)|redacted|insert[-_ ]|your[-_ ]?|fake[-_ ]|not[-_ ]?a[-_ ]?|todo|fixme
        |my[-_ ]?(?:secret|token|key|pass|api)) .*
    | .{0,40}? (?: x{5}|\*{3}|\.{3}|0{8}|1{8}|01234567890123|(?:deadbeef) ) .*
    | [$%@] [\w{(\[] .* | \{+ .* | <+ .* | \[ .* \] | %\w+% | %[sdvqrx] | .* \$\{ .* | .* \{\{ .* | .* <[\w -]{2,}> .*
    | (.)\1* | [-_.*xX]+ | (?:none|null|nil|true|false|undefined|default|empty|optional|required|string|unset)
    )\Z | .* (?-i:EXAMPLE) """
)
"""What manuals and templates write instead of a secret, and what refers to one that stands elsewhere."""

TEST_KEYS = ("sk_test_", "rk_test_", "pk_test_", "pk_live_", "whsec_test", "sq0idp-", "sandbox-sq0idp-")
"""No secrets by their issuers' own word: test mode, publishable keys, public ids (docs.stripe.com/keys)."""

HASH_NAMES = re.compile(
    r"(?i)(?:sha[-_]?(?:1|224|256|384|512|\b)|md5|commit|checksum|integrity|digest|(?<![a-z])rev(?:ision)?\b|blob"
    r"|etag|fingerprint|tree/|tgz|resolved|git@|public|pub[-_]?key)"
)
"""Beside one of these, a row of hex digits is a hash of something public."""


JUDGED = 160
"""Characters of a value that are looked at: more say nothing new."""

LEAD = 24
"""A generated value has a digit among so many characters."""

DIGIT, LETTER, NO_LETTERS = re.compile("[0-9]"), re.compile("[A-Za-z]"), re.compile("[^A-Za-z]")
CAPITALS, SMALL = re.compile("[A-Z]"), re.compile("[a-z]")
HEX = re.compile(r"(?:[0-9a-f-]+|[0-9A-F-]+)\Z")


def entropy(value: str) -> float:
    """Shannon's, in bits for each character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_placeholder(value: str) -> bool:
    """True for what stands where a secret belongs."""
    return value.startswith(TEST_KEYS) or PLACEHOLDER.match(value[:JUDGED]) is not None


def looks_random(value: str, least: int = 16) -> bool:
    """True for hex digits, base 36, base 62 and base 64 as a generator makes them; never for words, names, paths."""
    size, value = len(value), value[:JUDGED]
    if size < least or len(set(value)) < min(8, size // 2) or not LETTER.search(value):
        return False
    if HEX.match(value):
        return size >= min(20, least + 4) and DIGIT.search(value) is not None and entropy(value) > 2.7
    if not DIGIT.search(value) and not _mixed(value):
        return False
    return entropy(value) > (3.0 if size < 24 else 3.3) and not reads_as_words(value)


def _mixed(value: str) -> bool:
    """Whether letters change case more often than in names."""
    letters = CAPITALS.sub("A", SMALL.sub("a", NO_LETTERS.sub("", value)))
    return len(letters) >= 12 and letters.count("aA") + letters.count("Aa") > len(letters) / 4


def reads_as_words(value: str) -> bool:
    """True when most of the letters are in runs that read as words: `my-service-token-2`, `getAccessToken1`."""
    runs = re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}", value)
    pairs = [run[i : i + 2].lower() for run in runs for i in range(len(run) - 1)]
    if not pairs or len(re.findall(r"(?<=[A-Za-z])[0-9]+(?=[A-Za-z])", value)) > 2:
        return False
    common = sum(pair in COMMON_PAIRS for pair in pairs) / len(pairs)
    share = sum(map(len, runs)) / len(value)
    return share > 0.5 and common > 0.5
