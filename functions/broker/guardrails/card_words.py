"""Words that say of a number near them that it is a payment card's, or that it is something else's."""

import re
from functools import cache, cached_property

from broker.guardrails.mentions import Mentions, Vocabulary, of_kinds
from broker.guardrails.patterns import pattern
from broker.guardrails.work import Work

WORDS = {
    "card": (
        *("card", "cards", "credit", "debit", "creditcard", "debitcard", "cardnumber", "card_number", "cardholder"),
        *("visa", "mastercard", "master card", "amex", "american express", "maestro", "diners", "discover", "jcb"),
        *("rupay", "dankort", "laser", "instapayment", "uatp", "mir", "elo", "hipercard", "troy", "verve", "bc card"),
        *("cc", "ccn", "ccnum", "cc_number", "pan", "cvv", "cvv2", "cvc", "cvc2", "cvn", "expiry", "expires", "exp"),
        *("*kreditkarte*", "*karte", "*karten", "kartennr", "kartennummer", "carte", "cartes", "tarjeta", "tarjetas"),
        *(
            "cartão",
            "cartao",
            "cartões",
            "cartoes",
            "carta",
            "carte di",
            "*kaart",
            "*kaartnummer",
            "*kort",
            "kortnummer",
        ),
        *("kortti", "karta", "karty", "karte", "kart", "kartı", "kártya", "κάρτα", "карта", "карты", "карте", "карту"),  # noqa: RUF001
        *("картка", "картки", "卡号", "卡號", "银行卡", "信用卡", "カード", "카드", "कार्ड", "بطاقة", "כרטיס", "บัตร"),
    ),
    "union_pay": ("unionpay", "union pay", "银联", "銀聯"),
    "other": (
        *("order", "orders", "order_id", "orderid", "tracking", "track", "shipment", "parcel", "invoice", "ticket"),
        *("reference", "ref", "serial", "imei", "imsi", "iccid", "isbn", "ean", "gtin", "upc", "sku", "timestamp"),
        *("ts", "build", "job", "request", "transaction", "trace", "session", "bestellung", "bestellnummer"),
        *("sendungsnummer", "rechnung", "rechnungsnummer", "auftrag", "auftragsnummer", "commande", "facture", "suivi"),
        *("pedido", "factura", "fatura", "ordine", "fattura", "bestelling", "factuur", "订单", "单号", "注文番号"),
    ),
}
BEFORE, AFTER = 60, 40
"""How near such a word stands, in characters."""

LINK = pattern(
    r"[ _-]?(?:numbers?|no|nr|id|code|nummer|número|numéro|numero|num)?\.?[ \"']{0,2}"
    r"(?:is|was|ist|est|es|è|é|[=:#：])?[ \"'#]{0,3}",  # noqa: RUF001 - the colon of Chinese
    re.IGNORECASE,
)
"""What may stand between the name of a number and the number."""

LONGEST_LINK = 24

AROUND, MOST_ALONE = 120, 50
"""Characters around a number in which its words are looked for, and how many numbers are looked at so; where there are
more, all words of the text are found at once."""


class Near:
    """What the words of one text say of its numbers; read at the first question about a number."""

    def __init__(self, text: str, work: Work):
        self._text = text
        self._work = work
        self._last: tuple[int, Mentions[str]] | None = None
        self._asked = 0

    def card(self, begin: int, end: int) -> bool:
        """True when words just before or after speak of a card."""
        return self._has(("card", "union_pay"), begin, end)

    def union_pay(self, begin: int, end: int) -> bool:
        """True when UnionPay is named just before or after."""
        return self._has(("union_pay",), begin, end)

    def something_else(self, begin: int) -> bool:
        """True when the words right before call the number an order, a shipment, a time and the like."""
        return any(
            each.tag == "other" and LINK.fullmatch(self._text, each.end, begin)
            for each in self._around(begin).before(begin, LONGEST_LINK)
        )

    @cached_property
    def _mentions(self) -> Mentions[str]:
        return _vocabulary().mentions(self._text, self._work)

    def _around(self, begin: int) -> Mentions[str]:
        if self._asked > MOST_ALONE or len(self._text) < MOST_ALONE * AROUND:
            return self._mentions
        if self._last is None or self._last[0] != begin:
            self._asked += 1
            self._last = begin, _vocabulary().mentions(self._text, self._work, begin - AROUND, begin + AROUND)
        return self._last[1]

    def _has(self, tags: tuple[str, ...], begin: int, end: int) -> bool:
        before, after = self._around(begin).before(begin, BEFORE), self._around(begin).after(end, AFTER)
        return any(each.tag in tags for each in before) or any(each.tag in tags for each in after)


def is_card_word(word: str) -> bool:
    """True for letters that may be glued to a card number: `card4111…`."""
    return len(word) == 1 or word.lower() in WORDS["card"]


@cache
def _vocabulary() -> Vocabulary[str]:
    return of_kinds(WORDS)
