"""Writing a value into a part's text the way docxtpl would: escaped, tabs and line breaks as Word's own, `{_{` as typed.

What is not settled here (markup, pictures, control characters, a page break in the data) raises `Unproved`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from jinja2 import Undefined
from markupsafe import escape

from tsunagi_documents.word.proving import Place, Row, Unproved

Put = Callable[[Any], str]

_BREAK = '</w:t><w:br/><w:t xml:space="preserve">'
_TAB = '</w:t></w:r><w:r>{0}<w:tab/></w:r><w:r>{0}<w:t xml:space="preserve">'
# Not allowed in XML, or not kept by a parser, or taken by docxtpl for something else; U+FDD0 and U+FDD1 are ours.
_ODD = "\x00-\x08\x0b-\x0c\x0e-\x1f\ufdd0\ufdd1\ufffe\uffff\ud800-\udfff"
_is_odd = re.compile(f"[{_ODD}]").search
_in_text = re.compile(f"[{_ODD}\t\n\r&<>]").search
_elsewhere = re.compile(f'[{_ODD}\t\n\r&<>"]').search
_has_markup = re.compile("<|&(?!(?:amp|lt|gt|quot|apos|#34|#39);)").search
_PLAIN = (int, float, bool, type(None))


def put_at(place: Place) -> Put:
    """The function that writes a value at this place."""
    if place.kind == "span":
        assert place.row is not None
        return _put_span(place.row)
    if place.breaks:
        assert place.run is not None
        return _put_text("" if place.run.unsure else _TAB.format(place.run.properties))
    return _put_plain


def _put_text(tab: str) -> Put:
    def put(value: Any) -> str:
        text: str = value if type(value) is str else _text_of(value)
        if _in_text(text) is None:
            return text
        if _is_odd(text) or (not tab and "\t" in text):
            raise Unproved
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        # A carriage return is a line feed to whoever reads the XML.
        return escaped.replace("\t", tab).replace("\n", _BREAK).replace("\r", "\n")

    return put


def _put_plain(value: Any) -> str:
    text: str = value if type(value) is str else _text_of(value)
    if _elsewhere(text) is None and not text.isspace():
        return text
    if _is_odd(text) or text.isspace() or any(sign in text for sign in "\t\n\r"):
        raise Unproved
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _put_span(row: Row) -> Put:
    def put(value: Any) -> str:
        text = _put_plain(value)
        if not text.isascii() or not text.isdigit():
            raise Unproved
        row.span = int(text)
        return text

    return put


def _text_of(value: Any) -> str:
    """What a template shows of a value that is not plain text. Raises jinja2.UndefinedError for a missing one."""
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, Undefined):
        return str(escape(value))
    if hasattr(value, "__html__"):
        text = str(value) if isinstance(value, str) else "<"
        if _has_markup(text):
            raise Unproved
        return html.unescape(text)
    return str(value)
