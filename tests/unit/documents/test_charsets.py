"""Encodings that files say they have: believed where they are those of texts, and never run where they are not."""

import codecs

import pytest
from broker.documents import decoding
from broker.encodings import PYTHONS_OWN, known

SAID = "Der Wärter schlief. \\u0041 plus b-99999"

HOSTILE = [
    *sorted(PYTHONS_OWN),
    *("unicode_escape", "raw_unicode_escape", "UNICODE-ESCAPE", "Punycode", "idna"),
    *("zlib", "bz2", "hex", "base64", "rot13", "uu", "quopri"),
    *("", "x" * 300, "../utf-8", "utf-8\x00", "no-such", "encodings.utf_8", "ä"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_encoding_of_texts_is_as_if_it_had_not_been_said(name: str) -> None:
    assert known(name) is None
    assert decoding.text_of(SAID.encode(), name) == SAID


@pytest.mark.parametrize("name", HOSTILE[:10])
def test_a_codec_of_pythons_own_is_not_run_whoever_names_it(name: str, document) -> None:
    """In a mail's body, in a part without its parts, in the head of a page."""
    header = f"Subject: Lamps\r\nContent-Type: text/plain; charset={name}\r\n\r\n".encode()
    assert document("a.eml", header + SAID.encode()).pages[0].text.endswith(SAID)
    odd = f"Subject: Lamps\r\nContent-Type: multipart/alternative; charset={name}\r\n\r\n".encode()
    assert SAID in document("a.eml", odd + SAID.encode()).pages[0].text
    page = f'<html><head><meta charset="{name}"></head><body><p>{SAID}</p></body></html>'
    assert document("a.html", page.encode()).pages[0].text == SAID


def test_each_encoding_that_texts_come_in_is_taken_by_the_name_that_mails_give_it() -> None:
    for name in ("us-ascii", "iso-8859-15", "windows-1251", "koi8-r", "big5", "gb18030", "euc-kr", "iso-2022-jp"):
        assert known(name) == codecs.lookup(name).name
    assert decoding.text_of("Маяк был тих".encode("koi8-r"), "KOI8-R") == "Маяк был тих"
