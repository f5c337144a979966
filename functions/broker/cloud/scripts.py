"""How texts of other scripts than the Latin are packed: in an encoding of their own, with a dictionary of theirs.

UTF-8 gives a Cyrillic letter two bytes and a Chinese one three, of which the first say nothing new; a compressor by
bytes pays for each of them all the same. In an encoding that was made for the script the same text packs to five sixths
or less. What an encoding does not have is written as JSON writes it where it may only use ASCII (RFC 8259, section 7).

A dictionary is part of what is stored, and stands for its encoding too, so no row ever changes: a better one is another
row, before it.
"""

import codecs
import json
import re
from dataclasses import dataclass
from functools import cache

from broker.cloud.words import ENGLISH_1

LONGEST = 65_536
"""Characters. A longer text is packed as it is: it costs many write units, and takes its time already."""

SAMPLE = 2_048
"""Characters that tell which script a text is in."""

LEAST = 0.1
"""Of them, what has to be of the script."""


@dataclass(frozen=True, slots=True)
class Script:
    """An encoding, the letters that it is for (a class of a regular expression), and what is frequent in it."""

    encoding: str
    letters: str
    words: str

    @property
    def dictionary(self) -> bytes:
        """English and our own keys, and then what is frequent."""
        return ENGLISH_1 + self.words.encode(self.encoding)

    def encoded(self, text: str) -> bytes:
        """JSON in this encoding."""
        _escaping()
        return text.encode(self.encoding, ESCAPING)


SCRIPTS = (
    Script(
        "cp1251",
        "\u0400-\u045f",
        " который время человек можно только если есть будет было был была были может должен нужно после когда"
        " чтобы также между через более очень него этого этот эта эти того тот для при под над без или уже ещё"
        " один два три год лет день всего всех все ение ания ость ться ется ются ного ному ными ских ской ский"
        " ого его ому ему ыми ими ная ное ные ный ить ать ять ает яет ют ет ал ла ло ли ов ев ам ям ах ях ом ем"
        " из-за от до за по о об к с у и не на в , что , а , но , как , чтобы , который . В . Но . И . Это . Он"
        " . На  и не  то, что  потому что  так как  в том, что , и ",
    ),
    Script(
        "euc_jp",
        "\u3040-\u30ff",
        "時間場所人々問題世界会社日本東京仕事自分今日昨日明日今年必要重要大切可能性以上以下最初最後一番二人"
        "それぞれしかしながらまたはそしてその後この時あの人どのようなそのようなこのようにとして、によって"
        "に対して、について、にとって、における、ばかりではなく、だけでなく、なければならない。ことができる。"
        "かもしれない。と思います。と考えられる。と言った。があります。がある。ではない。ていました。ていた。"
        "ている。ています。でした。である。だった。ませんでした。ません。なかった。ない。なります。なった。"
        "しました。します。した。する。された。される。ました。ます。です。という、ような、ために、ので、から、"
        "まで、けれど、でも、とき、もの、こと、ところ、には、では、とは、への、との、からの、が、は、を、に、で、"
        "と、も、の",
    ),
    Script(
        "cp949",
        "\uac00-\ud7a3",
        " 사람들 시간 문제 경우 때문에 그러나 그리고 하지만 또한 따라서 대한 대해 위해 통해 함께 다른 많은 모든"
        " 이러한 그런 어떤 우리 우리는 나는 그는 그들은 것이다. 것은 것을 것이 것으로 수 있는 수 있다. 수 없다."
        " 하고 있다. 하는 하여 하기 했다. 한다. 했습니다. 합니다. 있습니다. 있었다. 있다. 있는 없는 없다."
        " 입니다. 습니다. 되는 되었다. 된다. 되어 에서는 에서 에게 까지 부터 으로 에는 이라고 라고 들은 들이"
        " 들을 이다. 는 은 을 를 이 가 의 에 로 와 과 도 ",
    ),
    Script(
        "gb18030",
        "\u4e00-\u9fff",
        "时间问题世界公司中国人们工作生活社会国家政府经济发展技术系统服务信息管理使用进行通过提供需要可能应该"
        "必须已经正在开始继续虽然但是因为所以如果那么或者以及并且而且不过然后同时其中之间以后以前之后之前"
        "这些那些这个那个这样那样什么怎么为什么多少很多非常比较更加最后第一一些一种一个两个我们他们你们自己"
        "大家没有不是不能不会可以能够就是还是也是都是的是，在这，我，你，他，这，而，但，并，也，就，都，还，不"
        "了。的。吗？呢？”“：；、。，",
    ),
    Script(
        "cp1253",
        "\u0370-\u03ff",
        " αλλά όταν όπως επίσης μόνο πολύ μετά πριν μπορεί πρέπει είναι ήταν έχει έχουν είχε υπάρχει χρόνια"
        " άνθρωποι αυτό αυτή αυτός αυτά όλα όλοι κάθε ένα μία ένας από για με σε στο στη στην στον στα στις των"
        " του της τους τις τον την το τα οι η ο ότι που και να θα δεν μας σας ους ων ες ης ος , που , και ",
    ),
    Script(
        "cp1255",
        "\u05d0-\u05ea",
        " אבל כאשר אחרי לפני גם רק יותר מאוד אנשים זמן שנים היום כדי אם או כי אין יש היה היתה היו יכול צריך"
        " כל זה זאת אלה הוא היא הם אני אנחנו את של על עם אל מן לא כמו בין בו לו ים ות ה ו ב ל מ ש ",
    ),
    Script(
        "cp1256",
        "\u0621-\u064a",
        " ولكن لأن عندما بعد قبل أيضا أكثر جدا الناس الوقت سنوات اليوم يجب يمكن كان كانت يكون هناك كل بعض هذا"
        " هذه ذلك التي الذي الذين هو هي هم نحن في من على إلى عن مع أن إن لا ما لم قد أو ثم بين حيث ات ية ون ين"
        " وال بال لل ال و ",
    ),
    Script(
        "cp874",
        "\u0e01-\u0e5b",
        "แต่เพราะเมื่อหลังจากก่อนด้วยกันเท่านั้นมากคนเวลาปีวันนี้ต้องสามารถได้เป็นอยู่มีไม่จะให้ของที่และในการความกับจากว่า"
        "นี้นั้นเขาเราผมคุณทุกบางหรือถ้าก็ ",
    ),
)

ESCAPING = "broker.json"
"""The name of what `encoded` does with the letters that an encoding does not have."""


def script_of(text: str) -> Script | None:
    """The one that a text is in, for the most part; None where it is Latin, or long."""
    if text.isascii() or len(text) > LONGEST:
        return None
    for script, letters in _letters():
        if len(letters.findall(text[:SAMPLE])) >= LEAST * len(text[:SAMPLE]):
            return script
    return None


@cache
def _letters() -> list[tuple[Script, re.Pattern[str]]]:
    return [(script, re.compile(f"[{script.letters}]")) for script in SCRIPTS]


@cache
def _escaping() -> None:
    codecs.register_error(ESCAPING, _escaped)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Letters as JSON escapes them: what is encoded is JSON, which has others than ASCII within strings alone."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
