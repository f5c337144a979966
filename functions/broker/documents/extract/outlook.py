"""Outlook's messages (.msg; [MS-OXMSG]): read as a mail, attachments and messages within messages as files inside."""

from email.message import EmailMessage
from io import BytesIO
from typing import Any

from broker.documents import decoding, markdown
from broker.documents.document import BrokenDocument, DocumentError, EmptyDocument, Extract, Inner, Page
from broker.documents.extract import Source, html, rtf

TEXT, BYTES = "001F", "001E"
"""Types of properties: UTF-16, and the message's own code page."""

SUBJECT, SENDER, SENDER_ADDRESS, SMTP_ADDRESS, TO, CC = "0037", "0C1A", "0C1F", "5D01", "0E04", "0E03"
BODY, HTML, RTF, HEADERS = "1000", "1013", "1009", "007D"
FILE, LONG_NAME, SHORT_NAME = "3701", "3707", "3704"
CODE_PAGE = 0x3FFD
DATE = 0x0039
EMBEDDED = "__substg1.0_3701000D"
DEEPEST = 3
"""Messages within messages."""


def extract(source: Source) -> Extract:
    """One page: the fields and the body."""
    import olefile

    try:
        with olefile.OleFileIO(BytesIO(source.data)) as ole:
            message = _Message(ole, ())
            fields, body = message.fields(), message.body()
            inner = [_inner(source, name, data) for name, data in message.attachments()]
    except (DocumentError, MemoryError):
        raise
    except Exception as error:
        raise BrokenDocument("The file cannot be read as a message of Outlook's.") from error
    said = "\n".join(f"{name}: {value}" for name, value in fields.items() if value)
    return Extract((Page(1, source.said(markdown.blocks([said, body]))),), tuple(inner))


def _inner(source: Source, name: str, data: bytes | None) -> Inner:
    return source.inner(name, EmptyDocument("The attachment is only referred to.") if data is None else data)


class _Message:
    """A message at a place in an OLE file: the root, or an attachment that is a message."""

    def __init__(self, ole: Any, place: tuple[str, ...]) -> None:
        self._ole = ole
        self._place = place
        self._fixed = self._fixed_properties(24 if place else 32)

    def _fixed_properties(self, head: int) -> dict[int, bytes]:
        """Properties of fixed length: their eight bytes by id ([MS-OXMSG] 2.4)."""
        data = self._stream("__properties_version1.0") or b""
        rows = (data[at : at + 16] for at in range(head, len(data) - 15, 16))
        return {int.from_bytes(row[2:4], "little"): row[8:] for row in rows}

    def _stream(self, *path: str) -> bytes | None:
        full = [*self._place, *path]
        if not self._ole.exists(full) or self._ole.get_type(full) != 2:
            return None
        data: bytes = self._ole.openstream(full).read()
        return data

    def _text(self, name: str, *below: str) -> str:
        wide = self._stream(*below, f"__substg1.0_{name}{TEXT}")
        if wide is not None:
            return decoding.tidy(wide.decode("utf-16-le", "replace"))
        narrow = self._stream(*below, f"__substg1.0_{name}{BYTES}")
        return decoding.text_of(narrow, self._code_page()) if narrow else ""

    def _code_page(self) -> str | None:
        raw = self._fixed.get(CODE_PAGE)
        number = int.from_bytes(raw[:4], "little") if raw else 0
        return {65001: "utf-8", 0: None}.get(number, f"cp{number}")

    def fields(self) -> dict[str, str]:
        """Subject, From, To, Cc, Date; empty where it does not say."""
        address = self._text(SMTP_ADDRESS) or self._text(SENDER_ADDRESS)
        sender = self._text(SENDER)
        shown = f"{sender} <{address}>" if "@" in address and address != sender else sender or address
        texts = {"Subject": self._text(SUBJECT), "From": shown, "To": self._text(TO), "Cc": self._text(CC)}
        return {name: markdown.line(text)[:1_000] for name, text in texts.items()} | {"Date": self._date()}

    def _date(self) -> str:
        """When it was sent: hundreds of nanoseconds since 1601."""
        from datetime import UTC, datetime, timedelta

        raw = self._fixed.get(DATE)
        ticks = int.from_bytes(raw, "little") if raw else 0
        if not 0 < ticks < 2_650_467_744_000_000_000:  # the year 10,000
            return ""
        return (datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)).strftime("%Y-%m-%d %H:%M UTC")

    def body(self) -> str:
        """The plain body; where there is none, the text of its HTML, or of its RTF."""
        if plain := self._text(BODY).strip():
            return markdown.neat(plain)
        page = self._stream(f"__substg1.0_{HTML}0102")
        markup = decoding.text_of(page, html.declared(page)) if page else self._text(HTML)
        if markup.strip():
            return html.text_of(markup)
        packed = self._stream(f"__substg1.0_{RTF}0102")
        return markdown.neat(rtf.text_of(_unpacked(packed)).replace(rtf.MARK, "\n")) if packed else ""

    def attachments(self) -> list[tuple[str, bytes | None]]:
        """Names and contents; None for one that only refers to a file."""
        depth = len(self._place)
        tops = {
            entry[depth]
            for entry in self._ole.listdir(streams=False, storages=True)
            if tuple(entry[:depth]) == self._place and len(entry) > depth and entry[depth].startswith("__attach_")
        }
        found: list[tuple[str, bytes | None]] = []
        for number, top in enumerate(sorted(tops), start=1):
            name = markdown.line(self._text(LONG_NAME, top) or self._text(SHORT_NAME, top))[:255]
            inside = (*self._place, top, EMBEDDED)
            if self._ole.exists(list(inside)) and len(inside) <= 2 * DEEPEST:
                message = _Message(self._ole, inside)
                subject = message.fields()["Subject"]
                found.append((f"{subject or 'message'}.eml"[-255:], message.as_mail()))
            else:
                found.append((name or f"attachment-{number}", self._stream(top, f"__substg1.0_{FILE}0102")))
        return found

    def as_mail(self) -> bytes:
        """This message as a mail, so that it is read as any other."""
        mail = EmailMessage()
        for name, value in self.fields().items():
            if value and name != "Date":
                mail[name] = "".join(letter for letter in value if letter.isprintable())
        mail["X-Date"] = self.fields()["Date"]
        mail.set_content(self.body())
        for name, data in self.attachments():
            if data is not None:
                mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
        return mail.as_bytes()


def _unpacked(packed: bytes) -> bytes:
    from compressed_rtf import decompress

    data: bytes = decompress(packed)
    return data
