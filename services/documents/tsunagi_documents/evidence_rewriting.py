"""Rewrites the scan of a signed paper: out of whatever was handed in, a fresh PDF that holds its pages and nothing else.

A PDF is taken apart page by page: page size and turn, what is drawn, and the fonts, pictures and patterns that it is drawn
with go into a new file. Scripts, actions, attachments, form fields, links, layers, metadata and everything behind the end of
the file stay behind. Of a PNG or JPEG the picture elements alone are kept. Runs as a process of its own with limits
(`python -m tsunagi_documents.evidence_rewriting`): the file on standard input, msgpack on standard output.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import msgspec
import pypdf
from PIL import Image, ImageOps
from pypdf.errors import LimitReachedError
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    EncodedStreamObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
    StreamObject,
)

MOST_BYTES = 10 * 1024 * 1024
MOST_PAGES = 30
MOST_PIXELS = 40_000_000  # A4 at 600 dpi has 35 million
MOST_UNPACKED_BYTES = 150_000_000  # of all parts of a file together
MOST_OBJECTS = 20_000
DEEPEST = 40
LONGEST_SIDE_POINTS = 14_400.0  # ISO 32000-1, annex C
A4_INCHES = (8.27, 11.69)
JPEG_QUALITY = 90
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 40

WRONG_TYPE = "scan-wrong-type"
UNREADABLE = "scan-unreadable"
ENCRYPTED = "scan-encrypted"
TOO_MANY_PAGES = "scan-too-many-pages"
TOO_HEAVY = "scan-too-heavy"
ANNOTATED = "scan-annotated"

_PDF, _PNG, _JPEG = b"%PDF-", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# What lies on a page without being part of the paper; everything else that lies there was added by somebody, and may count.
_DROPPED_ANNOTATIONS = frozenset(
    {"/Link", "/Popup", "/Text", "/FileAttachment", "/RichMedia", "/Screen", "/Movie", "/Sound", "/3D", "/Watermark"}
)
_RESOURCES = ("/ExtGState", "/ColorSpace", "/Pattern", "/Shading", "/XObject", "/Font", "/ProcSet")
# Of no dictionary, however deep: what acts, hides, names or points out of the file.
_NEVER = frozenset(
    {
        "/A", "/AA", "/AF", "/AcroForm", "/Alternates", "/Annots", "/Associated", "/Dests", "/EF", "/EmbeddedFiles",
        "/FDecodeParms", "/FFilter", "/F", "/ID", "/JS", "/JavaScript", "/LastModified", "/Launch", "/Measure", "/Metadata",
        "/Names", "/OC", "/OPI", "/OpenAction", "/Outlines", "/PZ", "/Parent", "/PieceInfo", "/Properties", "/PtData", "/Ref",
        "/RichMedia", "/StructParent", "/StructParents", "/Thumb", "/URI", "/XFA",
    }
)  # fmt: skip
# The names in these, and in the tables of a page's resources, are the file's own: they may be spelt as those above.
_OWN_NAMES = ("/CharProcs", "/Colorants")
_PLAIN_FILTERS = frozenset(
    {"/FlateDecode", "/Fl", "/LZWDecode", "/LZW", "/ASCII85Decode", "/A85", "/ASCIIHexDecode", "/AHx", "/RunLengthDecode", "/RL"}
)  # fmt: skip
_PICTURE_FILTERS = frozenset({"/DCTDecode", "/DCT", "/JPXDecode", "/CCITTFaxDecode", "/CCF", "/JBIG2Decode"})
_JPEG_FILTERS = frozenset({"/DCTDecode", "/DCT"})


class ScanRefused(Exception):
    """The file cannot be taken. `code` is one of the codes above."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Rewritten(msgspec.Struct, frozen=True):
    """The worker's answer: the new PDF and its pages, or the code of the refusal."""

    code: str = ""
    pages: int = 0
    pdf: bytes = b""


