"""Small documents of every kind, made by hand: what is in them is known."""

import io
import zlib
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from zipfile import ZIP_DEFLATED, ZipFile

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT_WORD = "http://purl.oclc.org/ooxml/wordprocessingml/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

Words = tuple[float, float, float, str]
"""Left, bottom, size of the letters, text."""


def zipped(parts: Mapping[str, bytes | str], compression: int = ZIP_DEFLATED) -> bytes:
    """An archive."""
    file = io.BytesIO()
    with ZipFile(file, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def relations(*rows: tuple[str, str, str]) -> str:
    """A part's relations: id, the last word of the type, target."""
    inner = "".join(f'<Relationship Id="{id}" Type="{RELATIONS}/{kind}" Target="{to}"/>' for id, kind, to in rows)
    return f'<Relationships xmlns="{PACKAGE}">{inner}</Relationships>'


def paragraph(text: str, style: str = "", extra: str = "") -> str:
    """A paragraph of Word's."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r>{extra}</w:p>"


def docx(
    body: str, parts: Mapping[str, str] | None = None, rows: Iterable[tuple[str, str, str]] = (), ns: str = WORD
) -> bytes:
    """A Word document."""
    styles = (
        f'<w:styles xmlns:w="{ns}"><w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="Mine"><w:basedOn w:val="Heading1"/><w:name w:val="Mine"/></w:style></w:styles>'
    )
    return zipped(
        {
            "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": relations(("r1", "styles", "styles.xml"), *rows),
            "word/document.xml": f'<w:document xmlns:w="{ns}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": styles,
            **(parts or {}),
        }
    )


def shape(text: str, place: str = "") -> str:
    """A shape of a slide."""
    placeholder = f'<p:ph type="{place}"/>' if place else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>"


def pptx(*slides: str) -> bytes:
    """A presentation; its slides lie in the package the other way round."""
    spaces = f'xmlns:p="{SLIDES}" xmlns:a="{DRAWING}" xmlns:r="{RELATIONS}"'
    numbers = range(1, len(slides) + 1)
    order = "".join(f'<p:sldId id="{255 + number}" r:id="r{number}"/>' for number in numbers)
    return zipped(
        {
            "_rels/.rels": relations(("r1", "officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": f"<p:presentation {spaces}><p:sldIdLst>{order}</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(
                *((f"r{number}", "slide", f"slides/slide{len(slides) - number + 1}.xml") for number in numbers)
            ),
            **{
                f"ppt/slides/slide{len(slides) - number + 1}.xml": (
                    f"<p:sld {spaces}><p:cSld><p:spTree>{slide}</p:spTree></p:cSld></p:sld>"
                )
                for number, slide in zip(numbers, slides, strict=True)
            },
        }
    )


def xlsx(sheets: Mapping[str, list[list[object]]]) -> bytes:
    """A workbook."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def pdf(*pages: list[Words], extra: str = "", trailer: str = "") -> bytes:
    """A PDF with a text at each place; `extra` are more objects, from number 3 + two for each page on."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = "\n".join(f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET" for x, y, size, text in page)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    objects += [each for each in extra.split("\n\n") if each]
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{each}\nendobj\n".encode("latin-1"))
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{place:010d} 00000 n \n" for place in places).encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def prose(*lines: str, size: float = 12, top: float = 780, left: float = 60) -> list[Words]:
    """Lines of text below each other."""
    return [(left, top - 1.2 * size * number, size, line) for number, line in enumerate(lines)]


def mail(subject: str, text: str, attachments: Mapping[str, bytes] | None = None, html: str = "") -> bytes:
    """A mail."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ada <ada@example.com>"
    message["To"] = "ops@example.com"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, data in (attachments or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def epub(*chapters: str) -> bytes:
    """A book; its spine turns the manifest's order round."""
    numbers = range(len(chapters))
    items = "".join(f'<item id="c{number}" href="c%20{number}.xhtml"/>' for number in reversed(numbers))
    spine = "".join(f'<itemref idref="c{number}"/>' for number in numbers)
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OEBPS/c {number}.xhtml": f"<html><body>{chapters[number]}</body></html>" for number in numbers},
        }
    )


ODF = "urn:oasis:names:tc:opendocument:xmlns"


def odt(body: str) -> bytes:
    """An OpenDocument text."""
    spaces = " ".join(f'xmlns:{name}="{ODF}:{name}:1.0"' for name in ("office", "text", "table", "style", "draw"))
    style = '<style:style style:name="Break"><style:paragraph-properties fo:break-before="page"/></style:style>'
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": (
                f'<office:document-content {spaces} xmlns:fo="{ODF}:xsl-fo-compatible:1.0">'
                f"<office:automatic-styles>{style}</office:automatic-styles>"
                f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
            ),
        }
    )


def png(width: int, height: int) -> bytes:
    """A picture's head, which says how large it is; of its dots there are none."""
    import struct

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def picture(text: str, kind: str = "PNG") -> bytes:
    """A picture of a line of text."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (1200, 200), "white")
    ImageDraw.Draw(image).text((60, 60), text, fill="black", font=ImageFont.load_default(48))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()
