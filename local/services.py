"""moto's server, mended where it is not like AWS; `python -m local.services -H HOST -p PORT` starts it.

Textract of moto 5.2.5 gives the number of pages inside an object of its own, and documents without a word.
"""

import sys

from moto.server import main
from moto.textract.models import TextractBackend

PAGES = 2
LINES = ("The lamp needed nobody.", "The keeper slept.")
"""One on each page."""


def mend() -> None:
    """Change moto in memory, before it starts."""
    TextractBackend.PAGES = PAGES  # type: ignore[assignment]  # as in the service's reply
    TextractBackend.BLOCKS = [
        {"BlockType": "LINE", "Id": f"line-{page}", "Page": page, "Text": line, "Confidence": 99.5}
        for page, line in enumerate(LINES, 1)
    ]


if __name__ == "__main__":
    mend()
    main(sys.argv[1:])