def rewrite(content: bytes) -> Rewritten:
    """The fresh PDF; what it is is told by its first bytes, never by a name. ScanRefused."""
    if len(content) > MOST_BYTES:
        raise ScanRefused(TOO_HEAVY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # both libraries warn of much; what matters is refused below
            if content.startswith(_PDF):
                return _rewritten_pdf(content)
            if content.startswith(_PNG):
                return _rewritten_pdf(_picture_page(content, "PNG"))
            if content.startswith(_JPEG):
                return _rewritten_pdf(_picture_page(content, "JPEG"))
    except (ScanRefused, MemoryError):
        raise
    except (Image.DecompressionBombError, LimitReachedError):
        raise ScanRefused(TOO_HEAVY) from None
    except Exception:  # noqa: BLE001  a broken file makes the libraries trip in any way; what they say may hold data
        raise ScanRefused(UNREADABLE) from None
    raise ScanRefused(WRONG_TYPE)


# Pictures ------------------------------------------------------------------------------------------------------------------


def _picture_page(content: bytes, kind: str) -> bytes:
    """A PDF of one page at most as large as A4 that shows the picture, upright as the camera meant it."""
    with Image.open(io.BytesIO(content), formats=[kind]) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ScanRefused(TOO_HEAVY)
        opened.load()
        picture = _without_alpha(ImageOps.exif_transpose(opened))
    across, down = sorted(A4_INCHES) if picture.width <= picture.height else sorted(A4_INCHES, reverse=True)
    dots_per_inch = max(picture.width / across, picture.height / down, 1.0)
    page = io.BytesIO()
    # Black and white is packed without loss
    quality = {} if picture.mode == "1" else {"quality": JPEG_QUALITY}
    picture.save(page, "PDF", resolution=dots_per_inch, **quality)
    return page.getvalue()


def _without_alpha(picture: Image.Image) -> Image.Image:
    """The picture elements in grey or colour on white; a new picture, so that nothing else comes along."""
    if picture.mode in ("1", "L"):
        return Image.frombytes(picture.mode, picture.size, picture.tobytes())
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        return ground
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    plain = picture.convert("RGB")
    return Image.frombytes("RGB", plain.size, plain.tobytes())


def _plain_jpeg(data: bytes) -> bytes:
    """A JPEG inside a PDF as it is, without its comments, EXIF and whatever follows its end; its pixels are not touched."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ScanRefused(TOO_HEAVY)
    kept = bytearray(b"\xff\xd8")
    for marker, segment in _jpeg_segments(data):
        application_data = 0xE0 <= marker <= 0xEF and marker != 0xEE  # Adobe's says how the colours are meant
        if not application_data and marker != 0xFE:
            kept += segment
    return bytes(kept) + b"\xff\xd9"


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, bytes) of each segment up to the end of the picture, a scan with the coded data behind it. ValueError."""
    place = 2
    while place + 2 <= len(data):  # many a scanner forgets the end marker
        if data[place] != 0xFF:
            raise ValueError("not a segment of a JPEG")
        marker = data[place + 1]
        if marker == 0xFF:  # a filling byte
            place += 1
            continue
        if marker == 0xD9:
            return
        if marker in (0x00, 0x01, 0xD8) or 0xD0 <= marker <= 0xD7:
            raise ValueError("a marker out of place")
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == 0xDA:
            end = _end_of_coded(data, end)
        if end > len(data) or end < place + 4:
            raise ValueError("a segment is cut short")
        yield marker, data[place:end]
        place = end


def _end_of_coded(data: bytes, place: int) -> int:
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            return len(data)
        if data[place + 1] != 0x00 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


# PDF -----------------------------------------------------------------------------------------------------------------------


def _rewritten_pdf(content: bytes) -> Rewritten:
    reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise ScanRefused(ENCRYPTED)
    writer = pypdf.PdfWriter()
    copying = _Copying(writer)
    count = 0
    for page in reader.pages:
        count += 1
        if count > MOST_PAGES:
            raise ScanRefused(TOO_MANY_PAGES)
        _copy_page(writer, copying, page)
    if not count:
        raise ScanRefused(UNREADABLE)
    writer.metadata = None
    written = io.BytesIO()
    writer.write(written)
    return Rewritten(pages=count, pdf=written.getvalue())


def _copy_page(writer: pypdf.PdfWriter, copying: _Copying, page: pypdf.PageObject) -> None:
    for annotation in page.get("/Annots") or ():
        if annotation.get_object().get("/Subtype") not in _DROPPED_ANNOTATIONS:
            raise ScanRefused(ANNOTATED)
    box = page.cropbox
    sides = [float(side) for side in (box.left, box.bottom, box.right, box.top)]
    width, height = sides[2] - sides[0], sides[3] - sides[1]
    if not (0 < width <= LONGEST_SIDE_POINTS and 0 < height <= LONGEST_SIDE_POINTS):
        raise ScanRefused(UNREADABLE)
    fresh = writer.add_blank_page(width=width, height=height)
    fresh[NameObject("/MediaBox")] = ArrayObject(FloatObject(side) for side in sides)
    turn = int(page.get("/Rotate", 0)) % 360
    if turn in (90, 180, 270):
        fresh[NameObject("/Rotate")] = NumberObject(turn)
    contents = page.get_contents()
    drawn = DecodedStreamObject()
    drawn.set_data(copying.counted(contents.get_data() if contents is not None else b""))
    fresh[NameObject("/Contents")] = writer._add_object(drawn.flate_encode())
    fresh[NameObject("/Resources")] = copying.resources(page.get("/Resources"))


class _Copying:
    """Copies what pages are drawn with into a new file, each object once, and counts what it unpacks."""

    def __init__(self, writer: pypdf.PdfWriter) -> None:
        self._writer = writer
        self._copies: dict[tuple[int, int], IndirectObject] = {}
        self._unpacked = 0
        self._objects = 0

    def counted(self, data: bytes) -> bytes:
        """The data, as long as all of it together is not too much. ScanRefused."""
        self._unpacked += len(data)
        if self._unpacked > MOST_UNPACKED_BYTES:
            raise ScanRefused(TOO_HEAVY)
        return data

    def resources(self, found: Any) -> DictionaryObject:
        """The resources of a page or of a drawing within it."""
        kept = DictionaryObject()
        source = found.get_object() if found is not None else None
        if isinstance(source, DictionaryObject):
            for name in _RESOURCES:
                if name in source:
                    kept[NameObject(name)] = self._named(source[name])
        return kept

    def _named(self, found: Any) -> PdfObject:
        """A table of the file's own names; /ProcSet is a list."""
        if not isinstance(found, DictionaryObject) or isinstance(found, StreamObject):
            return self.copy(found, 0)
        return DictionaryObject({NameObject(name): self.copy(found.raw_get(name), 0) for name in found})

    def copy(self, value: Any, depth: int) -> PdfObject:
        """The value, with everything it refers to that may come along."""
        if depth > DEEPEST:
            raise ScanRefused(UNREADABLE)
        if isinstance(value, IndirectObject):
            return self._copy_indirect(value, depth)
        if isinstance(value, StreamObject):
            return self._writer._add_object(self._stream(value, depth))
        if isinstance(value, DictionaryObject):
            return self._dictionary(value, DictionaryObject(), depth)
        if isinstance(value, ArrayObject):
            return ArrayObject(self.copy(part, depth + 1) for part in value)
        if isinstance(value, PdfObject):
            return value.clone(self._writer)
        raise ScanRefused(UNREADABLE)

    def _copy_indirect(self, reference: IndirectObject, depth: int) -> PdfObject:
        place = (reference.idnum, reference.generation)
        if place in self._copies:
            return self._copies[place]
        self._objects += 1
        if self._objects > MOST_OBJECTS:
            raise ScanRefused(TOO_HEAVY)
        found = reference.get_object()
        if isinstance(found, StreamObject | DictionaryObject):
            # Its place first: what is drawn with may refer back to itself
            kept = self._copies[place] = self._writer._add_object(DictionaryObject())
            copy = (
                self._stream(found, depth + 1)
                if isinstance(found, StreamObject)
                else self._dictionary(found, DictionaryObject(), depth + 1)
            )
            self._writer._replace_object(kept, copy)
            return kept
        return self.copy(found, depth + 1)

    def _dictionary(self, source: DictionaryObject, kept: DictionaryObject, depth: int) -> DictionaryObject:
        for name in source:
            if name == "/Resources":
                kept[NameObject(name)] = self.resources(source[name])
            elif name in _OWN_NAMES and isinstance(source[name], DictionaryObject):
                kept[NameObject(name)] = self._named(source[name])
            elif name not in _NEVER:
                kept[NameObject(name)] = self.copy(source.raw_get(name), depth + 1)
        return kept

    def _stream(self, source: StreamObject, depth: int) -> StreamObject:
        """The stream packed anew; a picture in a packing of its own stays in that, without what is not the picture."""
        _check_picture(source)
        filters = _filters_of(source)
        own = [name for name in filters if name not in _PLAIN_FILTERS]
        if own and (len(filters) > 1 or own[0] not in _PICTURE_FILTERS):
            raise ScanRefused(UNREADABLE)
        described = DictionaryObject()
        left_out = {"/Length", "/Filter", "/DecodeParms", "/DL"}
        for name in source:
            if name in left_out and not (own and name in ("/Filter", "/DecodeParms")):
                continue
            if name == "/Resources":
                described[NameObject(name)] = self.resources(source[name])
            elif name not in _NEVER:
                described[NameObject(name)] = self.copy(source.raw_get(name), depth + 1)
        if own:
            data = _packed(source)
            kept: StreamObject = EncodedStreamObject()
            kept._data = self.counted(_plain_jpeg(data) if own[0] in _JPEG_FILTERS else data)
            kept.update(described)
            return kept
        plain = DecodedStreamObject()
        plain.set_data(self.counted(source.get_data()))
        plain.update(described)
        return plain.flate_encode()


def _packed(source: StreamObject) -> bytes:
    data = source._data
    return data if isinstance(data, bytes) else str(data).encode("latin-1")


def _filters_of(source: StreamObject) -> list[str]:
    named = source.get("/Filter")
    named = named.get_object() if named is not None else None
    if named is None:
        return []
    return [str(part.get_object()) for part in named] if isinstance(named, ArrayObject) else [str(named)]


def _check_picture(source: StreamObject) -> None:
    if source.get("/Subtype") == "/Image":
        pixels = int(source.get("/Width", 0)) * int(source.get("/Height", 0))
        if not 0 < pixels <= MOST_PIXELS:
            raise ScanRefused(TOO_HEAVY if pixels > MOST_PIXELS else UNREADABLE)


# The process ---------------------------------------------------------------------------------------------------------------

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Limit this process, tie it to its parent, rewrite one file."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the paper
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        answer = rewrite(sys.stdin.buffer.read(MOST_BYTES + 1))
    except ScanRefused as refusal:
        answer = Rewritten(code=refusal.code)
    except MemoryError:
        answer = Rewritten(code=TOO_HEAVY)
    answers.write(msgspec.msgpack.encode(answer))
    answers.flush()


if __name__ == "__main__":
    main()
