"""A Word template compiled once: a render fills the texts with tags and splices them between parts that are already deflated.

Only where `proving` has shown, from the template alone, that docxtpl 0.20.2 would not repair anything; then each XML part
says what docxtpl's says (the same after canonicalisation: `<a></a>` for `<a/>`, and the like). Kept different on purpose:

- footnotes are filled once; docxtpl fills them again for each section, and so runs tags that a resident typed;
- `{_{` and its like in the data stay as typed; docxtpl turns them into braces;
- a text of more than 10 million characters is not cut.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from docx.opc.oxml import parse_xml
from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lxml import etree

from tsunagi_documents.word import zipping
from tsunagi_documents.word.marking import ensure_headers, fix_properties, marks_xml
from tsunagi_documents.word.proving import Hook, Prover, Unproved
from tsunagi_documents.word.values import Put, put_at

PROPERTIES = ("author", "comments", "identifier", "language", "subject", "title")  # those that docxtpl fills
PROPERTY_LENGTH = 255
KEPT_MARKS = 16  # sets of marks: 取扱注意, with or without 支援会議限り …
VALUES_AT_ONCE = 4_096
LONGEST_TEXT = 9_000_000  # lxml gives up on a text of 10 million
FOOTNOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
_DECLARATION = "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n"
_MAIN = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_NAMESPACES = re.compile(r'^<w:body(?: xmlns(?::[^=\s]+)?="[^"]*")*>')
_PICTURE = re.compile(r'(<wp:docPr\b[^>]*? id=")[^"]*(")')
_STAND_IN = "\ue000mihon\ue000"  # where the body or the title will be
_DICT_NAMES = frozenset(dir(dict))
_UNSAFE_IN_TITLE = re.compile("[\x00-\x1f\ufffe\uffff\ud800-\udfff&<>]")


class _Code(CodeGenerator):
    """Jinja's code, each value written by the function of its place instead of `escape`."""

    environment: _Environment

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(f"{self.environment.puts[id(node)]}(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _Code

    def __init__(self) -> None:
        super().__init__(autoescape=True, undefined=StrictUndefined)
        self.puts: dict[int, str] = {}  # of the template being compiled

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As the sandbox does it, without an exception for each value of a row."""
        if type(obj) is dict and attribute in obj and attribute not in _DICT_NAMES:
            return obj[attribute]
        return super().getattr(obj, attribute)


_ENVIRONMENT = _Environment()
_OF_PROPERTIES = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)


@dataclass
class Part:
    """One part with tags: its compiled text, what stands around it, and how long its first tag is."""

    name: str
    template: Template
    before: str = ""
    after: str = ""
    first_tag: int = 0
    is_header: bool = False
    fixed: bool = False  # no tags: only marks change it
    made: dict[str, zipping.Member] = field(default_factory=dict)

    def write(self, context: Mapping[str, Any], marks: str) -> zipping.Member:
        """The part filled. Unproved when a value is for docxtpl itself."""
        if self.fixed and marks in self.made:
            return self.made[marks]
        written = zipping.member(self.name, self._pieces(context, marks), zipping.FAST)
        if self.fixed and len(self.made) < KEPT_MARKS:
            self.made[marks] = written
        return written

    def _pieces(self, context: Mapping[str, Any], marks: str) -> Iterator[bytes]:
        """The part, a stretch at a time: ten thousand rows are never in memory as a whole."""
        yield self.before.encode()
        values = self.template.root_render_func(self.template.new_context(dict(context)))
        without_tag = 0
        while stretch := list(islice(values, VALUES_AT_ONCE)):
            text = "".join(stretch)
            if marks and self.is_header:
                text, marks = text[: self.first_tag] + marks + text[self.first_tag :], ""
            without_tag = _without_tag(text, without_tag)
            yield text.encode()
        yield self.after.encode()


@dataclass
class Compiled:
    """A template ready to be filled. `members` in the order of the file; None is the next of `parts`, in `order`."""

    members: list[tuple[str, zipping.Member | None]]
    parts: dict[str, Part]
    properties: list[Template]
    properties_name: str
    properties_text: tuple[str, str]

    def render(self, context: Mapping[str, Any], marks: tuple[str, ...], title: str) -> bytes:
        """The Word file. Unproved when a value is for docxtpl itself; whatever the template's code raises."""
        if len(title) > PROPERTY_LENGTH or _UNSAFE_IN_TITLE.search(title):
            raise Unproved
        inserted = marks_xml(marks)
        written = {name: part.write(context, inserted) for name, part in self.parts.items()}
        for each in self.properties:
            if len(each.render(context)) > PROPERTY_LENGTH:
                raise Unproved
        properties = title.join(self.properties_text).encode()
        written[self.properties_name] = zipping.member(self.properties_name, (properties,), zipping.FAST)
        return zipping.archive((name, member or written[name]) for name, member in self.members)


def compile_template(template: bytes, *, marked: bool) -> Compiled:
    """Read, patch, prove and compile. Unproved when docxtpl itself has to render it; any exception of a broken file.

    `marked`: with a header on every page, for the marks.
    """
    opened = DocxTemplate(io.BytesIO(template))
    opened.init_docx()
    document = opened.docx
    if marked:
        ensure_headers(document)
    parts = [_body(opened)]
    parts += [_header(opened, part, marked=marked) for part in _headers(opened)]
    properties = document.core_properties
    filled = [text for name in PROPERTIES if "{" in (text := getattr(properties, name))]
    parts += [
        _part(opened, part.partname, part.blob.decode(), tables=False)
        for part in document.part.package.parts
        if part.content_type == FOOTNOTES
    ]
    for name in PROPERTIES:
        setattr(properties, name, getattr(properties, name)[:PROPERTY_LENGTH])
    fix_properties(document, _STAND_IN)
    named = {part.name: part for part in parts}
    if len(named) < len(parts):
        raise Unproved
    properties_name = document.part.package._core_properties_part.partname[1:]
    return _packed(document, named, [_OF_PROPERTIES.from_string(text) for text in filled], properties_name)


def _packed(document: Any, parts: dict[str, Part], properties: list[Template], properties_name: str) -> Compiled:
    written = io.BytesIO()
    document.save(written)
    members: list[tuple[str, zipping.Member | None]] = []
    around: tuple[str, ...] = ()
    for name, content in zipping.contents(written.getvalue()):
        if name == properties_name:
            around = tuple(content.decode().split(_STAND_IN))
        changes = name in parts or name == properties_name
        members.append((name, None if changes else zipping.member(name, (content,))))
    if len(around) != 2 or not parts.keys() <= {name for name, _ in members} or len(dict(members)) < len(members):
        raise Unproved
    return Compiled(members, parts, properties, properties_name, (around[0], around[1]))


def _body(opened: Any) -> Part:
    document = opened.docx
    patched = opened.patch_xml(opened.get_xml())
    root = copy.deepcopy(document._element)
    for child in list(root.body):
        root.body.remove(child)
    root.body.text = _STAND_IN
    around = etree.tostring(root, encoding="UTF-8", standalone=True).decode().split(f"<w:body>{_STAND_IN}</w:body>")
    source, found = _NAMESPACES.subn("<w:body>", patched)
    pictures = patched.count("<wp:docPr")
    numbers = iter(range(1001, 1001 + pictures))
    source, numbered = _PICTURE.subn(lambda match: f"{match[1]}{next(numbers)}{match[2]}", source)
    if len(around) != 2 or not found or numbered != pictures:
        raise Unproved
    return _part(opened, document.part.partname, source, around=(around[0], around[1]), patched=True)


def _headers(opened: Any) -> Iterable[Any]:
    for kind in (opened.HEADER_URI, opened.FOOTER_URI):
        for _, part in opened.get_headers_footers(kind):
            yield part


def _header(opened: Any, part: Any, *, marked: bool) -> Part:
    compiled = _part(opened, part.partname, opened.get_part_xml(part), around=(_DECLARATION, ""), tables=False)
    compiled.is_header = marked and part.content_type.endswith("header+xml")
    return compiled


def _part(
    opened: Any,
    partname: str,
    source: str,
    *,
    around: tuple[str, str] = ("", ""),
    tables: bool = True,
    patched: bool = False,
) -> Part:
    if not patched:
        source = opened.patch_xml(source)
    before, after = around
    if source.startswith("<?xml"):  # footnotes: as they lie in the file
        end = source.index("?>") + 2
        before, source = source[:end], source[end:].lstrip()
    tree = _ENVIRONMENT.parse(re.sub(r"<w:p([ >])", r"\n<w:p\1", source))
    prover = Prover(tables=tables)
    prover.prove(tree)
    flat = (before + "".join(prover.flat) + after).encode()
    # The parser that docxtpl leads headers through drops blanks: if it drops any here, the part is not proved.
    if etree.tostring(parse_xml(flat), method="c14n") != etree.tostring(etree.fromstring(flat), method="c14n"):  # type: ignore[arg-type]
        raise Unproved
    if prover.first_tag.endswith("/>") or (not tables and _MAIN not in prover.first_tag):
        raise Unproved
    fixed = not prover.places and not any(True for _ in tree.find_all((nodes.For, nodes.If, nodes.Assign)))
    return Part(partname[1:], _compiled(tree, prover), before, after, first_tag=len(prover.first_tag), fixed=fixed)


def _compiled(tree: nodes.Template, prover: Prover) -> Template:
    functions: dict[str, Any] = {}
    names: dict[int, str] = {}
    for key, place in prover.places.items():
        names[key] = f"put{len(names)}"
        functions[names[key]] = put_at(place)
    for key, hook in prover.hooks.items():
        names[key] = f"put{len(names)}"
        functions[names[key]] = _counting(hook)
    _ENVIRONMENT.puts = names
    try:
        code = _ENVIRONMENT.compile(tree)
    finally:
        _ENVIRONMENT.puts = {}
    namespace = {"environment": _ENVIRONMENT, "__file__": "<template>", **functions}
    exec(code, namespace)  # noqa: S102  what Jinja itself does with its code
    return Template._from_namespace(_ENVIRONMENT, namespace, _ENVIRONMENT.make_globals(None))


def _counting(hook: Hook) -> Put:
    def count(_: Any) -> str:
        row = hook.row
        if hook.kind == "table":
            hook.tables[0].opened()
        elif hook.kind == "close":
            hook.tables[0].closed()
        elif row is not None and hook.kind == "row":
            row.cells = row.columns = 0
        elif row is not None and hook.kind == "cell":
            row.cells += 1
            row.columns += hook.span or row.span
        elif row is not None:
            for table in hook.tables:
                table.row_ended(row.cells, row.columns)
        return ""

    return count


def _without_tag(text: str, before: int) -> int:
    """How far back the last tag is. Unproved when there may be a text between tags that is longer than an XML parser takes."""
    first, last = text.find("<"), text.rfind("<")
    if before + (first if first >= 0 else len(text)) > LONGEST_TEXT:
        raise Unproved
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        if any(text.find("<", start, start + half) < 0 for start in range(0, len(text) - half, half)):
            raise Unproved
    return len(text) - last if last >= 0 else before + len(text)
