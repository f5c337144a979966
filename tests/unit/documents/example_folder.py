"""Makes `examples/documents`: our own small documents of every kind, about a lighthouse and those who keep it.

python -m tests.unit.documents.example_folder
"""

import io
from pathlib import Path

from tests.unit.documents.samples import docx, epub, mail, odt, paragraph, pdf, pptx, prose, shape, xlsx, zipped

FOLDER = Path(__file__).parents[3] / "examples" / "documents"

NOTICE = """Notice to those who pass Skerry Point

From 2 November 2026 the light shows two white flashes every ten seconds instead of one.
The fog signal is silent until the compressor is mended.
Report what you see to the harbour office on channel 12.
"""

ROUNDS = """# Rounds of the keeper

## Morning

Read the barometer and write the figure into the blue book.
Wipe the seaward panes, for salt takes a fifth of the light.

## Evening

| hour | task |
|---|---|
| 16:00 | wind the old clock |
| 17:30 | try the second lamp |
"""

VISITORS = """<!doctype html>
<html lang="en"><head><title>Visiting the tower</title><style>p { color: navy }</style></head><body>
<h1>Visiting the tower</h1>
<p>The tower is open on Saturdays from May to September.</p>
<p>Children under eight climb it only with an adult, because the last ladder is steep.</p>
<table><tr><th>ticket</th><th>price</th></tr><tr><td>adult</td><td>4.50</td></tr><tr><td>child</td><td>2.00</td></tr></table>
</body></html>
"""

STORES = """item,stock,least,shelf
lamp glass,3,2,A1
"wick, wide",12,6,A2
brass polish,1,4,B1
tins of paraffin,9,8,cellar
"""

LETTER = r"""{\rtf1\ansi\deff0{\fonttbl{\f0 Times New Roman;}}\f0\fs24
Skerry Point, 9 October 2026\par\par
Dear Ms Brandt,\par\par
the crack in the third pane has grown by four millimetres since your visit. 
Please send a glazier before the winter storms begin.\par\page
The measurements of each week are on this second page: 11, 12, 14 and 15 millimetres.\par\par
Yours, Edvin Lindqvist\par}
"""

ORDER = """Dear Mr Lindqvist,

the glazier comes with the boat on 16 October 2026. His quotation is attached.
Please keep the third pane covered until then.

Ida Brandt
"""

QUOTATION = """Quotation 4417

One pane of curved glass, fitted: 860.00.
The price holds until the end of November 2026.
"""

SURVEY = (
    ("Survey of the tower", "The foundation is sound and shows no movement since 1998.", "The north wall is damp."),
    (
        "What was measured",
        "The damp reaches 1.4 metres above the floor of the oil store.",
        "The gutter above it leaks.",
    ),
    ("What is to be done", "The gutter has to be replaced before March 2027.", "The work will cost about 7,300."),
)

PLAQUE = ("THE LIGHT OF SKERRY POINT", "This lamp was first lit on 3 May 1871.", "It has saved nine ships.")

LOG_1998 = "In 1998 the light was out for one night.\n"
LOG_2003 = "# 2003\n\nThe radio mast fell in January and was replaced in March.\n"


def documents() -> dict[str, bytes]:
    """All of them, by name."""
    table = "".join(
        "<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>"
        for row in (("part", "state"), ("lens", "clean"), ("bearing", "worn"))
    )
    inspection = docx(
        paragraph("Yearly inspection", "Heading1")
        + paragraph("The bearing of the lens is worn and has to be changed within a year.")
        + f"<w:tbl>{table}</w:tbl>"
        + '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'
        + paragraph("The second lamp took over within four seconds when the first was switched off.")
    )
    talk = pptx(
        shape("A light without a keeper", "title") + shape("The lamp was automated in the spring of 2026."),
        shape("What we learned", "title") + shape("Silence on the line does not mean that the light is out."),
    )
    accounts = xlsx(
        {
            "Costs": [["month", "paraffin", "repairs"], ["September", 210, 0], ["October", 240, 860]],
            "Gifts": [["from", "amount"], ["The harbour choir", 125]],
        }
    )
    history = odt(
        '<text:h text:outline-level="1">A short history</text:h>'
        "<text:p>The first tower was built of oak in 1803 and burned down within a year.</text:p>"
        '<text:p text:style-name="Break">The second one is of granite and was finished in 1871.</text:p>'
    )
    handbook = epub(
        "<h1>Fog</h1><p>In fog the signal sounds three times every minute, day and night.</p>",
        "<h1>Storm</h1><p>In a storm nobody goes onto the gallery without a line.</p>",
    )
    return {
        "notice.txt": NOTICE.encode(),
        "rounds.md": ROUNDS.encode(),
        "visitors.html": VISITORS.encode(),
        "stores.csv": STORES.encode("utf-16"),
        "letter.rtf": LETTER.encode(),
        "order.eml": mail("The third pane", ORDER, {"quotation.txt": QUOTATION.encode()}),
        "inspection.docx": inspection,
        "talk.pptx": talk,
        "accounts.xlsx": accounts,
        "history.odt": history,
        "handbook.epub": handbook,
        "survey.pdf": pdf(*(prose(*page) for page in SURVEY)),
        "plaque.png": plaque(),
        "archive.zip": zipped({"log-1998.txt": LOG_1998, "log-2003.md": LOG_2003}),
    }


def plaque() -> bytes:
    """A picture of letters, as a camera sees them: nothing of it is text."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (1100, 360), 235)
    for number, line in enumerate(PLAQUE):
        ImageDraw.Draw(image).text((60, 50 + 90 * number), line, fill=20, font=ImageFont.load_default(44))
    file = io.BytesIO()
    image.rotate(0.6, expand=True, fillcolor=235).save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    """Write them anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in documents().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
