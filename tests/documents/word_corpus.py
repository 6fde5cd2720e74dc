"""Templates of many kinds, as people write them in Word: built by python-docx, each with data for it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from docx import Document
from docx.enum.section import WD_SECTION
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Mm, Pt, RGBColor

from tests.documents.sample_referrals import RARE
from tsunagi_documents.word.compiled import FOOTNOTES

FOOTNOTES_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

NASTY = f"<w:p>&\"' {RARE} {{{{ 7*7 }}}} {{% if %}} {{# x #}} &amp; ]]> ％＆"
ROWS = [
    {"name": "見本 太郎", "note": "一行目\n二行目\n\n四行目", "price": 1200, "tags": ["a", "b"]},
    {"name": NASTY, "note": "左\t右\n\t下", "price": 3.5, "tags": []},
    {"name": "", "note": "  前後  ", "price": True, "tags": ["c"]},
]
ROW_BY_ROW = (("{%tr for row in rows %}",), ("{{ row.name }}", "{{ row.note }}"), ("{%tr endfor %}",))
DATA: dict[str, Any] = {
    "name": "見本 花子",
    "nasty": NASTY,
    "lines": "一行目\n二行目\n\n四行目\n",
    "tabs": "\t左\t右\n次\t",
    "crlf": "一\r\n二\r三",
    "empty": "",
    "blank": "   ",
    "none": None,
    "yes": True,
    "no": False,
    "number": 12,
    "ratio": 0.25,
    "rows": ROWS,
    "nothing": [],
    "people": [{"name": "甲", "jobs": [{"title": "一"}, {"title": "二"}]}, {"name": "乙", "jobs": []}],
    "cells": ["一", "二", "三"],
    "pair": ["左", "右"],
    "matrix": [["a", "b", "c"], ["d", "e", "f"]],
    "span": 3,
    "colour": "FF0000",
    "date": "2026-11-23",
}


class Case(NamedTuple):
    """A template, and whether the compiled form is expected to render it."""

    build: Callable[[Any], None]
    fast: bool = True
    data: dict[str, Any] = {}  # on top of DATA

    def template(self) -> bytes:
        """The Word file."""
        document = Document()
        self.build(document)
        saved = io.BytesIO()
        document.save(saved)
        return saved.getvalue()

    def context(self) -> dict[str, Any]:
        """What it is filled with."""
        return {**DATA, **self.data}


def texts(*paragraphs: str) -> Callable[[Any], None]:
    """Paragraphs."""

    def build(document: Any) -> None:
        for text in paragraphs:
            document.add_paragraph(text)

    return build


def runs(*pieces: str, bold: tuple[int, ...] = ()) -> Callable[[Any], None]:
    """One paragraph, its text split over runs, as Word does it when somebody corrects a tag."""

    def build(document: Any) -> None:
        paragraph = document.add_paragraph()
        for place, piece in enumerate(pieces):
            run = paragraph.add_run(piece)
            if place in bold:
                run.bold = True
                run.font.size = Pt(14)
                run.font.color.rgb = RGBColor(0x10, 0x20, 0x30)

    return build


def table(*rows: tuple[str, ...], columns: int = 0) -> Callable[[Any], None]:
    """A table; rows shorter than the grid are filled with their last cell merged to the end."""

    def build(document: Any) -> None:
        fill(document.add_table(0, columns or max(map(len, rows))), rows)

    return build


def fill(grid: Any, rows: tuple[tuple[str, ...], ...]) -> None:
    """Add the rows to a table."""
    for texts_of_row in rows:
        cells = grid.add_row().cells
        for cell, text in zip(cells, texts_of_row, strict=False):
            cell.text = text
        if len(texts_of_row) < len(cells):
            cells[len(texts_of_row) - 1].merge(cells[-1])


def together(*builders: Callable[[Any], None]) -> Callable[[Any], None]:
    """Several after each other."""

    def build(document: Any) -> None:
        for each in builders:
            each(document)

    return build


def nested(document: Any) -> None:
    """A table in a cell, both with rows of the data."""
    outer = document.add_table(0, 2)
    fill(outer, (("{%tr for person in people %}",), ("{{ person.name }}", ""), ("{%tr endfor %}",)))
    inner = outer.rows[1].cells[1].add_table(0, 1)
    fill(inner, (("{%tr for job in person.jobs %}",), ("{{ job.title }}",), ("{%tr endfor %}",)))


def nested_plain(document: Any) -> None:
    """A table in a cell, its rows fixed."""
    outer = document.add_table(1, 2)
    inner = outer.rows[0].cells[1].add_table(0, 2)
    fill(inner, (("{{ name }}", "{{ lines }}"), *ROW_BY_ROW))


def merged_down(document: Any) -> None:
    """{% vm %}: a cell merged over all the rows of a loop."""
    grid = document.add_table(0, 2)
    fill(
        grid,
        (("見出し", "内容"), ("{%tr for row in rows %}",), ("{% vm %}共通", "{{ row.name }}"), ("{%tr endfor %}",)),
    )


def merged_across(document: Any) -> None:
    """{% hm %}: a cell merged over the columns of a loop."""
    grid = document.add_table(0, 3)
    fill(grid, (("{%tc for cell in cells %}", "{% hm %}見出し", "{%tc endfor %}"),))
    fill(grid, (("{%tc for cell in cells %}", "{{ cell }}", "{%tc endfor %}"),))


def headed(document: Any) -> None:
    """Header and footer with tags."""
    section = document.sections[0]
    section.header.paragraphs[0].text = "{{ name }}\t{{ nasty }}"
    section.footer.paragraphs[0].text = "{% if yes %}{{ lines }}{% endif %} {{ number }}"
    section.footer.add_table(1, 2, Mm(100)).rows[0].cells[0].text = "{{ tabs }}"
    document.add_paragraph("{{ name }}")


def many_headers(document: Any) -> None:
    """First page, even pages, and a second section with its own."""
    document.settings.odd_and_even_pages_header_footer = True
    first = document.sections[0]
    first.different_first_page_header_footer = True
    first.header.paragraphs[0].text = "{{ name }}"
    first.first_page_header.paragraphs[0].text = "一頁目 {{ number }}"
    first.even_page_footer.paragraphs[0].text = "{{ nasty }}"
    document.add_paragraph("{{ lines }}")
    second = document.add_section(WD_SECTION.NEW_PAGE)
    second.header.is_linked_to_previous = False
    second.header.paragraphs[0].text = "{% for row in rows %}{{ row.name }}、{% endfor %}"


def footnoted(document: Any, sections: int = 1) -> None:
    """A footnote with tags."""
    xml = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:footnotes {nsdecls("w")}><w:footnote w:id="1"><w:p>'
        "<w:r><w:rPr><w:b/></w:rPr><w:footnoteRef/></w:r><w:r><w:t>注：{{ name }} {{ lines }}</w:t></w:r></w:p></w:footnote>"
        "</w:footnotes>"
    )
    part = Part(PackURI("/word/footnotes.xml"), FOOTNOTES, xml.encode(), document.part.package)
    document.part.relate_to(part, FOOTNOTES_LINK)
    document.add_paragraph("{{ name }}")
    for _ in range(1, sections):
        document.add_section()


def propertied(document: Any) -> None:
    """Tags in the properties."""
    document.core_properties.title = "{{ name }}"
    document.core_properties.subject = "{{ number }} {{ nasty }}"
    document.add_paragraph("{{ name }}")


def listed(document: Any) -> None:
    """A bulleted list, one line a row."""
    for text in ("{%p for row in rows %}", "{{ row.name }}", "{%p endfor %}"):
        document.add_paragraph(text, style="List Bullet")


def pictured(document: Any) -> None:
    """Two pictures that stand in the template."""
    document.add_picture(io.BytesIO(DOT))
    document.add_paragraph("{{ name }}")
    document.add_picture(io.BytesIO(DOT))


def pictured_in_loop(document: Any) -> None:
    """A picture in each row: docxtpl numbers them anew."""
    document.add_paragraph("{%p for row in rows %}")
    document.add_picture(io.BytesIO(DOT))
    document.add_paragraph("{%p endfor %}")


def raw(xml: str) -> Callable[[Any], None]:
    """WordprocessingML as it is, before the last section."""

    def build(document: Any) -> None:
        body = document.element.body
        for child in parse_xml(f"<w:body {nsdecls('w', 'r', 'wp')}>{xml}</w:body>"):
            body.insert(len(body) - 1, child)

    return build


TEXT_BOX = (
    "<w:p><w:r><w:rPr><w:i/></w:rPr><w:t>前 {{ name }}</w:t><w:pict>"
    "<w:txbxContent><w:p><w:r><w:t>箱 {{ lines }}</w:t></w:r></w:p>"
    "</w:txbxContent></w:pict></w:r><w:r><w:t>後 {{ number }}</w:t></w:r></w:p><w:p><w:r><w:t>{{ tabs }}</w:t></w:r></w:p>"
)
BROKEN_GRID = (
    "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol w:w='1000'/><w:gridCol w:w='1000'/><w:gridCol w:w='1000'/></w:tblGrid>"
    "<w:tr><w:tc><w:p><w:r><w:t>{{ name }}</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
)
HYPERLINK = (
    "<w:p><w:hyperlink w:anchor='a'><w:r><w:rPr><w:u w:val='single'/></w:rPr><w:t>{{ tabs }}</w:t></w:r></w:hyperlink>"
    "<w:r><w:t>{{ lines }}</w:t></w:r></w:p>"
)
RSIDS = (
    "<w:p w:rsidR='00A1'/><w:p w:rsidR='00A2' w:rsidRDefault='00A3'><w:pPr><w:rPr><w:b/></w:rPr></w:pPr>"
    "<w:r w:rsidR='00A4'><w:rPr><w:rFonts w:ascii='Arial'/><w:sz w:val='20'/></w:rPr><w:t>{{ tabs }}</w:t></w:r>"
    "<w:proofErr w:type='spellStart'/><w:r w:rsidR='00A5'><w:t xml:space='preserve'> {{ lines }} </w:t></w:r></w:p>"
)
CONTROLLED = (
    "<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr>"
    "<w:sdtContent><w:p><w:r><w:t>{{ lines }}</w:t></w:r></w:p></w:sdtContent></w:sdt>"
)
INSERTED = (
    "<w:p><w:ins w:id='1' w:author='a'><w:r><w:rPr><w:b/><w:rPrChange w:id='2' w:author='a'><w:rPr><w:i/></w:rPr></w:rPrChange>"
    "</w:rPr><w:t>{{ %s }}</w:t></w:r></w:ins><w:del w:id='3' w:author='a'><w:r><w:delText>古い</w:delText></w:r></w:del></w:p>"
)
FIELD = (
    "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r>"
    "<w:r><w:instrText xml:space='preserve'> PAGE {{ number }} </w:instrText></w:r>"
    "<w:r><w:fldChar w:fldCharType='end'/></w:r></w:p>"
)
RUBY = (
    "<w:p><w:r><w:ruby><w:rt><w:r><w:t>みほん {{ number }}</w:t></w:r></w:rt>"
    "<w:rubyBase><w:r><w:t>{{ name }}</w:t></w:r></w:rubyBase>"
    "</w:ruby></w:r></w:p>"
)

CASES: dict[str, Case] = {
    "a name": Case(texts("氏名：{{ name }}さん")),
    "no tag at all": Case(texts("ただの文章")),
    "markup in the data": Case(texts("{{ nasty }}")),
    "line breaks": Case(texts("前 {{ lines }} 後")),
    "tabs": Case(texts("前 {{ tabs }} 後")),
    "tabs in a bold run": Case(runs("前", "{{ tabs }}", "後", bold=(1,))),
    "carriage returns": Case(texts("{{ crlf }}")),
    "empty and blank": Case(texts("{{ empty }}", "{{ blank }}", "[{{ empty }}{{ blank }}]")),
    "numbers and truth": Case(texts("{{ none }} {{ yes }} {{ number }} {{ ratio }} {{ nothing }}")),
    "a list printed": Case(texts("{{ cells }} {{ rows[0] }}")),
    "sums": Case(texts("{{ number * 2 + 1 }} {{ number // 5 }} {{ 'a' ~ name ~ nasty }}")),
    "a condition in a line": Case(texts("{% if yes %}はい{{ name }}{% else %}いいえ{% endif %}")),
    "an elif": Case(texts("{% if no %}1{% elif number > 10 %}2 {{ tabs }}{% else %}3{% endif %}")),
    "a condition with <": Case(texts("{% if number < 20 and number > 1 %}{{ name }}{% endif %}")),
    "curly quotes": Case(texts("{% if name == “見本 花子” %}一致{% endif %} {{ ‘x’ }}")),
    "a loop in a line": Case(texts("{% for row in rows %}{{ loop.index }}. {{ row.name }} {% endfor %}")),
    "a loop with else": Case(texts("{% for x in nothing %}{{ x }}{% else %}なし {{ lines }}{% endfor %}")),
    "a filtered loop": Case(texts("{% for row in rows if row.name %}{{ row.name }};{% endfor %}")),
    "paragraphs of a loop": Case(texts("{%p for row in rows %}", "{{ row.name }}：{{ row.note }}", "{%p endfor %}")),
    "paragraphs under a condition": Case(texts("{%p if yes %}", "{{ lines }}", "{%p else %}", "x", "{%p endif %}")),
    "loops within loops": Case(
        texts(
            "{%p for person in people %}",
            "{{ person.name }}",
            "{%p for job in person.jobs %}",
            "・{{ job.title }}",
            "{%p endfor %}",
            "{%p endfor %}",
        )
    ),
    "runs of a loop": Case(runs("{%r for row in rows %}", "{{ row.note }}", "{%r endfor %}", bold=(1,))),
    "a run under a condition": Case(runs("前", "{%r if yes %}", "{{ tabs }}", "{%r endif %}", "後", bold=(2,))),
    "a tag over runs": Case(runs("前{", "{ na", "me }", "}後", bold=(1,))),
    "a loop over runs": Case(
        runs("{% for r", "ow in rows", " %}", "{{ row.na", "me }}", "{% end", "for %}", bold=(0, 3))
    ),
    "a condition over paragraphs": Case(texts("{% if yes %}一つ目", "二つ目 {{ name }}{% endif %}")),
    "a loop over paragraphs": Case(
        texts("{% for row in rows %}{{ row.name }}", "続き {{ lines }}", "{{ number }}{% endfor %}終わり {{ lines }}")
    ),
    "a tab where the run is not known": Case(runs("{% if yes %}a", "b{% endif %}", "{{ tabs }}", bold=(1,))),
    "a tab after a condition over runs": Case(runs("{% if yes %}a", "b{% endif %}{{ tabs }}", bold=(1,)), fast=False),
    "set": Case(texts("{% set total = number + 1 %}{{ total }}", "{{ total }}")),
    "a set block": Case(texts("{% set text %}{{ name }}{% endset %}{{ text }}"), fast=False),
    "with": Case(texts("{% with x = name %}{{ x }}{% endwith %}"), fast=False),
    "a macro": Case(texts("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(name) }}"), fast=False),
    "raw": Case(texts("{% raw %}{{ name }}{% endraw %}")),
    "a comment": Case(texts("前{# 見えない #}後 {{ name }}")),
    "comments of paragraphs": Case(texts("{#p 見えない #}", "{{ name }}")),
    "white space taken away": Case(texts("{{ name }}   {%- if yes %} a {% endif -%}   {{ number }}", "次")),
    "filters": Case(
        texts("{{ name|upper }} {{ cells|join('、') }} {{ rows|length }} {{ none|default('なし', true) }}")
    ),
    "filters on markup": Case(
        texts("{{ nasty|replace('w', 'W') }} {{ nasty|truncate(9) }} {{ nasty|e }} {{ nasty|trim }}")
    ),
    "map and sum": Case(texts("{{ rows|map(attribute='name')|join('/') }} {{ cells|sort(reverse=true)|first }}")),
    "format": Case(texts("{{ '%05.1f'|format(ratio) }} {{ '{:,}'.format(number) }} {{ 'x%sx' % nasty }}")),
    "tests": Case(texts("{{ name is string }} {{ missing is defined }} {{ 'a' in name }}")),
    "safe": Case(texts("{{ nasty|safe|length }} {{ '太字'|safe }}")),
    "markup from the template": Case(texts("{{ '</w:t><w:br/><w:t>'|safe }}"), fast=False),
    "index and key": Case(
        texts("{{ rows[1]['name'] }} {{ pair[0] }} {{ rows[0].tags[1] }} {{ rows[0]['tags']|length }}")
    ),
    "a method of a row": Case(texts("{{ rows[0].items()|list|length }} {{ name.split(' ')[0] }}")),
    "cycle": Case(texts("{% for row in rows %}{{ loop.cycle('甲', '乙') }}{{ loop.last }}{% endfor %}")),
    "rows of a table": Case(table(("氏名", "備考"), *ROW_BY_ROW)),
    "rows only": Case(table(*ROW_BY_ROW)),
    "no rows at all": Case(
        table(("{%tr for row in nothing %}",), ("{{ row.name }}", "{{ row.note }}"), ("{%tr endfor %}",)), fast=False
    ),
    "rows under a condition": Case(
        table(("a", "b"), ("{%tr if yes %}",), ("{{ name }}", "{{ lines }}"), ("{%tr endif %}",))
    ),
    "a loop over whole tables": Case(
        together(
            texts("{%p for person in people %}"),
            table(
                ("{{ person.name }}", "x"),
                ("{%tr for job in person.jobs %}",),
                ("{{ job.title }}", "y"),
                ("{%tr endfor %}",),
            ),
            texts("{%p endfor %}"),
        )
    ),
    "cells as many as columns": Case(table(("{%tc for cell in cells %}", "{{ cell }}", "{%tc endfor %}"))),
    "more cells than columns": Case(
        table(("{%tc for cell in cells %}", "{{ cell }}", "{%tc endfor %}")), fast=False, data={"cells": list("abcde")}
    ),
    "fewer cells than columns": Case(
        table(("{%tc for cell in cells %}", "{{ cell }}", "{%tc endfor %}")), fast=False, data={"cells": ["一"]}
    ),
    "a matrix": Case(
        table(
            ("{%tr for line in matrix %}",),
            ("{%tc for cell in line %}", "{{ cell }}", "{%tc endfor %}"),
            ("{%tr endfor %}",),
        )
    ),
    "a cell under a condition": Case(table(("{%tc if yes %}", "{{ name }}", "{%tc endif %}"), ("a", "b", "c"))),
    "colspan": Case(table(("一", "二", "三"), ("{% colspan span %}{{ name }}",), columns=3)),
    "cellbg": Case(table(("{% cellbg colour %}{{ name }}", "{{ lines }}"))),
    "merged down": Case(merged_down),
    "merged across": Case(merged_across),
    "a table in a table": Case(nested, fast=False),
    "a table in a cell": Case(nested_plain),
    "header and footer": Case(headed),
    "many headers": Case(many_headers),
    "a footnote": Case(footnoted),
    "properties": Case(propertied),
    "pictures of the template": Case(pictured),
    "a picture in a loop": Case(pictured_in_loop, fast=False),
    "a text box": Case(raw(TEXT_BOX), fast=False),
    "a text box with a name": Case(raw(TEXT_BOX.replace("lines", "name"))),
    "a grid that does not fit": Case(raw(BROKEN_GRID), fast=False),
    "a hyperlink": Case(raw(HYPERLINK)),
    "what Word writes": Case(raw(RSIDS)),
    "a content control": Case(raw(CONTROLLED)),
    "a tracked change": Case(raw(INSERTED % "name")),
    "a tracked change with breaks": Case(raw(INSERTED % "lines"), fast=False),
    "a field": Case(raw(FIELD)),
    "furigana": Case(raw(RUBY)),
    "text of a run alone": Case(texts("{{r name }}")),
    "control characters": Case(texts("{{ name }}"), fast=False, data={"name": "前\x07後\x0c次\x01"}),
    "a noncharacter": Case(texts("{{ name }}"), fast=False, data={"name": "前\ufffe後"}),
    "braces with underscores": Case(texts("{{ name }}"), data={"name": "{_{ x }_} {_% y %_} %_"}),
    "escaped braces of the template": Case(texts("{_{ {{ name }} }_}"), fast=False),
    "page breaks and styles": Case(
        together(
            lambda document: document.add_heading("{{ name }}", 1),
            lambda document: document.add_page_break(),
            texts("{{ lines }}"),
        )
    ),
    "lists": Case(listed),
}
