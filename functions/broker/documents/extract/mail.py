"""E-mail (RFC 5322 and MIME): who, when, about what, the body, and the attachments as files inside."""

from __future__ import annotations  # the standard library's classes are generic to type checkers alone

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from typing import Any, cast

from broker.documents import decoding, markdown
from broker.documents.document import BrokenDocument, Extract, Inner, Page
from broker.documents.extract import Source, html

FIELDS = ("Subject", "From", "To", "Cc", "Date")
STATUS = "message/delivery-status"
"""Fields alone, in blocks: one for the message, one for each recipient (RFC 3464)."""

LONGEST_PARSED = 8_000
"""Characters as they were sent, encoded, of which so many are read."""

LONGEST_FIELD = 1_000
"""Characters: a list of thousands of recipients is no text."""


def extract(source: Source) -> Extract:
    """One page: the fields, then the body. Of a body in two forms the plain one is taken, unless it is empty."""
    try:
        data = source.data.removeprefix(b"\xef\xbb\xbf")
        message = message_from_bytes(data, policy=policy.default)
        bodies: list[str] = []
        inner: list[Inner] = []
        for part, is_body in _leaves(message):
            if is_body:
                bodies.append(_text(part))
            else:
                inner.append(source.inner(_name(part, len(inner) + 1), _content(part)))
    except RecursionError as error:
        raise BrokenDocument("The mail's parts are nested too deeply.") from error
    except (LookupError, ValueError, AttributeError, TypeError, AssertionError) as error:
        raise BrokenDocument("The file cannot be read as a mail.") from error
    fields = (f"{name}: {value}" for name in FIELDS if (value := field(message, name)))
    return Extract((Page(1, source.said(markdown.blocks(["\n".join(fields), *bodies]))),), tuple(inner))


def field(message: Message[Any, Any], name: str) -> str:
    """A field's value, decoded; one that cannot be is given as it stands."""
    try:
        raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
        if not raw.isascii():  # bytes as they are, which no standard allows: old programs send their own code page
            raw = decoding.text_of(raw.encode("utf-8", "surrogateescape"))
        # Names and addresses are taken apart in a time that grows with the square of their number.
        value = policy.default.header_fetch_parse(name, raw[:LONGEST_PARSED])
    except Exception:
        value = raw
    return markdown.line(decoding.tidy(str(value)))[:LONGEST_FIELD]


def _leaves(message: Message[Any, Any]) -> Iterator[tuple[Message[Any, Any], bool]]:
    """The parts that are no containers, and whether each is a body (and no attachment), in their order."""
    stack = [message]
    while stack:
        part = stack.pop()
        kind = part.get_content_type()
        if kind in ("message/rfc822", STATUS):
            yield part, kind == STATUS
        elif kind == "multipart/alternative" and part.is_multipart():
            stack.extend(reversed(_best(cast("list[Message[Any, Any]]", part.get_payload()))))
        elif part.is_multipart():
            stack.extend(reversed(cast("list[Message[Any, Any]]", part.get_payload())))
        else:
            is_text = kind in ("text/plain", "text/html") or kind.startswith("multipart/")
            is_attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
            yield part, is_text and not is_attached


def _best(ways: list[Message[Any, Any]]) -> list[Message[Any, Any]]:
    """Of several forms of one body the first plain one that says something, else the last that can be one.

    Attachments stay, also those that lie in a form that is not taken, as Apple's mails have them.
    """
    plain = [way for way in ways if way.get_content_type() == "text/plain" and _text(way).strip()]
    rich = [way for way in ways if way.get_content_type() == "text/html" or way.is_multipart()]
    taken = next((found for found in (plain[:1], rich[-1:], ways[-1:]) if found), [])
    others = [way for way in ways if way not in taken]
    inside = [part for way in others for part in _attached(way)]
    return [*taken, *(way for way in others if way.get_content_maintype() not in ("text", "multipart")), *inside]


def _attached(way: Message[Any, Any]) -> Iterator[Message[Any, Any]]:
    """What is attached inside of a form; not what its text shows in its place."""
    stack = [way]
    while stack:
        part = stack.pop()
        if part is not way and part.get_content_disposition() == "attachment":
            yield part
        elif part.get_content_maintype() == "multipart" and part.is_multipart():
            stack.extend(reversed(cast("list[Message[Any, Any]]", part.get_payload())))


def _text(part: Message[Any, Any]) -> str:
    if part.get_content_type() == STATUS and part.is_multipart():
        blocks = cast("list[Message[Any, Any]]", part.get_payload())
        return markdown.blocks("\n".join(f"{name}: {field(block, name)}" for name in block) for block in blocks)
    data = _bytes(part)
    charset = part.get_content_charset() or None
    if part.get_content_type() == "text/html":
        return html.text_of(decoding.text_of(data, charset or html.declared(data)))
    return markdown.neat(decoding.text_of(data, charset))


def _content(part: Message[Any, Any]) -> bytes:
    if part.get_content_type() == "message/rfc822":
        payload = part.get_payload()
        inside = payload[0] if isinstance(payload, list) and payload else None
        return inside.as_bytes() if isinstance(inside, Message) else b""
    return _bytes(part)


def _bytes(part: Message[Any, Any]) -> bytes:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    text = part.get_payload()
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else b""


def _name(part: Message[Any, Any], number: int) -> str:
    name = decoding.tidy(part.get_filename() or "").replace("\n", " ").strip()
    if not name and part.get_content_type() == "message/rfc822":
        payload = part.get_payload()
        inside = payload[0] if isinstance(payload, list) and payload else None
        subject = field(inside, "Subject") if isinstance(inside, Message) else ""
        name = f"{subject or 'message'}.eml"
    return name[:255] or f"attachment-{number}"
