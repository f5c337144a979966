"""Bodies of requests: JSON, and forms with files (`multipart/form-data`, RFC 7578) as transcriptions come in."""

import json
from email.message import Message

from local.model_server.exchange import Json, Problem, Upload


def read(content_type: str, raw: bytes) -> tuple[Json, dict[str, Upload]]:
    """Give the fields and the files by name; of several with one name the last. A broken body raises Problem."""
    if _header(content_type).get_content_type() == "multipart/form-data":
        return _form(content_type, raw)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem("invalid", "We could not parse the JSON body of your request.")
    return body, {}


def _form(content_type: str, raw: bytes) -> tuple[Json, dict[str, Upload]]:
    boundary = str(_header(content_type).get_param("boundary") or "").encode()
    parts = (b"\r\n" + raw).split(b"\r\n--" + boundary)
    if not boundary or len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise Problem("invalid", "Could not parse multipart form.")
    fields: Json = {}
    files: dict[str, Upload] = {}
    for part in parts[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = {}
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        about = _header(headers.get("content-disposition", ""), "Content-Disposition")
        field, file = (about.get_param(name, header="Content-Disposition") for name in ("name", "filename"))
        if file is None:
            fields[str(field)] = content.decode("utf-8", "replace")
        else:
            files[str(field)] = Upload(str(file), content)
    return fields, files


def _header(value: str, name: str = "Content-Type") -> Message:
    message = Message()
    message[name] = value
    return message
