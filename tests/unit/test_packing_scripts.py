"""Packing texts of other scripts: fewer bytes, and always the same text again."""

import json
import sys
import zlib
from typing import Any

import pytest
from broker.cloud import packing
from broker.cloud.packing import pack, unpack
from broker.cloud.scripts import LONGEST, SCRIPTS, script_of
from broker.cloud.words import ENGLISH_1
from hypothesis import given
from hypothesis import strategies as st

from bench.texts import texts

UNIT = 1024
KEYS = 75
"""Bytes of an input's item beside what is packed (tests/unit/test_packing.py)."""

SAID = {
    "Russian": "Заседание началось с опозданием на двадцать минут, потому что поезд из Твери стоял в снегу. ",
    "Japanese": "雪で電車が止まったため、会議は二十分遅れて始まりました。予算は来週の水曜日に決めます。",
    "Korean": "눈 때문에 기차가 멈춰서 회의는 이십 분 늦게 시작되었습니다. 예산은 다음 주에 정합니다. ",
    "Chinese": "由于大雪，火车停了下来，会议晚了二十分钟才开始。预算问题将在下星期三再讨论。",
    "Greek": "Η συνεδρίαση άρχισε με είκοσι λεπτά καθυστέρηση, επειδή το τρένο έμεινε στο χιόνι. ",
    "Hebrew": "הישיבה התחילה באיחור של עשרים דקות משום שהרכבת נתקעה בשלג. ",
    "Arabic": "بدأت الجلسة متأخرة عشرين دقيقة لأن القطار توقف في الثلج. ",
    "Thai": "การประชุมเริ่มช้าไปยี่สิบนาทีเพราะรถไฟติดอยู่ในหิมะ ",
}

ODD = '¥1,200 ‾ ～ − ‖ \\ " \u2028 \x00 🙂 ☃ é ß \ufeff \u00a0'
"""What some encodings do not have, or write as they write something else."""


STORED = (
    "78bb5c6cbcb383a7206c8947a91600254b146a",
    "78bb70a27d428347dbd4a297e91ddf4eff3c717ae1cab669ef6a4151b7fbe1c9e727ae6edc37ad66dfca53a74f1dba7e65fb35a55a000faf20d5",
    "78bbe2414a5183c72511d1a8540b004c5c1a5e",
    "78bb70a27d4283471bb151a6540b0054242396",
    "78bbfc890e1b83871ab60053aa050017a91396",
    "78bb6a9fb56683fb039b17946a01107812ac",
    "78bbdedec45e837b139b0f956a01068b1198",
    "78bb1254a69a833b109be3946a011a481351",
)
"""The first words of each script, packed when it came."""


def english(document: Any) -> int:
    """Bytes with the dictionary of English alone."""
    packer = zlib.compressobj(packing.LEVEL, zdict=ENGLISH_1)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return len(packer.compress(text) + packer.flush())


@pytest.mark.parametrize("text", SAID.values(), ids=SAID)
def test_a_text_of_another_script_takes_fewer_bytes(text: str) -> None:
    document = {"text": text}
    assert len(pack(document)) < 0.85 * english(document)
    assert unpack(pack(document)) == document


@pytest.mark.parametrize("kind", ["japanese", "russian"])
def test_two_kilobytes_fit_one_write_unit(kind: str) -> None:
    document = {"model": "small", "input": {"text": texts()[kind]}}
    assert english(document) + KEYS > UNIT or kind == "russian"
    assert len(pack(document)) + KEYS <= UNIT


@pytest.mark.parametrize("text", SAID.values(), ids=SAID)
def test_what_an_encoding_does_not_have_comes_back_as_it_was(text: str) -> None:
    for odd in (*ODD.split(" "), ODD):
        document = {f"{text}{odd}": [f"{odd}{text}", {"a": odd + text * 3, "b": None, "c": 1.5}]}
        assert unpack(pack(document)) == document


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.encoding)
def test_each_letter_comes_back_from_each_encoding(script: Any) -> None:
    """All of Unicode, in parts: a lossy encoding is found out by reading what was written."""
    filler = script.words[-40:] * 60
    for begin in range(0, sys.maxunicode, 0x8000):
        letters = "".join(chr(code) for code in range(begin, begin + 0x8000) if not 0xD800 <= code < 0xE000)
        document = {"text": filler + letters}
        assert script_of(document["text"]) is script
        assert unpack(pack(document)) == document


@given(st.text(), st.sampled_from(sorted(SAID)))
def test_any_text_comes_back(more: str, kind: str) -> None:
    document = {"text": SAID[kind] + more}
    assert unpack(pack(document)) == document


def test_a_text_that_is_long_is_packed_as_it_is() -> None:
    """So that letters which an encoding does not have are escaped one by one in short texts only."""
    text = SAID["Japanese"] + "é☃" * LONGEST
    assert script_of(text) is None
    assert unpack(pack({"text": text})) == {"text": text}


@pytest.mark.parametrize(
    "text", ["", "plain", "naïve café", "Straße " * 50, "🙂" * 40, "one Привет among " + "many " * 50]
)
def test_latin_texts_are_packed_as_before(text: str) -> None:
    assert script_of(text) is None
    assert len(pack({"text": text})) == english({"text": text})


def test_what_was_packed_once_is_read_for_ever() -> None:
    for script, stored in zip(SCRIPTS, STORED, strict=True):
        assert unpack(bytes.fromhex(stored)) == {"text": script.words.strip()[:20]}
