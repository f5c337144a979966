"""Registry documents on disk: one file, or a folder whose files are read as one document."""

import json
from pathlib import Path
from typing import Any

from broker.errors import InvalidRequest
from broker.registry.document import parse_registry

SUFFIXES = (".yaml", ".yml", ".json")


def read(path: str | Path) -> dict[str, Any]:
    """The document; the lists of several files are put together in order of the files' names.

    Raises:
        InvalidRequest: a file is not YAML or JSON, or is no registry document; the message names it.
        OSError: there is no such file.
    """
    where = Path(path)
    files = sorted(each for each in where.iterdir() if each.suffix in SUFFIXES) if where.is_dir() else [where]
    if not files:
        raise InvalidRequest(f"{where} has no files that end in {', '.join(SUFFIXES)}.", code="invalid_document")
    document: dict[str, Any] = {}
    for file in files:
        for kind, entries in _checked(file).items():
            document[kind] = document.get(kind, []) + entries
    return document


def _checked(file: Path) -> dict[str, Any]:
    found = _load(file) or {}
    try:
        parse_registry(found)
    except InvalidRequest as error:
        raise InvalidRequest(f"{file.name}: {error.message}", code=error.code, param=error.param) from None
    return dict(found)


def _load(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    try:
        return json.loads(text) if file.suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise InvalidRequest(f"{file.name}: {error}", code="invalid_document") from None


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
