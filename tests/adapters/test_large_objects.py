"""Objects of more pieces than S3 takes of one size: how pieces grow, and what of them is in memory at a time."""

import time
from collections.abc import Iterator
from threading import Lock
from typing import Any

import pytest
from broker.cloud.buckets import PIECE_BYTES, write

MOST_PARTS = 10_000
MOST_PART_BYTES, LEAST_PART_BYTES = 5 * 2**30, 5 * 2**20
"""Source: Amazon S3 user guide, "Amazon S3 multipart upload limits"."""

UNIT = 7  # bytes that stand for a piece of the first size


class Bucket:
    """Takes parts, and measures them."""

    def __init__(self, pause_s: float = 0) -> None:
        self.parts: dict[int, bytes] = {}
        self.completed: list[int] = []
        self.in_flight = self.most_in_flight = 0
        self._pause_s = pause_s
        self._lock = Lock()

    def create_multipart_upload(self, **what: Any) -> dict[str, Any]:
        return {"UploadId": "u"}

    def upload_part(self, *, PartNumber: int, Body: bytes, **what: Any) -> dict[str, Any]:
        with self._lock:
            self.in_flight += len(Body)
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        time.sleep(self._pause_s)
        with self._lock:
            self.in_flight -= len(Body)
            self.parts[PartNumber] = Body
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(self, *, MultipartUpload: Any, **what: Any) -> dict[str, Any]:
        self.completed = [each["PartNumber"] for each in MultipartUpload["Parts"]]
        return {"ETag": "whole"}


def numbered(count: int, width: int) -> Iterator[bytes]:
    return (f"{number:0{width}}".encode() for number in range(count))


@pytest.mark.parametrize("at_once", [1, 4])
def test_ten_thousand_pieces_hold_more_than_four_hundred_gigabytes_in_order(at_once: int) -> None:
    bucket, bytes_in_all = Bucket(), 55 * 1_000 * UNIT
    parts = list(numbered(bytes_in_all // 11, 11))
    write(bucket, "b", "k.jsonl", parts, at_once=at_once, piece_bytes=UNIT)
    assert bucket.completed == list(range(1, MOST_PARTS + 1))
    assert b"".join(bucket.parts[number] for number in bucket.completed) == b"".join(parts)
    assert bytes_in_all // UNIT * PIECE_BYTES == 440_000_000_000
    sizes = [len(bucket.parts[number]) // UNIT * PIECE_BYTES for number in bucket.completed]
    assert sizes == sorted(sizes) and min(sizes) >= LEAST_PART_BYTES and max(sizes) <= MOST_PART_BYTES


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_is_sent_at_a_time_than_so_many_of_the_first_size_or_one_piece(at_once: int) -> None:
    bucket = Bucket(pause_s=0.0005)
    write(bucket, "b", "k.jsonl", numbered(4_500, 7), at_once=at_once, piece_bytes=UNIT)
    largest = max(map(len, bucket.parts.values()))
    assert largest == 3 * UNIT
    assert bucket.most_in_flight <= max(at_once * UNIT, largest)
