"""RTF as Word and LibreOffice write it."""

import pytest
from broker.documents.extract import rtf

HEAD = rb"{\rtf1\ansi\deff0{\fonttbl{\f0\fnil\fcharset0 A;}{\f1\fnil\fcharset204 B;}{\f2\fnil\fcharset128 C;}}"


def pages(body: bytes) -> list[str]:
    return [" ".join(page.split()) for page in rtf.text_of(HEAD + body + b"}").split(rtf.MARK)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (rb"\sectd\sbkpage One\par\sect\sectd Two", ["One", "Two"]),
        (rb"\sectd {One\sect }\sectd\sbknone Two\sect\sectd\sbkpage Three", ["One Two", "Three"]),
        (rb"One\page Two\par\pard\pagebb Three", ["One", "Two", "Three"]),
        (rb"{\*\x{\stylesheet{\s1\pagebb Head;}}}One", ["One"]),
        (rb"C:\\page\\sect\\v", [r"C:\page\sect\v"]),
    ],
)
def test_pages_are_those_that_were_begun(body, said):
    assert pages(body) == said


def test_notes_boxes_headers_and_footers_are_text():
    body = rb"{\header Head\par}{\footerr Foot\par}Body{\super 1{\footnote \pard a {\b note\}}}} goes on"
    body += rb"{\shp{\*\shpinst\shpleft1{\sp{\sn name}{\sv value}}{\shptxt In a box}}{\shprslt again}}"
    assert pages(body) == ["Head Foot Body1 [a note}] goes on In a box"]


def test_what_was_deleted_or_hidden_is_left_out_and_nothing_behind_it():
    assert pages(rb"a{\deleted gone}b{\v hidden}c") == ["abc"]
    assert pages(rb"a\v hidden\v0 seen") == ["ahiddenseen"]


@pytest.mark.parametrize("binary", [b"}}}}}", b"{{{{{", rb"\page"])
def test_pictures_byte_by_byte_are_passed(binary):
    assert pages(rb"a{\pict\bin5 " + binary + rb"}b{\pict\bin999999999 x") in (["ab"], ["a b"])


def test_letters_of_each_font_and_of_unicode():
    body = rb"\f1\'cf\'f0\'e8 \f2\'82\'a0\'82\'a2 \f0\uc2\u27721\'ba\'ba \uc0\u8364 x"
    assert pages(body) == ["При あい 汉 €x"]


def test_a_note_without_end_and_very_many_of_them_end():
    assert "a" in pages(rb"a{\footnote " + b"{" * 100)[0]
    assert len(pages(rb"{\footnote n}" * 20_000)[0]) >= 60_000
