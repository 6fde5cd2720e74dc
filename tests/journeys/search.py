"""Looking for an invented person in bytes, files and databases, however programs write a text down."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import io
import json
import os
import re
import secrets
import sqlite3
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pypdf

from tests.data.referrals import referral

SQLITE = b"SQLite format 3\x00"
ZIP_ENTRY = b"PK\x03\x04"


def _kana(count: int) -> str:
    return "".join(secrets.choice("あいうえおかきくけこさしすせそたちつてとなにぬねのまみむめも") for _ in range(count))


class SamplePerson:
    """An invented person whose every value is made up for this run, so that whatever is found is theirs."""

    def __init__(self) -> None:
        kana, member, self.street, self.words = _kana(9), _kana(9), _kana(9), [_kana(12) for _ in range(5)]
        number = f"{secrets.randbelow(9000) + 1000}"
        self.form: dict[str, Any] = referral(
            person={
                "name": f"見本　{kana}",
                "kana": f"みほん　{kana}",
                "sex": "male",
                "birth_date": "1931-02-03",
                "postal_code": "197-0000",
                "address": f"見本県見本市{self.street}町0-0-0",
                "phone": f"042-517-{number}",
            },
            household=[{"name": f"見本　{member}", "relationship": "妻", "age": 68, "note": self.words[0]}],
            household_size=2,
            consultation=f"相談は{self.words[1]}。\n二行目。",
            chief_complaint=f"主訴は{self.words[2]}。",
            reason=f"理由は{self.words[3]}。",
            safety_notes=f"安全は{self.words[4]}。",
        )
        birth = ["1931-02-03", "昭和6年2月3日", "1931年2月3日", "昭和６年２月３日"]
        phone = [f"042-517-{number}", f"042517{number}"]
        self.values = (kana, _katakana(kana), member, _katakana(member), self.street, *self.words, *phone, *birth)


def _katakana(text: str) -> str:
    return "".join(chr(ord(character) + 0x60) for character in text)


def written_ways(text: str) -> set[bytes]:
    """The text as programs write it down."""
    plain = text.encode()
    quoted = urllib.parse.quote(text, safe="").encode()
    escaped = json.dumps(text)[1:-1].encode()
    entities = "".join(f"&#{ord(character)};" for character in text).encode()
    ways = {
        plain,
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        quoted,
        quoted.lower(),
        escaped,
        escaped.upper(),
        entities,
    }
    for shift in range(
        3
    ):  # base64 of a longer text that holds it, wherever it begins; the outer digits belong to neighbours
        encoded = base64.b64encode(b"\0" * shift + plain)
        ways.add(encoded[4 if shift else 0 : len(encoded) - 4])
    return ways


class Search:
    """Looks for the person's values in whatever it is given, and keeps where they were."""

    def __init__(self, person: SamplePerson) -> None:
        self._needles = sorted({way for value in person.values for way in written_ways(value)}, key=len)

    def holds(self, content: bytes) -> bool:
        """Whether the person is in these bytes, as they are or inside a zip, a Word file or a PDF's streams."""
        return any(any(needle in layer for needle in self._needles) for layer in layers(content))

    def in_databases(self, paths: Iterable[Path]) -> set[str]:
        """`<file>: <table>.<column>` wherever the person is, by every table and column of the SQLite files."""
        found = set()
        for path in paths:
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
                tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
                for table in tables:
                    cursor = connection.execute(f'SELECT * FROM "{table}"')
                    names = [column[0] for column in cursor.description]
                    for row in cursor:
                        found |= {
                            f"{path.name}: {table}.{name}"
                            for name, value in zip(names, row, strict=True)
                            if self.holds(_bytes(value))
                        }
        return found


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def layers(content: bytes) -> Iterator[bytes]:
    """The bytes, and what is packed in them: entries of zip files, streams of PDFs and their text."""
    yield content
    start = content.find(ZIP_ENTRY)
    while start >= 0:
        name_length = int.from_bytes(content[start + 26 : start + 28], "little")
        extra_length = int.from_bytes(content[start + 28 : start + 30], "little")
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[start + 30 + name_length + extra_length :])
        start = content.find(ZIP_ENTRY, start + 4)
    for stream in re.finditer(rb"(?:\x1f\x8b\x08|\x78[\x01\x9c\xda])", content):  # gzip and zlib, as programs pack text
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content[stream.start() :], 4 * 1024**2)


def word_text(content: bytes) -> bytes:
    """All parts of a Word file, without the marks between two runs of a sentence."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"".join(re.sub(rb"<[^>]+>", b"", archive.read(name)) for name in archive.namelist())


def pdf_text(content: bytes) -> bytes:
    """The text of a PDF's pages as it is read."""
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages).encode()


def files_under(folder: Path) -> Iterator[Path]:
    """Every file in the folder; what vanishes meanwhile is passed over."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names if not (Path(place) / name).is_socket())


def head_of(path: Path) -> bytes:
    """The first bytes of a file, by which a database is known; empty when it is gone."""
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE))
    except FileNotFoundError:
        return b""


def contents_of(path: Path) -> Sequence[bytes]:
    """The file, and a mail's decoded parts."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # gone since it was listed
        return ()
    if path.suffix != ".eml":
        return (raw,)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    headers = "\n".join(f"{name}: {value}" for name, value in message.items()).encode()
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    return (raw, headers, *(part for part in parts if isinstance(part, bytes)))
