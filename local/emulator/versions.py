"""A part of one version of an object: MiniStack 1.5.33 takes no notice of `Range` where a version is named.

(Amazon S3 API Reference, `GetObject`: `Range` and `versionId` may stand in one request.)
"""

from typing import Any

from ministack.services import s3

from local.emulator.rewriting import rewrite


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    s3._part_of = _part_of
    rewrite(
        s3,
        "_get_object",
        (
            '                include_checksums = (headers.get("x-amz-checksum-mode") or "").upper() == "ENABLED"\n'
            "                vobj",
            '                include_checksums = "x-amz-checksum-mode" in headers and "range" not in headers\n'
            "                vobj",
        ),
        (
            "                    break\n                return 200, resp_headers, body\n",
            "                    break\n"
            "                return _part_of((bucket_name, key), headers, resp_headers, body)\n",
        ),
    )


def _part_of(what: tuple[str, str], headers: dict[str, str], reply: dict[str, str], body: bytes) -> tuple[Any, ...]:
    """The reply with what was asked for of a body."""
    if "range" not in headers:
        return 200, reply, body
    found = s3._parse_range(headers["range"], len(body))
    if found is None:
        return 416, {"Content-Type": "application/xml"}, s3._xml_body(s3._range_error_xml(*what))
    first, last = found
    part = body[first : last + 1]
    told = {"Content-Length": str(len(part)), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
    return 206, reply | told, part
