"""The pieces the packaged sheets are drawn from: an A4 page, ruled tables, cells, a footer with page n/m; as WordprocessingML.

The whole package is written here, part by part: small (a render reads and writes all of it), and the same bytes each time.
Source of the element order: ECMA-376 part 1, §17.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lxml import etree
from lxml.etree import _Element as Element

# Names people write come in characters that only a font of the 文字情報基盤 draws (邉󠄏 is U+9089 U+E010F); where it is
# not installed, Word takes the font named as its alternative in the font table.
NAME_FONT = "IPAmj明朝"
LABEL_FONT = "IPAexゴシック"
FONTS = (
    (NAME_FONT, "ＭＳ 明朝", "roman", "fixed"),
    (LABEL_FONT, "ＭＳ ゴシック", "modern", "fixed"),
)
LABEL_STYLE = "Label"
TEXT_POINTS = 10.0
LINES = 1.15
LABEL_FILL = "F2F2F2"  # light enough to stay white on a copier
PAGE_WIDTH_MM = 170.0  # A4 less 20 mm on either side
OUTER_RULE = 12  # eighths of a point
INNER_RULE = 4

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"

Look = Literal["value", "label", "strong"]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Cell:
    """One cell. `text` may hold docxtpl tags and line breaks; `strong` is a label in bold."""

    text: str = ""
    span: int = 1
    look: Look = "value"
    size: float = TEXT_POINTS
    align: Align = "left"
    top: bool = False  # text at the top instead of the middle


@dataclass(frozen=True)
class Row:
    """One row. `splits`: it may go on over the page; `repeats`: it is shown again on each page the table reaches; `keeps`: it
    stays on one page with the row below it."""

    cells: tuple[Cell, ...]
    height_mm: float = 7.0
    splits: bool = False
    repeats: bool = False
    keeps: bool = False


def label(text: str, span: int = 1, *, size: float = 9.0, align: Align = "left") -> Cell:
    """A shaded cell that says what stands beside or below it."""
    return Cell(text, span, "label", size, align)


def strong(text: str, span: int = 1) -> Cell:
    """A label in bold."""
    return Cell(text, span, "strong", 9.5)


def loop(tag: str, columns: int) -> Row:
    """A row that only carries a docxtpl row tag, e.g. `for row in household`; rendering takes it away."""
    return Row((Cell(f"{{%tr {tag} %}}", columns),))


def twips(millimetres: float) -> int:
    """Twentieths of a point."""
    return round(millimetres * 1440 / 25.4)


def w(tag: str, *children: Element, **attributes: str | int) -> Element:
    """An element of WordprocessingML with its attributes in the same namespace."""
    element = etree.Element(f"{{{_W}}}{tag}", nsmap={"w": _W, "r": _R})
    for name, value in attributes.items():
        element.set(f"{{{_W}}}{name}", str(value))
    element.extend(children)
    return element


def run(text: str, *, font: str = NAME_FONT, size: float = TEXT_POINTS, bold: bool = False) -> Element:
    """Text in one look; a line break for each newline."""
    properties = w("rPr")
    if font != NAME_FONT:
        properties.append(w("rStyle", val=LABEL_STYLE))
    if bold:
        properties.append(w("b"))
    if size != TEXT_POINTS:
        properties.append(w("sz", val=round(size * 2)))
    element = w("r", properties) if len(properties) else w("r")
    for index, line in enumerate(text.split("\n")):
        if index:
            element.append(w("br"))
        content = w("t")
        content.text = line
        content.set(_XML_SPACE, "preserve")
        element.append(content)
    return element


def paragraph(
    *runs: Element, align: Align = "left", before: float = 0, after: float = 0, keep: bool = False, line: float = LINES
) -> Element:
    """A paragraph; `before` and `after` in points, `line` in lines, `keep`: on one page with what follows."""
    properties = w("pPr")
    if keep:
        properties.append(w("keepNext"))
    if before or after or line != LINES:
        properties.append(
            w("spacing", before=round(before * 20), after=round(after * 20), line=round(line * 240), lineRule="auto")
        )
    if align != "left":
        properties.append(w("jc", val=align))
    return w("p", properties, *runs) if len(properties) else w("p", *runs)


def title(text: str) -> Element:
    """The name of the sheet, centred."""
    return paragraph(run(text, font=LABEL_FONT, size=17, bold=True), align="center", before=4, after=2, keep=True)


def heading(text: str) -> Element:
    """The heading of a section; stays with the table below it."""
    return paragraph(run(text, font=LABEL_FONT, size=11, bold=True), before=9, after=3, keep=True)


def note(text: str, *, align: Align = "left", size: float = 9.0, before: float = 0, after: float = 0) -> Element:
    """Small print."""
    return paragraph(run(text, size=size), align=align, before=before, after=after)


def table(widths_mm: Sequence[float], rows: Sequence[Row], *, together: bool = False) -> Element:
    """A ruled table of fixed widths over the width of the page. ValueError when a row does not fill its columns.

    `together`: a short table that is moved to the next page rather than cut.
    """
    if abs(sum(widths_mm) - PAGE_WIDTH_MM) > 0.01:
        raise ValueError(f"columns are {sum(widths_mm)} mm wide together, not {PAGE_WIDTH_MM}")
    sides = dict.fromkeys(("top", "left", "bottom", "right"), OUTER_RULE) | {
        "insideH": INNER_RULE,
        "insideV": INNER_RULE,
    }
    properties = w(
        "tblPr",
        w("tblW", w=twips(PAGE_WIDTH_MM), type="dxa"),
        w("jc", val="center"),
        w("tblBorders", *(w(side, val="single", sz=size, space=0, color="000000") for side, size in sides.items())),
        w("tblLayout", type="fixed"),
        w(
            "tblCellMar",
            *(
                w(side, w=twips(margin), type="dxa")
                for side, margin in (("top", 0.5), ("left", 1.4), ("bottom", 0.5), ("right", 1.4))
            ),
        ),
    )
    grid = w("tblGrid", *(w("gridCol", w=twips(width)) for width in widths_mm))
    last = len(rows) - 1
    drawn = (_row(row, widths_mm, keep=row.keeps or (together and index < last)) for index, row in enumerate(rows))
    return w("tbl", properties, grid, *drawn)


def _row(row: Row, widths_mm: Sequence[float], *, keep: bool) -> Element:
    if sum(cell.span for cell in row.cells) != len(widths_mm):
        raise ValueError(f"a row spans {sum(cell.span for cell in row.cells)} columns of {len(widths_mm)}")
    properties = w("trPr")
    if not row.splits:
        properties.append(w("cantSplit"))
    properties.append(w("trHeight", val=twips(row.height_mm), hRule="atLeast"))
    if row.repeats:
        properties.append(w("tblHeader"))
    element = w("tr", properties)
    column = 0
    for cell in row.cells:
        element.append(_cell(cell, sum(widths_mm[column : column + cell.span]), keep=keep))
        column += cell.span
    return element


def _cell(cell: Cell, width_mm: float, *, keep: bool) -> Element:
    properties = w("tcPr", w("tcW", w=twips(width_mm), type="dxa"))
    if cell.span > 1:
        properties.append(w("gridSpan", val=cell.span))
    if cell.look != "value":
        properties.append(w("shd", val="clear", color="auto", fill=LABEL_FILL))
    if cell.top:
        properties.append(w("tcMar", w("top", w=twips(1), type="dxa"), w("bottom", w=twips(1), type="dxa")))
    if not cell.top:
        properties.append(w("vAlign", val="center"))
    font = NAME_FONT if cell.look == "value" else LABEL_FONT
    text = run(cell.text, font=font, size=cell.size, bold=cell.look == "strong")
    return w("tc", properties, paragraph(text, align=cell.align, keep=keep))


def _field(instruction: str) -> tuple[Element, ...]:
    """A field that Word and LibreOffice fill in, e.g. PAGE."""
    begin, separate, end = (w("r", w("fldChar", fldCharType=kind)) for kind in ("begin", "separate", "end"))
    code = w("instrText")
    code.text = f" {instruction} "
    code.set(_XML_SPACE, "preserve")
    return begin, w("r", code), separate, run("1", size=9), end


def _footer(left: str, right: str) -> Element:
    tabs = w(
        "tabs", w("tab", val="center", pos=twips(PAGE_WIDTH_MM / 2)), w("tab", val="right", pos=twips(PAGE_WIDTH_MM))
    )
    line = w("p", w("pPr", w("pBdr", w("top", val="single", sz=4, space=3, color="7F7F7F")), tabs))
    line.append(run(left, size=8.5))
    line.append(w("r", w("tab")))
    line.extend((*_field("PAGE"), run(" / ", size=9), *_field("NUMPAGES")))
    line.append(w("r", w("tab")))
    line.append(run(right, size=8.5))
    return w("ftr", line)


def _header() -> Element:
    """Almost nothing: the engine puts the marks above it."""
    return w("hdr", w("p", w("pPr", w("spacing", before=0, after=0, line=120, lineRule="exact"))))


def _document(body: Iterable[Element]) -> Element:
    header, footer = w("headerReference", type="default"), w("footerReference", type="default")
    header.set(f"{{{_R}}}id", "rId4")
    footer.set(f"{{{_R}}}id", "rId5")
    margin = twips(20)
    section = w(
        "sectPr",
        header,
        footer,
        w("pgSz", w=twips(210), h=twips(297)),
        w(
            "pgMar",
            top=twips(18),
            right=margin,
            bottom=twips(17),
            left=margin,
            header=twips(9),
            footer=twips(8),
            gutter=0,
        ),
        w("cols", space=425),
    )
    return w("document", w("body", *body, section))


def _styles() -> Element:
    fonts = w("rFonts", ascii=NAME_FONT, hAnsi=NAME_FONT, eastAsia=NAME_FONT, cs=NAME_FONT)
    language = w("lang", val="ja-JP", eastAsia="ja-JP", bidi="ar-SA")
    defaults = w(
        "docDefaults",
        w("rPrDefault", w("rPr", fonts, w("sz", val=round(TEXT_POINTS * 2)), language)),
        w("pPrDefault", w("pPr", w("spacing", before=0, after=0, line=round(LINES * 240), lineRule="auto"))),
    )
    # 令和8年11月23日 without gaps around the digits, as official papers set it
    tight = w("pPr", w("autoSpaceDE", val=0), w("autoSpaceDN", val=0))
    normal = w("style", w("name", val="Normal"), w("qFormat"), tight, type="paragraph", default="1", styleId="Normal")
    gothic = w("rFonts", ascii=LABEL_FONT, hAnsi=LABEL_FONT, eastAsia=LABEL_FONT, cs=LABEL_FONT)
    labels = w(
        "style", w("name", val=LABEL_STYLE), w("rPr", gothic), type="character", customStyle=1, styleId=LABEL_STYLE
    )
    return w("styles", defaults, normal, labels)


def _settings() -> Element:
    compat = w("compatSetting", name="compatibilityMode", uri="http://schemas.microsoft.com/office/word", val="15")
    return w(
        "settings",
        w("defaultTabStop", val=840),
        w("characterSpacingControl", val="doNotCompress"),
        w("compat", compat),
        w("themeFontLang", val="ja-JP", eastAsia="ja-JP"),
    )


def _font_table() -> Element:
    return w(
        "fonts",
        *(
            w(
                "font",
                w("altName", val=alternative),
                w("charset", val="80"),
                w("family", val=family),
                w("pitch", val=pitch),
                name=name,
            )
            for name, alternative, family, pitch in FONTS
        ),
    )


def package(body: Iterable[Element], *, footer_left: str, footer_right: str) -> bytes:
    """The .docx of a sheet; the same bytes each time."""
    parts = (
        ("word/document.xml", "document.main", _document(body)),
        ("word/styles.xml", "styles", _styles()),
        ("word/settings.xml", "settings", _settings()),
        ("word/fontTable.xml", "fontTable", _font_table()),
        ("word/header1.xml", "header", _header()),
        ("word/footer1.xml", "footer", _footer(footer_left, footer_right)),
    )
    types = "".join(f'<Override PartName="/{name}" ContentType="{_WORD_TYPE}.{kind}+xml"/>' for name, kind, _ in parts)
    kinds = ("styles", "settings", "fontTable", "header", "footer")
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{name.removeprefix("word/")}"/>'
        for number, (kind, (name, _, _)) in enumerate(zip(kinds, parts[1:], strict=True), start=1)
    )
    files = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f"{types}"
            '<Override PartName="/docProps/core.xml" '
            'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>'
            f'<Relationship Id="rId2" Type="{_PACKAGE}/relationships/metadata/core-properties" '
            'Target="docProps/core.xml"/></Relationships>'
        ),
        "docProps/core.xml": (
            f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:language>ja-JP</dc:language>'
            "</cp:coreProperties>"
        ),
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
    }
    return _zip(
        {**{name: _xml(text) for name, text in files.items()}, **{name: _bytes(part) for name, _, part in parts}}
    )


def _xml(text: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + text.encode()


def _bytes(part: Element) -> bytes:
    etree.cleanup_namespaces(part, keep_ns_prefixes=["w", "r"])
    written: bytes = etree.tostring(part, xml_declaration=True, encoding="UTF-8", standalone=True)
    return written


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o600 << 16
            # Stored, not deflated: the bytes must not depend on the zlib of the machine that draws them.
            archive.writestr(entry, content, zipfile.ZIP_STORED)
    return packed.getvalue()
