"""Pictures in messages: what is taken, what it is taken for, and which place is named when it is not."""

import base64
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, Rejected
from broker.providers.wire.base import Blob
from broker.providers.wire.picture_parts import Link, data_url, inlined, parts

from tests.fakes.media import FakeMedia

PNG = b"\x89PNG\r\n\x1a\n and more"
JPEG = b"\xff\xd8\xff and more"
STORED = FakeMedia({"s3://inbox/acme/a.png": Blob(PNG, "binary/octet-stream"), "s3://inbox/b": Blob(b"%PDF", "a/pdf")})
WHERE = "input.messages.3"


def picture(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("url", "blob"),
    [
        (f"data:image/png;base64,{base64_of(PNG)}", Blob(PNG, "image/png")),
        (f"data:image/png;base64,{base64_of(JPEG)}", Blob(JPEG, "image/jpeg")),
        (f"data:image/heic;charset=x;base64,{base64_of(b'heic')}", Blob(b"heic", "image/heic")),
        (f"DATA:;base64,{base64_of(b'RIFF1234WEBP')}", Blob(b"RIFF1234WEBP", "image/webp")),
        (f"data:image/gif;base64,{base64_of(b'GIF89a')}", Blob(b"GIF89a", "image/gif")),
        ("s3://inbox/acme/a.png", Blob(PNG, "image/png")),
    ],
)
def test_a_picture_is_what_its_bytes_are(url: str, blob: Blob) -> None:
    assert parts([picture(url)], STORED, WHERE) == [blob]
    assert parts([{"type": "image_url", "image_url": url}], STORED, WHERE) == [blob]


def test_texts_and_pictures_keep_their_order() -> None:
    content = [
        {"type": "text", "text": "First"},
        picture("https://example.com/a.png"),
        {"type": "text", "text": " \n"},
        {"type": "text", "text": "Last"},
    ]
    assert parts(content, STORED, WHERE, links=True) == ["First", Link("https://example.com/a.png"), "Last"]
    assert parts("One", STORED, WHERE) == ["One"]
    assert parts("", STORED, WHERE) == parts(None, STORED, WHERE) == []


@pytest.mark.parametrize(
    "part",
    [
        picture("http://example.com/a.png"),
        picture("file:///etc/hostname"),
        picture(""),
        picture(5),
        picture("data:image/png;base64,%%%"),
        picture("data:image/png,abc"),
        picture("data:image/png;base64"),
        picture(f"data:text/html;base64,{base64_of(b'<p>')}"),
        picture("s3://inbox/b"),
        picture("s3://inbox/gone"),
        {"type": "image_url"},
        {"type": "text"},
        {},
    ],
)
def test_anything_else_names_its_place_and_is_not_quoted(part: dict[str, Any]) -> None:
    with pytest.raises(BrokerError) as caught:
        parts([{"type": "text", "text": "See:"}, part], STORED, WHERE)
    # What one provider cannot be sent, another may.
    others = part.get("type") in (None, "input_audio") or str(part.get("image_url")).startswith("{'url': 'https://")
    assert type(caught.value) is (Rejected if others else InvalidRequest)
    assert caught.value.param == "input.messages.3.content"
    assert "example" not in caught.value.message


@pytest.mark.parametrize("part", [picture("https://example.com/a.png"), {"type": "input_audio", "input_audio": {}}])
def test_what_another_provider_may_take_is_rejected_by_this_one(part: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        parts([{"type": "text", "text": "See:"}, part], STORED, WHERE)
    assert caught.value.param == "input.messages.3.content"
    assert "example" not in caught.value.message


def test_a_data_url_tells_what_its_bytes_are() -> None:
    named = f"data:image/png;base64,{base64_of(JPEG)}"
    right = picture(f"data:image/jpeg;base64,{base64_of(JPEG)}", detail="low")
    assert inlined(picture(named, detail="low"), STORED, WHERE, links=False) == right
    assert inlined(right, STORED, WHERE, links=False) is right


def test_openai_form_is_left_as_it_is_but_for_objects() -> None:
    data, link = picture("data:image/png;base64,AAAA", detail="low"), picture("https://example.com/a.png")
    for part in (data, link, {"type": "text", "text": "x"}, {"type": "input_audio"}):
        assert inlined(part, STORED, WHERE, links=True) is part
    stored = inlined(picture("s3://inbox/acme/a.png", detail="low"), STORED, WHERE, links=False)
    assert stored == picture(data_url(Blob(PNG, "image/png")), detail="low")
    with pytest.raises(Rejected) as caught:
        inlined(link, STORED, WHERE, links=False)
    assert caught.value.param == "input.messages.3.content"
