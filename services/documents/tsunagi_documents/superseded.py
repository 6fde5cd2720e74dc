"""旧版: what an older version says of itself when it is read. What is stored stays as it is; the mark is put on at reading time.

A Word file gets the mark at the top of its headers, as the engine puts its marks there. A PDF gets it on every page, written
with a font of two glyphs that this module draws itself: no font of the system is needed, and the mark is found by search.
"""

from __future__ import annotations

import io
import re
import zipfile

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, FloatObject, NameObject, NumberObject

MARK = "旧版"
COLOUR = "B00000"
_FONT = "IPAexゴシック"
_HEADER = re.compile(r"word/header\d*\.xml")
_ROOT = re.compile(rb"<w:hdr\b[^>]*>")
_PARAGRAPH = (
    '<w:p><w:pPr><w:spacing w:before="0" w:after="60" w:line="280" w:lineRule="atLeast"/><w:jc w:val="left"/></w:pPr>'
    f'<w:r><w:rPr><w:rFonts w:ascii="{_FONT}" w:hAnsi="{_FONT}" w:eastAsia="{_FONT}"/><w:color w:val="{COLOUR}"/>'
    f'<w:sz w:val="22"/><w:bdr w:val="single" w:sz="8" w:space="0" w:color="{COLOUR}"/></w:rPr>'
    f'<w:t xml:space="preserve">\u00a0{MARK}\u00a0</w:t></w:r></w:p>'
).encode()

# The two characters as strokes on a square of 1000 units
_STROKES: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "旧": (
        ((180, 880), (180, -60)), ((400, 840), (400, -60)), ((400, 840), (860, 840), (860, -60)),
        ((400, 430), (860, 430)), ((400, -30), (860, -30)),
    ),
    "版": (
        ((140, 880), (140, 340), (60, -60)), ((320, 900), (320, 620)), ((140, 620), (450, 620)),
        ((140, 350), (410, 350), (410, -60)), ((540, 820), (940, 820)), ((570, 820), (570, 380), (480, -60)),
        ((570, 560), (880, 560), (760, 210), (530, -60)), ((640, 440), (730, 180), (960, -60)),
    ),
}  # fmt: skip
_GLYPH_WIDTH, _STROKE_WIDTH = 1000, 75
_SIZE, _MARGIN, _INSET = 18, 20, 4  # points
_RED = f"{int(COLOUR[:2], 16) / 255:.3f} 0 0"


def marked(content: bytes, file_format: str) -> bytes:
    """The file with the mark on every page. `file_format`: docx or pdf."""
    return _marked_word(content) if file_format == "docx" else _marked_pdf(content)


def _marked_word(content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            part = source.read(entry)
            if _HEADER.fullmatch(entry.filename):
                part = _ROOT.sub(lambda root: root.group() + _PARAGRAPH, part, count=1)
            copy = zipfile.ZipInfo(entry.filename, entry.date_time)
            copy.compress_type, copy.external_attr = zipfile.ZIP_DEFLATED, entry.external_attr
            target.writestr(copy, part)
    return written.getvalue()


def _marked_pdf(content: bytes) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    font = writer._add_object(_font(writer))
    before = writer._add_object(_stream("q\n"))
    for page in writer.pages:
        resources = page.setdefault(NameObject("/Resources"), DictionaryObject()).get_object()
        fonts = resources.setdefault(NameObject("/Font"), DictionaryObject()).get_object()
        fonts[NameObject("/TsunagiMark")] = font
        drawn = page.get("/Contents", ArrayObject())
        parts = drawn.get_object() if isinstance(drawn.get_object(), ArrayObject) else [drawn]
        after = writer._add_object(_stream("\nQ\n" + _stamp(float(page.mediabox.left), float(page.mediabox.top))))
        page[NameObject("/Contents")] = ArrayObject([before, *parts, after])
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _stamp(left: float, top: float) -> str:
    """The mark in the upper left corner of a page."""
    x, y = left + _MARGIN, top - _MARGIN - _SIZE
    frame = f"{x - _INSET:.1f} {y - _INSET:.1f} {2 * _SIZE + 2 * _INSET} {_SIZE + 2 * _INSET}"
    return (
        f"q 1 1 1 rg {_RED} RG 1.2 w {frame} re B {_RED} rg"
        f" BT /TsunagiMark {_SIZE} Tf {x:.1f} {y + 0.06 * _SIZE:.1f} Td <0102> Tj ET Q"
    )


def _font(writer: PdfWriter) -> DictionaryObject:
    """A Type 3 font whose characters 1 and 2 are those of the mark, with what they mean for search and for readers."""
    names = ArrayObject([NumberObject(1), *(NameObject(f"/g{number}") for number in range(1, len(_STROKES) + 1))])
    glyphs = {
        NameObject(f"/g{number}"): writer._add_object(_stream(_drawn(strokes)))
        for number, strokes in enumerate(_STROKES.values(), 1)
    }
    box = ArrayObject([NumberObject(value) for value in (0, -100, _GLYPH_WIDTH, 950)])
    matrix = ArrayObject([FloatObject(value) for value in (0.001, 0, 0, 0.001, 0, 0)])
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type3"),
            NameObject("/FontBBox"): box,
            NameObject("/FontMatrix"): matrix,
            NameObject("/CharProcs"): DictionaryObject(glyphs),
            NameObject("/Encoding"): DictionaryObject(
                {NameObject("/Type"): NameObject("/Encoding"), NameObject("/Differences"): names}
            ),
            NameObject("/FirstChar"): NumberObject(1),
            NameObject("/LastChar"): NumberObject(len(_STROKES)),
            NameObject("/Widths"): ArrayObject([NumberObject(_GLYPH_WIDTH)] * len(_STROKES)),
            NameObject("/Resources"): DictionaryObject(),
            NameObject("/ToUnicode"): writer._add_object(_stream(_meanings())),
        }
    )


def _drawn(strokes: tuple[tuple[tuple[int, int], ...], ...]) -> str:
    lines = [
        " ".join(f"{x} {y} {'l' if place else 'm'}" for place, (x, y) in enumerate(stroke)) + " S" for stroke in strokes
    ]
    return f"{_GLYPH_WIDTH} 0 0 -100 {_GLYPH_WIDTH} 950 d1 {_STROKE_WIDTH} w 1 J 1 j " + " ".join(lines)


def _meanings() -> str:
    pairs = "\n".join(f"<{number:02X}> <{ord(letter):04X}>" for number, letter in enumerate(_STROKES, 1))
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /TsunagiMark def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{len(_STROKES)} beginbfchar\n{pairs}\nendbfchar\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )


def _stream(text: str) -> DecodedStreamObject:
    stream = DecodedStreamObject()
    stream.set_data(text.encode("ascii"))
    return stream
