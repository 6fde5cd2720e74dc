"""Templates and data that nobody thought of: made up by hypothesis from the tags that docxtpl knows."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import strategies as st

from tsunagi_documents.word.drawing import package

ODD = ["<", "&", '"', "'", ">", "\n", "\t", "\r", "{{ a }}", "{_{", "%_}", "{%", "#}", "邉\U000e010f", "﨑", "\u3000", " ", "]]>",
       "&amp;", "\x07", "\x0c", "\x01", "\x85", "\u2028", "\ufffe", "\ufdd0", "</w:t>", "\u200b", "x" * 300]  # fmt: skip
TYPED = st.lists(
    st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)), max_size=5
).map("".join)
VALUES = st.one_of(TYPED, TYPED, TYPED, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
STATIC = st.sampled_from(["", "文", "<&>", "'\"", " 間 ", "x_y", "一二三"])
FILTERS = st.sampled_from(["", "", "", "|string", "|upper", "|e", "|default('無')", "|string|replace('<', '')"])
LOOKS = st.sampled_from(["", "", "<w:rPr><w:b/></w:rPr>", '<w:rPr><w:rFonts w:ascii="A"/><w:sz w:val="20"/></w:rPr>'])
PARAGRAPH_LOOKS = st.sampled_from(["", '<w:pPr><w:jc w:val="center"/></w:pPr>', "<w:pPr><w:rPr><w:i/></w:rPr></w:pPr>"])

CONTEXTS = st.fixed_dictionaries(
    {
        "a": VALUES,
        "b": VALUES,
        "flag": st.booleans(),
        "rows": st.lists(st.fixed_dictionaries({"x": VALUES, "y": VALUES}), max_size=3),
        "cells": st.lists(TYPED, max_size=3),
    }
)


@st.composite
def inline(draw: st.DrawFn, names: tuple[str, ...], depth: int = 2) -> str:
    """Text with tags in a line."""
    kinds = st.sampled_from(["text", "value", "value", "if", "for"] if depth else ["text", "value"])
    pieces = []
    for kind in draw(st.lists(kinds, max_size=4)):
        if kind == "text":
            pieces.append(draw(STATIC))
        elif kind == "value":
            pieces.append(f"{{{{ {draw(st.sampled_from(names))}{draw(FILTERS)} }}}}")
        elif kind == "if":
            other = f"{{% else %}}{draw(inline(names, depth - 1))}" if draw(st.booleans()) else ""
            pieces.append(f"{{% if flag %}}{draw(inline(names, depth - 1))}{other}{{% endif %}}")
        else:
            inner = draw(inline((*names, "row.x", "row.y", "loop.index"), depth - 1))
            pieces.append(f"{{% for row in rows %}}{inner}{{% endfor %}}")
    return "".join(pieces)


@st.composite
def paragraph(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """A paragraph, its text cut into runs anywhere, within tags too."""
    text = draw(inline(names))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    written = "".join(f"<w:r>{draw(LOOKS)}<w:t>{escape(piece)}</w:t></w:r>" for piece in pieces)
    return f"<w:p>{draw(PARAGRAPH_LOOKS)}{written}</w:p>"


def tag(kind: str, text: str) -> str:
    """A paragraph that only carries a tag."""
    return f"<w:p><w:r><w:t>{{%{kind} {text} %}}</w:t></w:r></w:p>"


def cell(content: str, span: int = 1) -> str:
    """A cell."""
    properties = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    return f'<w:tc><w:tcPr><w:tcW w:w="100"/>{properties}</w:tcPr>{content}</w:tc>'


@st.composite
def table(draw: st.DrawFn, names: tuple[str, ...], depth: int) -> str:
    """A table with fixed rows, rows of a loop, cells of a loop, sometimes not as wide as its grid."""
    columns = draw(st.integers(1, 3))
    rows = []
    for kind in draw(
        st.lists(st.sampled_from(["fixed", "fixed", "wide", "rows", "if", "cells", "odd"]), min_size=1, max_size=3)
    ):
        known = (*names, "row.x") if kind == "rows" else names
        content = [draw(blocks(known, depth - 1)) or "<w:p/>" for _ in range(columns)]
        whole = f"<w:tr>{''.join(cell(each) for each in content)}</w:tr>"
        if kind == "fixed":
            rows.append(whole)
        elif kind == "wide":
            rows.append(f"<w:tr>{cell(content[0], columns)}</w:tr>")
        elif kind == "odd":
            rows.append(f"<w:tr>{cell(content[0], draw(st.integers(1, 4)))}</w:tr>")
        elif kind == "cells":
            begin, end = cell(tag("tc", "for each in cells")), cell(tag("tc", "endfor"))
            rows.append(f"<w:tr>{begin}{cell(draw(paragraph((*names, 'each'))))}{end}</w:tr>")
        else:
            word, close = ("for row in rows", "endfor") if kind == "rows" else ("if flag", "endif")
            rows.append(f"<w:tr>{cell(tag('tr', word))}</w:tr>{whole}<w:tr>{cell(tag('tr', close))}</w:tr>")
    grid = '<w:gridCol w:w="100"/>' * columns
    return f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"


@st.composite
def blocks(draw: st.DrawFn, names: tuple[str, ...], depth: int) -> str:
    """Paragraphs and tables, some within a loop or a condition; ends in a paragraph, as a cell has to."""
    kinds = ["paragraph", "paragraph", "if", "for", "table"] if depth > 0 else ["paragraph"]
    pieces = []
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=3)):
        if kind == "paragraph":
            pieces.append(draw(paragraph(names)))
        elif kind == "if":
            pieces.append(tag("p", "if flag") + draw(blocks(names, depth - 1)) + tag("p", "endif"))
        elif kind == "for":
            inner = draw(blocks((*names, "row.x", "row.y"), depth - 1))
            pieces.append(tag("p", "for row in rows") + inner + tag("p", "endfor"))
        else:
            pieces.append(draw(table(names, depth)) + "<w:p/>")
    return "".join(pieces)


@st.composite
def templates(draw: st.DrawFn) -> bytes:
    """A Word file with tags in its body and its footer."""
    body = draw(blocks(("a", "b"), 2))
    root: Any = parse_xml(f"<w:body {nsdecls('w')}>{body}</w:body>")
    footer = draw(inline(("a", "b")))
    return package(list(root), footer_left=footer, footer_right="")
