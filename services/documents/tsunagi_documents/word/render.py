"""Filling one Word template: compiled where that is proved to give the same, else docxtpl itself, in a sandbox. Then the marks
that no template decides on; the same bytes for the same input."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, Template
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tsunagi_documents.engine import RenderFailed
from tsunagi_documents.word import zipping
from tsunagi_documents.word.compiled import FOOTNOTES, Compiled, compile_template
from tsunagi_documents.word.marking import ensure_headers, fix_properties, put_marks
from tsunagi_documents.word.proving import Unproved

KEPT_PARTS = 256  # texts of template parts, with what was made of them: some 100 kB each
_GUARD = "\ufdd0"  # a noncharacter: the forms refuse it, so it can only be ours


class Sheet:
    """One template, kept: its bytes for docxtpl, and what was compiled of them, with headers for marks and without."""

    def __init__(self, template: bytes) -> None:
        self.template = template
        self._compiled: dict[bool, Compiled | None] = {}

    def render(self, context: Mapping[str, object], *, marks: tuple[str, ...] = (), title: str = "") -> bytes:
        """Fill the template. See `Engine.render`; this is what runs inside the worker, without its limits.

        RenderFailed('missing-name') when the template asks for what the context does not hold, 'template-error' for
        anything else that is wrong with it, reaching out of the sandbox included.
        """
        try:
            compiled = self.compiled(marked=bool(marks))
            if compiled is not None:
                try:
                    return compiled.render(context, marks, title)
                except Unproved:
                    pass
            return render_by_docxtpl(self.template, context, marks=marks, title=title)
        except UndefinedError:
            raise RenderFailed("missing-name") from None
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  a template can fail in any way; what it says may hold data
            raise RenderFailed("template-error") from None

    def compiled(self, *, marked: bool) -> Compiled | None:
        """The compiled form, made at the first call; None where docxtpl itself has to render."""
        if marked not in self._compiled:
            try:
                self._compiled[marked] = compile_template(self.template, marked=marked)
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001  what is broken about the file, docxtpl says
                self._compiled[marked] = None
        return self._compiled[marked]


def render_word(
    template: bytes, context: Mapping[str, object], *, marks: tuple[str, ...] = (), title: str = ""
) -> bytes:
    """Fill a template in this process. See `Sheet.render`."""
    return _sheet(template).render(context, marks=marks, title=title)


@functools.lru_cache(32)
def _sheet(template: bytes) -> Sheet:
    return Sheet(template)


def render_by_docxtpl(
    template: bytes, context: Mapping[str, object], *, marks: tuple[str, ...] = (), title: str = ""
) -> bytes:
    """docxtpl's own way, for what is not compiled: pictures, other documents, XML in need of repair. Raises what it raises."""
    document = _Template(io.BytesIO(template))
    document.init_docx()
    if marks:
        ensure_headers(document.docx)
    document.render(dict(context), _ENVIRONMENT)
    put_marks(document.docx, marks)
    fix_properties(document.docx, title)
    written = io.BytesIO()
    document.save(written)
    return zipping.archive(
        (name, zipping.member(name, (content,))) for name, content in zipping.contents(written.getvalue())
    )


class _Template(DocxTemplate):  # type: ignore[misc]
    """docxtpl, except that `{_{` and its like stay what people typed (docxtpl turns them into braces), that footnotes are filled
    once (docxtpl does it for each section, and so runs tags that were typed), and that what it makes of a template's text
    alone is made once: two thirds of a render else."""

    def patch_xml(self, src_xml: str) -> str:
        return _patched(src_xml)

    def render_xml_part(self, src_xml: str, part: Any, context: Any, jinja_env: Any = None) -> str:
        rendered: str = super().render_xml_part(src_xml, part, context, jinja_env)
        return rendered.replace(_GUARD, "")

    def render_footnotes(self, context: Any, jinja_env: Any = None) -> None:
        for part in self.docx.part.package.parts:
            if part.content_type == FOOTNOTES:
                xml = self.patch_xml(part.blob.decode())
                part._blob = self.render_xml_part(xml, part, context, jinja_env).encode()


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
    """Compiles each text once."""

    def from_string(self, source: Any, *arguments: Any, **more: Any) -> Template:
        if arguments or more:
            return super().from_string(source, *arguments, **more)
        return _compiled(source)


_ENVIRONMENT = _Environment(autoescape=True, undefined=StrictUndefined, finalize=_guard)
