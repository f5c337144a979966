"""Writes OLE files ([MS-CFB], version 3) and messages of Outlook's ([MS-OXMSG]), as small as they can be."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR, MINI, CUTOFF = 512, 64, 4096

Tree = Mapping[str, "bytes | Tree"]


@dataclass
class _Entry:
    name: str
    kind: int
    data: bytes = b""
    child: int = FREE
    right: int = FREE
    start: int = END


@dataclass
class _Writer:
    entries: list[_Entry] = field(default_factory=list)

    def add(self, name: str, kind: int, content: "bytes | Tree") -> int:
        """An entry with all below it; its children stand in a chain."""
        number = len(self.entries)
        entry = _Entry(name, kind)
        self.entries.append(entry)
        if isinstance(content, bytes):
            entry.data = content
            return number
        before: int | None = None
        for each, inside in content.items():
            added = self.add(each, 2 if isinstance(inside, bytes) else 1, inside)
            if before is None:
                entry.child = added
            else:
                self.entries[before].right = added
            before = added
        return number


def ole(tree: Tree) -> bytes:
    """An OLE file: streams are bytes, storages are trees."""
    writer = _Writer()
    writer.add("Root Entry", 5, tree)
    mini, mini_fat = bytearray(), []
    sectors: list[bytes] = []
    fat: list[int] = []

    def chain(data: bytes) -> int:
        """Put data into sectors; gives the first."""
        count = -(-len(data) // SECTOR)
        if not count:
            return END
        first = len(sectors)
        sectors.extend(data[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, len(data), SECTOR))
        fat.extend([*range(first + 1, first + count), END])
        return first

    for entry in writer.entries[1:]:
        if entry.kind != 2 or not entry.data:
            continue
        if len(entry.data) >= CUTOFF:
            entry.start = chain(entry.data)
            continue
        entry.start = len(mini_fat)
        count = -(-len(entry.data) // MINI)
        mini += entry.data.ljust(count * MINI, b"\0")
        mini_fat += [*range(entry.start + 1, entry.start + count), END]
    root = writer.entries[0]
    root.data, root.start = bytes(mini), chain(bytes(mini))
    mini_at = chain(_numbers(mini_fat))
    directory_at = chain(b"".join(_entry(each) for each in writer.entries))
    fat_count = 1
    while (len(sectors) + fat_count) * 4 > fat_count * SECTOR:
        fat_count += 1
    fat_at = len(sectors)
    fat += [FAT] * fat_count
    table = _numbers(fat)
    sectors.extend(table[at : at + SECTOR].ljust(SECTOR, b"\xff") for at in range(0, fat_count * SECTOR, SECTOR))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    mini_sectors = -(-len(mini_fat) * 4 // SECTOR)
    head += struct.pack("<IIIIIIIII", 0, fat_count, directory_at, 0, CUTOFF, mini_at, mini_sectors, END, 0)
    return head + _numbers([*range(fat_at, fat_at + fat_count)]).ljust(109 * 4, b"\xff") + b"".join(sectors)


def _numbers(values: Iterable[int]) -> bytes:
    return b"".join(struct.pack("<I", value) for value in values)


def _entry(entry: _Entry) -> bytes:
    name = (entry.name + "\0").encode("utf-16-le")
    size = len(entry.data)
    return (
        name.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(name), entry.kind, 1, FREE, entry.right, entry.child)
        + bytes(36)
        + struct.pack("<IQ", entry.start, size)
    )


def msg(
    subject: str,
    body: str | bytes,
    attachments: Mapping[str, "bytes | Tree"] | None = None,
    *,
    kind: str = "1000001F",
    inside: bool = False,
    code_page: int = 1252,
) -> Tree:
    """A message of Outlook's as a tree; `kind` is the property of the body, an attachment may be a message itself."""
    ticks = int((datetime(2026, 11, 2, 10, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    rows = struct.pack("<IIQ", 0x00390040, 6, ticks) + struct.pack("<IIQ", 0x3FFD0003, 6, code_page)
    text = body if isinstance(body, bytes) else body.encode("utf-16-le")
    tree: dict[str, bytes | Tree] = {
        "__properties_version1.0": bytes(24 if inside else 32) + rows,
        "__substg1.0_0037001F": subject.encode("utf-16-le"),
        "__substg1.0_0C1A001F": "Ada".encode("utf-16-le"),
        "__substg1.0_5D01001F": "ada@example.com".encode("utf-16-le"),
        "__substg1.0_0E04001F": "ops@example.com".encode("utf-16-le"),
        f"__substg1.0_{kind}": text,
    }
    for number, (name, data) in enumerate((attachments or {}).items()):
        content = {"__substg1.0_37010102": data} if isinstance(data, bytes) else {"__substg1.0_3701000D": data}
        named = {"__substg1.0_3707001F": name.encode("utf-16-le"), "__properties_version1.0": bytes(8)}
        tree[f"__attach_version1.0_#{number:08X}"] = {**named, **content}
    return tree
