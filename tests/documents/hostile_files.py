"""Files that somebody may hand in as a scan: sound ones, and such as do harm. All made here."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pypdf
from PIL import Image
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

SECRET = b"MIHON-SECRET-IN-THE-FILE"  # what must not come through


def picture(width: int = 600, height: int = 800, mode: str = "RGB") -> Image.Image:
    """A white page with a dark bar: something to recognise."""
    drawn = Image.new("L", (width, height), 255)
    drawn.paste(40, (width // 4, height // 4, width // 2, height // 3))
    return drawn.convert(mode)


def jpeg(drawn: Image.Image | None = None, *, orientation: int = 1) -> bytes:
    """A photo with EXIF (place and camera) and a comment."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = SECRET.decode()  # the camera's maker
    written = io.BytesIO()
    (drawn or picture()).save(written, "JPEG", exif=exif, comment=SECRET)
    return written.getvalue()


def png(drawn: Image.Image | None = None) -> bytes:
    """A picture as a scanner's program writes it, with a text in it."""
    written = io.BytesIO()
    (drawn or picture()).save(written, "PNG")
    data = written.getvalue()
    text = b"Comment\x00" + SECRET
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    return data[:33] + chunk + data[33:]


def scanned_pdf(pages: int = 1) -> bytes:
    """What a scanner writes: a picture on each page, here with EXIF inside."""
    return written_with(_writer_of_scans(pages))


def _writer_of_scans(pages: int) -> pypdf.PdfWriter:
    writer = pypdf.PdfWriter()
    stored = DecodedStreamObject()
    stored.set_data(jpeg())
    stored.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(600),
            NameObject("/Height"): NumberObject(800),
            NameObject("/ColorSpace"): NameObject("/DeviceRGB"),
            NameObject("/BitsPerComponent"): NumberObject(8),
            NameObject("/Filter"): NameObject("/DCTDecode"),
        }
    )
    reference = writer._add_object(stored)
    for _ in range(pages):
        page = writer.add_blank_page(595, 842)
        contents = DecodedStreamObject()
        contents.set_data(b"q 595 0 0 842 0 0 cm /A Do Q")
        page[NameObject("/Contents")] = writer._add_object(contents)
        # /A: a name of the file's own, spelt as that of an action
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/XObject"): DictionaryObject({NameObject("/A"): reference})}
        )
    return writer


def written_with(writer: pypdf.PdfWriter) -> bytes:
    """The file of a writer."""
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def scripted_pdf() -> bytes:
    """A scan that runs a script, starts a program, carries an attachment, links out, and tells who made it."""
    writer = _writer_of_scans(1)
    script = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject(f"app.alert('{SECRET.decode()}')"),
        }
    )
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(script)
    writer.add_attachment("mihon.txt", SECRET)
    writer.add_metadata({"/Author": SECRET.decode()})
    page = writer.pages[0]
    action = DictionaryObject(
        {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject(SECRET.decode())}
    )
    page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
    link = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/Link"),
            NameObject("/Rect"): ArrayObject(FloatObject(side) for side in (0, 0, 100, 100)),
            NameObject("/A"): DictionaryObject(
                {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject(SECRET.decode())}
            ),
        }
    )
    page[NameObject("/Annots")] = ArrayObject([writer._add_object(link)])
    page[NameObject("/PieceInfo")] = DictionaryObject({NameObject("/X"): TextStringObject(SECRET.decode())})
    return written_with(writer)


def annotated_pdf(kind: str) -> bytes:
    """A scan on which something was written afterwards."""
    writer = _writer_of_scans(1)
    note = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject(kind),
            NameObject("/Rect"): ArrayObject(FloatObject(side) for side in (0, 0, 100, 100)),
        }
    )
    writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(note)])
    return written_with(writer)


def encrypted_pdf(password: str = "") -> bytes:
    """A protected PDF; also with an empty password, which readers open without asking."""
    writer = _writer_of_scans(1)
    writer.encrypt(password, "owner", algorithm="RC4-128")
    return written_with(writer)


def drawing_bomb_pdf() -> bytes:
    """A page whose drawing unpacks to 200 MB."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(595, 842)
    contents = DecodedStreamObject()
    contents.set_data(b" " * 200_000_000)
    page[NameObject("/Contents")] = writer._add_object(contents.flate_encode())
    return written_with(writer)


def huge_picture_pdf() -> bytes:
    """A page with a picture that says it has ten thousand million elements."""
    writer = _writer_of_scans(1)
    xobject = writer.pages[0]["/Resources"]["/XObject"]["/A"]  # type: ignore[index]
    xobject[NameObject("/Width")] = NumberObject(100_000)
    xobject[NameObject("/Height")] = NumberObject(100_000)
    return written_with(writer)


def nested_pdf() -> bytes:
    """A drawing that draws itself."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(595, 842)
    drawing = DecodedStreamObject()
    drawing.set_data(b"/X Do")
    drawing.update({NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Form")})
    reference = writer._add_object(drawing)
    names = DictionaryObject({NameObject("/XObject"): DictionaryObject({NameObject("/X"): reference})})
    drawing[NameObject("/Resources")] = names
    page[NameObject("/Resources")] = names
    return written_with(writer)


def png_bomb() -> bytes:
    """A small PNG of 30,000 × 30,000 elements."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    lines = zlib.compress(b"\x00" * (30_000 * (1 + 30_000 // 8)), 9)
    chunks = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", lines), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def with_zip_behind(content: bytes) -> bytes:
    """A polyglot: the same bytes are an archive as well."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mihon.html", SECRET)
    return content + packed.getvalue()
