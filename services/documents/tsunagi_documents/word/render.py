"""Filling one Word template: docxtpl in a sandbox, then the marks that no template decides on, then fixed bytes."""

from __future__ import annotations

import datetime as dt
import functools
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, Template
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tsunagi_documents.engine import RenderFailed

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
PROPERTY_DATE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # a fixed one: the paper itself says when it was received
MARK_COLOUR = "B00000"
MARK_FONT = "IPAexゴシック"
KEPT_PARTS = 256  # texts of template parts, with what was made of them: some 100 kB each
_GUARD = "\ufdd0"  # a noncharacter: the forms refuse it, so it can only be ours


def render_word(
    template: bytes, context: Mapping[str, object], *, marks: tuple[str, ...] = (), title: str = ""
) -> bytes:
    """Fill the template. See `Engine.render`; this is what runs inside the worker, without its limits.

    RenderFailed('missing-name') when the template asks for what the context does not hold, 'template-error' for anything
    else that is wrong with it, reaching out of the sandbox included.
    """
    try:
        document = _Template(io.BytesIO(template))
        document.init_docx()
        if marks:
            _ensure_headers(document.docx)
        document.render(dict(context), _ENVIRONMENT)
        _put_marks(document.docx, marks)
        _fix_properties(document.docx, title)
        written = io.BytesIO()
        document.save(written)
        return _fix_zip(written)
    except UndefinedError:
        raise RenderFailed("missing-name") from None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a template can fail in any way; what it says may hold data
        raise RenderFailed("template-error") from None


class _Template(DocxTemplate):  # type: ignore[misc]
    """docxtpl, except that `{_{` and its like stay what people typed (docxtpl turns them into braces), and that what it makes
    of a template's text alone is made once: two thirds of a render else."""

    def patch_xml(self, src_xml: str) -> str:
        return _patched(src_xml)

    def render_xml_part(self, src_xml: str, part: Any, context: Any, jinja_env: Any = None) -> str:
        rendered: str = super().render_xml_part(src_xml, part, context, jinja_env)
        return rendered.replace(_GUARD, "")


def _guard(value: object) -> object:
    if isinstance(value, str) and "_" in value:
        for brace in "{}%":
            value = value.replace(f"{brace}_", f"{brace}{_GUARD}_")
    return value


@functools.lru_cache(KEPT_PARTS)
def _patched(src_xml: str) -> str:
    patched: str = DocxTemplate.patch_xml(None, src_xml)  # it reads nothing of the template it belongs to
    return patched


@functools.lru_cache(KEPT_PARTS)
def _compiled(source: str) -> Template:
    return ImmutableSandboxedEnvironment.from_string(_ENVIRONMENT, source)


class _Environment(ImmutableSandboxedEnvironment):
    """Compiles each text once. A text without tags may hold data (docxtpl fills footnotes again for each section): those are
    not kept."""

    def from_string(self, source: Any, *arguments: Any, **more: Any) -> Template:
        if arguments or more or "{" not in source:
            return super().from_string(source, *arguments, **more)
        return _compiled(source)


_ENVIRONMENT = _Environment(autoescape=True, undefined=StrictUndefined, finalize=_guard)


def _ensure_headers(document: WordDocument) -> None:
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


def _put_marks(document: WordDocument, marks: tuple[str, ...]) -> None:
    if not marks:
        return
    for relationship in document.part.rels.values():
        if relationship.reltype == RELATIONSHIP_TYPE.HEADER:
            relationship.target_part.element.insert(0, _marks_paragraph(marks))


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


def _fix_properties(document: WordDocument, title: str) -> None:
    """Nobody's name and no time of day in the file's properties, whatever the template brought along."""
    properties = document.core_properties
    properties.title = title
    for name in ("author", "last_modified_by", "comments", "keywords", "subject", "category", "identifier"):
        setattr(properties, name, "")
    properties.language = "ja-JP"
    properties.revision = 1
    properties.created = properties.modified = PROPERTY_DATE


def _fix_zip(written: io.BytesIO) -> bytes:
    """The same package with a fixed date on every part, so that the same input gives the same bytes."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            copy = zipfile.ZipInfo(entry.filename, ZIP_DATE)
            copy.compress_type = zipfile.ZIP_DEFLATED
            copy.external_attr = 0o600 << 16
            target.writestr(copy, source.read(entry))
    return fixed.getvalue()
