"""Which language an answer is told to be in, and when nothing is said."""

import pytest
from broker.postprocessing.languages import KNOWN, SCRIPTS, WORDS, other_than

SAID = {
    "en": "The keeper went to the lamp, and it was not lit, for there was no oil in the house that night.",
    "de": "Der Wärter ging zu der Lampe, und sie war nicht an, denn es gab kein Öl für das Haus in dieser Nacht.",
    "fr": "Le gardien est allé vers la lampe, mais elle ne brûlait pas, car il n'y avait plus d'huile dans la maison.",
    "es": "El guardián fue a la lámpara, pero no estaba encendida, porque no había aceite en la casa por la noche.",
    "pt": "O guarda foi até a lâmpada, mas não estava acesa, porque não havia óleo na casa e a noite era uma só.",
    "it": "Il guardiano è andato alla lampada, ma non era accesa, perché non c'era olio nella casa di notte.",
    "nl": "De wachter ging naar de lamp, maar die was niet aan, want er was die nacht geen olie in het huis.",
    "pl": "Strażnik poszedł do lampy, ale nie paliła się, bo w domu nie było oleju i to była jego wina.",
    "sv": "Vakten gick till lampan, men den var inte tänd, för det fanns ingen olja i huset och han var trött.",
    "da": "Vagten gik hen til lampen, men den var ikke tændt, for der var ingen olie i huset og jeg var træt.",
    "tr": "Bekçi lambaya gitti ama yanmıyordu, çünkü bu evde yağ yoktu ve gece için daha çok şey gerekiyordu.",
    "ru": "Смотритель подошёл к лампе, но она не горела, потому что в доме не было масла, и он это знал.",
    "uk": "Доглядач підійшов до лампи, але вона не горіла, бо в будинку не було олії, і він це знав, як і всі.",
    "ja": "番人はランプのところへ行きましたが、家に油がなかったので点いていませんでした。",
    "zh": "看守人走到灯前，但灯没有亮，因为那天晚上房子里没有油。",
    "ko": "등대지기는 램프로 갔지만 집에 기름이 없어서 켜져 있지 않았다.",
    "el": "Ο φύλακας πήγε στη λάμπα, αλλά δεν ήταν αναμμένη.",
    "he": "השומר הלך אל המנורה אבל היא לא דלקה כי לא היה שמן בבית.",
    "ar": "ذهب الحارس إلى المصباح لكنه لم يكن مضاء لأنه لم يكن هناك زيت.",
    "hi": "रखवाला दीपक के पास गया, पर वह जल नहीं रहा था।",
    "th": "ผู้ดูแลเดินไปที่ตะเกียง แต่มันไม่ได้จุดไฟเพราะไม่มีน้ำมันในบ้าน",
}


def test_each_language_is_known_by_its_script_or_words() -> None:
    assert set(SAID) == set(KNOWN)
    for _, _, languages in SCRIPTS:
        assert len(languages) == 1 or {*languages} <= {*WORDS, "ja", "zh"}


@pytest.mark.parametrize("language", KNOWN)
def test_an_answer_is_in_its_own_language(language: str) -> None:
    assert other_than([language], SAID[language]) is None
    assert other_than(KNOWN, SAID[language]) is None


NEAR = ({"da", "sv"}, {"ru", "uk"}, {"es", "pt"}, {"ja", "zh"})
"""Too near each other for one sentence."""


@pytest.mark.parametrize("asked", KNOWN)
@pytest.mark.parametrize("language", KNOWN)
def test_an_answer_in_another_is_told(asked: str, language: str) -> None:
    if asked == language or any({asked, language} <= near for near in NEAR):
        return
    assert other_than([asked], SAID[language]) is not None


def test_the_language_is_told_where_it_is_known() -> None:
    assert other_than(["en"], SAID["de"]) == "de"
    assert other_than(["en", "fr"], SAID["ko"]) == "ko"
    assert other_than(["en"], SAID["ru"]) == "cyrillic script"


@pytest.mark.parametrize(
    "text",
    [
        *("", "OK.", "42", "Ja.", "München, Köln", "4711-0815 // 17:30", "def der(die, das):\n    return 1"),
        "```\nder die das und ist nicht\n```\nSee above.",
        "The word 'Fernweh' is German; der, die and das are its articles, and they are hard.",
        "The heading 東京 is the name of the city.",
    ],
)
def test_what_says_little_is_in_no_wrong_language(text: str) -> None:
    assert other_than(["en"], text) is None
