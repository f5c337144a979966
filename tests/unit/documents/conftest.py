"""Documents read as they are on AWS: each by a process of its own."""

from pathlib import Path

import pytest
from broker.documents.document import Document
from broker.documents.limits import Limits
from broker.documents.sandbox import read


@pytest.fixture
def document(tmp_path: Path):
    """Reads bytes as a file of a name."""

    def _read(name: str, data: bytes, **limits: float) -> Document:
        path = tmp_path / "given"
        path.write_bytes(data)
        return read(path, name, Limits(**{"seconds": 60, **limits}))

    return _read
