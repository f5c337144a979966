"""Packing with a dictionary: what it saves, what it does not cost, and that nothing ever becomes unreadable."""

import json
import random
import zlib
from typing import Any

import pytest
from broker.cloud.packing import pack, unpack

UNIT = 1024
"""Bytes that one write unit of DynamoDB holds."""

KEYS = 75
"""Of them, what an input's item takes beside what is packed: its keys, the attributes' names, the time to live."""

REPORT = """\
The committee met on Tuesday to discuss the repairs to the old stone bridge at the lower end of the town. Mrs Okafor,
who has been the engineer for the district since last spring, explained that two of the five arches had moved during
the floods in November, and that the road above them was no longer safe for heavy vehicles. She had asked three
companies for an estimate; the lowest was a little more than what the council had set aside for the whole year.
Several members said that the work could not wait, because the next bridge is eleven miles away and the school bus
would need another forty minutes each morning. Others thought that a temporary structure, like the one that the army
had built upstream, might be enough until the government decided about its own share of the cost. Mr Lindqvist
reminded everyone that such a thing had been promised once before, and that it had taken six years. After a long
debate it was agreed to close the bridge to everything above three tonnes, to write to the minister before the end of
the month, and to open a fund to which people and local businesses could contribute. The secretary will prepare a
leaflet that explains the situation in plain words. There was also a short report from the library, where the number
of visitors has gone up by a third since it began to open on Sunday afternoons. The librarian would like to keep it
that way, but she needs one more person to help at the desk, or at least some volunteers. The chair thanked her and
said that this would be on the agenda of the next meeting. Finally, the members walked down to the river together to
see the damage for themselves. The water was still high and brown, and a large branch had caught between the second
and the third arch. Nobody said very much on the way back.
"""

LETTER = """\
Hello, I bought one of your coffee grinders about six weeks ago and I am writing because it has stopped working. At
first everything was fine, and I was really happy with it: it was quiet, it was easy to clean and the coffee tasted
much better than before. Then, one morning last week, it made a strange noise and there was a smell of something
burning. I turned it off immediately and let it cool down for an hour, but when I tried again nothing happened at all.
I have checked the plug and the fuse, and I have read the instructions twice. I also looked at the questions on your
website, where somebody else described exactly the same problem, but the answer there was only to press the button on
the bottom for ten seconds. I have done that several times without any success. My order number is 48213, and I have
attached a copy of the receipt as well as two photographs which show the inside. I would prefer to get a new machine
rather than my money back, if that is possible, because I think that I was just unlucky. However, I am going to be
away from the third to the twentieth of next month, so please do not send anything during that time, since there would
be nobody at home to accept the package. Could you please tell me what I should do with the old one? Should I return
it, and if so, who is going to pay for the postage? The shop where my neighbour bought hers told her that they usually
collect the broken machine when they deliver the other, which seems like a sensible arrangement to me. I would be
grateful for an answer before the weekend. If it is easier for you to call me, you can reach me at work between nine
and five on every day except Wednesday. Thank you very much for your help, and I hope that we can find a good
solution. Best regards, and a happy new year to all of you. P.S. Please also let me know whether the guarantee starts
again with the new one or whether it ends when the old one would have.
"""

GERMAN = (
    "Die Sitzung begann mit zwanzig Minuten Verspätung, weil der Zug aus Köln im Schnee stand. Über das Budget " * 9
)
JAPANESE = "会議は二十分遅れて始まりました。予算については来週の水曜日に改めて話し合うことになりました。" * 9


def plain(document: Any) -> int:
    return len(zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 6))


@pytest.mark.parametrize("text", [REPORT, LETTER], ids=["report", "letter"])
def test_a_page_of_english_fits_a_write_unit_only_with_the_dictionary(text: str) -> None:
    document = {"model": "small", "input": {"text": text}}
    assert plain(document) + KEYS > UNIT
    assert len(pack(document)) + KEYS <= UNIT
    assert unpack(pack(document)) == document


@pytest.mark.parametrize("text", [GERMAN, JAPANESE, ""], ids=["German", "Japanese", "empty"])
def test_other_texts_lose_no_more_than_the_dictionarys_name(text: str) -> None:
    document = {"text": text}
    assert len(pack(document)) <= plain(document) + 4
    assert unpack(pack(document)) == document


def test_noise_loses_no_more_than_the_dictionarys_name() -> None:
    document = random.Random(3).randbytes(40_000).hex()
    assert len(pack(document)) <= plain(document) * 1.001 + 4
    assert unpack(pack(document)) == document


def test_what_was_packed_with_the_first_dictionary_is_read_for_ever() -> None:
    stored = "78bb80fa336f43e6c09aabe0d93ac8f429522702b9d0d553aa05003c7013ca"
    assert unpack(bytes.fromhex(stored)) == {"text": "There is a lighthouse at the end of the world."}


def test_what_was_packed_without_a_dictionary_is_read() -> None:
    assert unpack(zlib.compress(b'{"text":"old"}', 9)) == {"text": "old"}


def test_one_document_leaves_nothing_for_the_next() -> None:
    before = pack({"text": REPORT})
    pack({"text": LETTER})
    assert pack({"text": REPORT}) == before
