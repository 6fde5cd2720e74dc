"""Word files part by part, beside what docxtpl itself makes of the same template and data."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lxml import etree

from tsunagi_documents.word.proving import Unproved
from tsunagi_documents.word.render import Sheet, render_by_docxtpl

PROPERTIES = "docProps/core.xml"
_BRACES = re.compile("[{}%]_")


def parts_of(word: bytes) -> dict[str, bytes]:
    """Every part, in the order of the file; XML in its canonical form."""
    with zipfile.ZipFile(io.BytesIO(word)) as packed:
        return {entry: _canonical(entry, packed.read(entry)) for entry in packed.namelist()}


def _canonical(name: str, content: bytes) -> bytes:
    if not name.endswith((".xml", ".rels")):
        return content
    canonical: bytes = etree.tostring(etree.fromstring(content), method="c14n")
    return canonical


def by_plain_docxtpl(template: bytes, context: Mapping[str, Any]) -> bytes:
    """docxtpl as it comes, nothing kept and nothing of ours in it, in the sandbox."""
    environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    document = DocxTemplate(io.BytesIO(template))
    document.render(dict(context), environment)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def compiled(template: bytes, context: Mapping[str, Any], marks: tuple[str, ...] = (), title: str = "") -> bytes | None:
    """What the compiled form makes, None where it leaves the sheet to docxtpl."""
    form = Sheet(template).compiled(marked=bool(marks))
    try:
        return None if form is None else form.render(context, marks, title)
    except Unproved:
        return None


def assert_same(template: bytes, context: Mapping[str, Any], *, fast: bool | None = None) -> None:
    """The compiled form says part by part what docxtpl says, with marks and without; or leaves it to docxtpl.

    `fast`: whether the compiled form has to be the one that rendered; None where either may.
    """
    marks = ("取扱注意", "支援会議限り")
    bare, marked = compiled(template, context), compiled(template, context, marks, "見本の題")
    if fast is not None:
        assert (bare is not None, marked is not None) == (fast, fast)
    if bare is not None:
        assert parts_of(bare) == parts_of(render_by_docxtpl(template, context))
        if not _BRACES.search(repr(context)):  # kept as typed, on purpose
            theirs = parts_of(by_plain_docxtpl(template, context))
            assert _without_properties(parts_of(bare)) == _without_properties(theirs)
    if marked is not None:
        theirs = parts_of(render_by_docxtpl(template, context, marks=marks, title="見本の題"))
        assert parts_of(marked) == theirs


def _without_properties(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Properties are set by the engine, whatever the template says."""
    return {name: content for name, content in parts.items() if name != PROPERTIES}
