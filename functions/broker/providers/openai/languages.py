"""Languages as Whisper names them (`english`), by their codes (ISO 639-1).

Source: OpenAI's guide to speech to text, "Supported languages".
"""

_NAMES = """
af afrikaans ar arabic az azerbaijani be belarusian bg bulgarian bs bosnian ca catalan cs czech cy welsh da danish
de german el greek en english es spanish et estonian fa persian fi finnish fr french gl galician he hebrew hi hindi
hr croatian hu hungarian hy armenian id indonesian is icelandic it italian ja japanese kk kazakh kn kannada ko korean
lt lithuanian lv latvian mi maori mk macedonian mr marathi ms malay ne nepali nl dutch no norwegian pl polish
pt portuguese ro romanian ru russian sk slovak sl slovenian sr serbian sv swedish sw swahili ta tamil th thai
tl tagalog tr turkish uk ukrainian ur urdu vi vietnamese zh chinese
"""


def code_of(name: object) -> str | None:
    """The code of a language by its name; what is a code already, or not known, stays as it is."""
    if not isinstance(name, str) or not name:
        return None
    words = _NAMES.split()
    return dict(zip(words[1::2], words[::2], strict=True)).get(name.lower(), name.lower())
