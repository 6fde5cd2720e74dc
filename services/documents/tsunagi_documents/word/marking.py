"""What every sheet carries whatever its template says: marks at the top of each page, and properties that name nobody."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Any

from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from lxml import etree

PROPERTY_DATE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # a fixed one: the paper itself says when it was received
MARK_COLOUR = "B00000"
MARK_FONT = "IPAexゴシック"


def ensure_headers(document: WordDocument) -> None:
    """Give the first section every header its pages use; later sections inherit or have their own."""
    for index, section in enumerate(document.sections):
        wanted = [section.header] if index == 0 else []
        if section.different_first_page_header_footer:
            wanted.append(section.first_page_header)
        if document.settings.odd_and_even_pages_header_footer and index == 0:
            wanted.append(section.even_page_header)
        for header in wanted:
            if header.is_linked_to_previous:
                header.is_linked_to_previous = False


def put_marks(document: WordDocument, marks: tuple[str, ...]) -> None:
    """Put the marks above every header."""
    if not marks:
        return
    for relationship in document.part.rels.values():
        if relationship.reltype == RELATIONSHIP_TYPE.HEADER:
            relationship.target_part.element.insert(0, _marks_paragraph(marks))


@functools.lru_cache(16)
def marks_xml(marks: tuple[str, ...]) -> str:
    """The paragraph of the marks as it stands in a header that declares the prefix w; nothing where there are none."""
    if not marks:
        return ""
    written: str = etree.tostring(_marks_paragraph(marks), encoding="unicode")
    return re.sub(r' xmlns:\w+="[^"]*"', "", written)


def _marks_paragraph(marks: tuple[str, ...]) -> Any:
    paragraph = OxmlElement("w:p")
    properties = _child(paragraph, "w:pPr")
    _child(properties, "w:spacing", before="0", after="60", line="280", lineRule="atLeast")
    _child(properties, "w:jc", val="right")
    for index, mark in enumerate(marks):
        if index:
            _run(paragraph, "\u3000", boxed=False)
        _run(paragraph, f"\u00a0{mark}\u00a0", boxed=True)
    return paragraph


def _run(paragraph: Any, text: str, *, boxed: bool) -> None:
    run = _child(paragraph, "w:r")
    properties = _child(run, "w:rPr")
    _child(properties, "w:rFonts", ascii=MARK_FONT, hAnsi=MARK_FONT, eastAsia=MARK_FONT)
    _child(properties, "w:color", val=MARK_COLOUR)
    _child(properties, "w:sz", val="22")
    if boxed:
        _child(properties, "w:bdr", val="single", sz="8", space="0", color=MARK_COLOUR)
    content = _child(run, "w:t")
    content.text = text
    content.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")


def _child(parent: Any, tag: str, **attributes: str) -> Any:
    element = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(qn(f"w:{name}"), value)
    parent.append(element)
    return element


def fix_properties(document: WordDocument, title: str) -> None:
    """Nobody's name and no time of day in the file's properties, whatever the template brought along."""
    properties = document.core_properties
    properties.title = title
    for name in ("author", "last_modified_by", "comments", "keywords", "subject", "category", "identifier"):
        setattr(properties, name, "")
    properties.language = "ja-JP"
    properties.revision = 1
    properties.created = properties.modified = PROPERTY_DATE
