"""Proving, from a template alone, that what it renders needs no repair: docxtpl then changes nothing, and nothing is parsed.

`Prover.prove` walks a part's text in the order in which it is written, tags and loops included, and keeps the XML elements
that are open. It accepts the part only if every path through its conditions and loops gives well-formed XML, and says of each
value where it stands: in a `w:t` (then it knows what docxtpl makes of its tabs and line breaks), elsewhere in the text, or
within an attribute. What it cannot prove raises `Unproved`, and the template takes docxtpl's own path.

Tables: docxtpl adds or removes grid columns until the grid fits the rows. A table whose rows are always the same is decided
here; where rows or cells depend on data, `Table` counts them during the render.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

VALUE = "\ufdd1"  # stands for a value within a tag; a noncharacter
PARAGRAPH_START = re.compile(r"\n(<w:p[ >])")
_NAME = re.compile(r"</?([^\s/>]+)")
_SPAN = re.compile(r'w:val="([0-9]{1,4})"')
_BRACES = re.compile(r"_[{}%]|[{}%]_")  # docxtpl turns `{_{` into braces
_ROW = "w:tr"
_CELL = "w:tc"
_TABLE = "w:tbl"
_CROSSED = ("w:t", "w:r", "w:p")  # what a condition may end that was open before, if it leaves another one open


class Unproved(Exception):
    """This template, or this value, is for docxtpl itself."""


@dataclass(eq=False)
class Block:
    """An open `w:p` or `w:r`. `odd`: docxtpl's search for its end finds another one. `unsure`: a condition or a loop may end it
    and begin another."""

    depth: int
    odd: bool = False
    unsure: bool = False
    properties: str = ""  # of a run
    kept: bool = False  # the properties are known


@dataclass
class Row:
    """An open `w:tr`: how many cells, how many columns they span."""

    depth: int
    cells: int = 0
    columns: int = 0
    span: int = 1  # of the cell being read; 0: the data says
    cell_depth: int = 0
    dynamic: bool = False


@dataclass
class Table:
    """A table of the body; while rendering, what its rows have come to."""

    depth: int
    columns: int = 0
    full: bool = False  # at least one row, written in any case, spans the whole grid
    counted: bool = False  # its rows have to be counted while rendering
    row_lengths: list[int] = field(default_factory=list)
    most_cells: int = 0
    widest: int = 0

    def settle(self) -> None:
        """After the template was walked: does anything have to be counted?"""
        if not self.columns:
            raise Unproved
        self.counted = self.counted or not self.full or any(cells > self.columns for cells in self.row_lengths)

    def opened(self) -> None:
        """The table begins."""
        self.most_cells = self.widest = 0

    def row_ended(self, cells: int, columns: int) -> None:
        """A row of it, or of a table within it, is written."""
        self.most_cells = max(self.most_cells, cells)
        self.widest = max(self.widest, columns)

    def closed(self) -> None:
        """The table ends. Unproved when docxtpl would change its grid."""
        if self.most_cells > self.columns or self.widest < self.columns:
            raise Unproved


@dataclass
class Place:
    """Where a value stands: `kind` is text (in a `w:t`), plain (elsewhere in the text), attribute or span."""

    kind: str
    run: Block | None = None
    paragraph: Block | None = None
    row: Row | None = None

    @property
    def breaks(self) -> bool:
        """Whether line breaks in the value become `w:br` here and nothing else happens."""
        known = self.run is not None and self.paragraph is not None
        return self.kind == "text" and known and not (self.run.odd or self.paragraph.odd)  # type: ignore[union-attr]


@dataclass
class Hook:
    """Something to count while rendering; stands in the template as an empty value."""

    kind: str  # table, cell, row or close
    tables: tuple[Table, ...]
    row: Row | None = None
    span: int = 1  # 0: as the value before says

    @property
    def needed(self) -> bool:
        """Whether any table it counts for depends on the data."""
        return any(table.counted for table in self.tables)


class Prover:
    """Walks one part. After `prove`, `flat` is the part with every loop and branch once: to be parsed, for all it can show."""

    def __init__(self, *, tables: bool) -> None:
        self.places: dict[int, Place] = {}
        self.hooks: dict[int, Hook] = {}
        self.flat: list[str] = []
        self.first_tag = ""
        self._with_tables = tables
        self._open: list[str] = []
        self._floor = 0
        self._depth = 0
        self._tag = ""  # of the tag being read
        self._quoted = False
        self._paragraphs: list[Block] = []
        self._runs: list[Block] = []
        self._rows: list[Row] = []
        self._tables: list[Table] = []
        self._every_table: list[Table] = []
        self._preserved = False
        self._found: list[tuple[int, Hook]] = []

    def prove(self, template: nodes.Template) -> None:
        """Unproved unless every rendering of the template is well-formed and left as it is. Puts the hooks in place."""
        self._walk(template.body)
        if self._open or self._tag:
            raise Unproved
        for table in self._every_table:
            table.settle()
        for output in template.find_all(nodes.Output):
            output.nodes = [node for node in output.nodes if id(node) not in self.hooks or self.hooks[id(node)].needed]

    # The template -------------------------------------------------------------------------------------------------------

    def _walk(self, body: list[nodes.Node]) -> None:
        for node in body:
            if isinstance(node, nodes.Output):
                self._output(node)
            elif isinstance(node, nodes.If):
                for branch in (node.body, *(each.body for each in node.elif_), node.else_):
                    self._branch(branch)
            elif isinstance(node, nodes.For) and not node.recursive:
                self._branch(node.body)
                self._branch(node.else_)
            elif not isinstance(node, nodes.Assign):
                raise Unproved  # macros, blocks, includes, escaping switched off …

    def _branch(self, body: list[nodes.Node]) -> None:
        """Whether or not this part is written, the elements around it stay the same."""
        if self._tag and not self._quoted:
            raise Unproved
        floor, tag, names, preserved = self._floor, self._tag, list(self._open), self._preserved
        blocks = [*self._paragraphs, *self._runs]
        self._floor = len(self._open)
        self._depth += 1
        self._walk(body)
        self._depth -= 1
        if self._open != names or bool(self._tag) != bool(tag) or (self._tag and not self._quoted):
            raise Unproved
        self._floor = min(floor, self._floor)
        if self._tag:
            self._tag = tag + VALUE
        elif body:
            self._doubt_properties()
        if blocks != [*self._paragraphs, *self._runs]:
            self._cross([*blocks, *self._paragraphs, *self._runs], same_space=preserved == self._preserved)

    def _cross(self, blocks: list[Block], *, same_space: bool) -> None:
        """After a branch that ends in another paragraph or run than it began in."""
        if not same_space or any(block.odd for block in blocks):
            raise Unproved
        for block in blocks:
            block.unsure = True

    def _output(self, output: nodes.Output) -> None:
        written: list[nodes.Expr] = []
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                if node.data.startswith(("<w:p ", "<w:p>")) or _BRACES.search(node.data):
                    raise Unproved
                written.extend(self._text(PARAGRAPH_START.sub(r"\1", node.data), node))
            else:
                self.places[id(node)] = self._place()
                written.append(node)
        output.nodes = written

    def _place(self) -> Place:
        if self._tag:
            if not self._quoted:
                raise Unproved
            self._tag += VALUE
            self.flat.append("1")
            spans = self._open[-2:] == [_CELL, "w:tcPr"] and self._tag.startswith("<w:gridSpan")
            if spans and not self._tag.endswith(f'w:val="{VALUE}'):
                raise Unproved
            return Place("span" if spans else "attribute", row=self._rows[-1] if spans and self._rows else None)
        self.flat.append("x")
        self._doubt_properties()
        if self._open[-2:] == ["w:r", "w:t"] and self._preserved and self._paragraphs:
            return Place("text", self._runs[-1], self._paragraphs[0])
        return Place("plain")

    # The XML ------------------------------------------------------------------------------------------------------------

    def _text(self, text: str, node: nodes.TemplateData) -> Iterator[nodes.Expr]:
        """Read a piece of the part; gives it back, with hooks where a table has to be counted."""
        self.flat.append(text)
        start = position = 0
        while position < len(text):
            if not self._tag:
                end = text.find("<", position)
                self._content(text[position : end if end >= 0 else len(text)])
                if end < 0:
                    break
                self._tag, position = "<", end + 1
                continue
            end, position = self._in_tag(text, position)
            if end:
                hooks = self._element(self._tag)
                self._tag = ""
                if hooks:
                    yield nodes.TemplateData(text[start:position], lineno=node.lineno)
                    start = position
                    for hook in hooks:
                        mark = nodes.Const("", lineno=node.lineno)
                        self.hooks[id(mark)] = hook
                        yield mark
        if start < len(text):
            yield nodes.TemplateData(text[start:], lineno=node.lineno)

    def _in_tag(self, text: str, position: int) -> tuple[bool, int]:
        """Go on to the next quote or the end of the tag: (whether it has ended, where)."""
        found = re.compile('"' if self._quoted else "[\">'<]").search(text, position)
        if found is None:
            self._tag += text[position:]
            return False, len(text)
        self._tag += text[position : found.end()]
        if found.group() == '"':
            self._quoted = not self._quoted
        elif found.group() != ">":
            raise Unproved
        return found.group() == ">", found.end()

    def _content(self, text: str) -> None:
        if text:
            self._doubt_properties()
        if self._open[-1:] == ["w:t"] and any(sign in text for sign in "\t\n\a\f\r"):
            raise Unproved

    def _element(self, tag: str) -> list[Hook]:
        if tag.startswith(("<!", "<?")):
            raise Unproved
        found = _NAME.match(tag)
        if found is None or VALUE in found.group():
            raise Unproved
        name = found.group(1)
        if self._runs and "w:rPr" in self._open:
            self._runs[-1].properties += tag
            if VALUE in tag or "\n" in tag:
                self._doubt(self._runs[-1])
        if tag.startswith("</"):
            return self._end(name)
        self.first_tag = self.first_tag or tag
        hooks = self._start(name, tag)
        if tag.endswith("/>"):
            hooks += self._end(name)
        return hooks

    def _start(self, name: str, tag: str) -> list[Hook]:
        hooks: list[Hook] = []
        empty = tag.endswith("/>")
        if name == "w:p":
            if self._paragraphs:
                self._doubt(self._paragraphs[0])
            self._paragraphs.append(Block(self._depth))
        elif name == "w:r":
            if (self._runs or (empty and tag != "<w:r/>")) and self._paragraphs:
                self._doubt(self._paragraphs[0])
            self._runs.append(Block(self._depth))
        elif name == "w:rPr" and self._open[-1:] == ["w:r"]:
            self._properties(tag, empty=empty)
        elif name == "w:rPr" and self._runs:
            self._doubt(self._runs[-1])
        elif name == "w:t":
            self._preserved = tag == '<w:t xml:space="preserve">'
        elif self._with_tables:
            hooks = self._table(name, tag)
        self._open.append(name)
        return hooks

    @staticmethod
    def _doubt(block: Block) -> None:
        if block.unsure:
            raise Unproved  # which one it is, the data decides
        block.odd = True

    def _doubt_properties(self) -> None:
        """Not only elements between `w:rPr` and its end."""
        if self._runs and "w:rPr" in self._open:
            self._doubt(self._runs[-1])

    def _properties(self, tag: str, *, empty: bool) -> None:
        run = self._runs[-1]
        if run.kept or self._depth > run.depth or tag not in ("<w:rPr>", "<w:rPr/>"):
            self._doubt(run)
        run.kept = True
        run.properties = "" if empty else tag

    def _table(self, name: str, tag: str) -> list[Hook]:
        if name == "wp:docPr" and self._depth:
            raise Unproved  # docxtpl numbers them anew
        if name == _TABLE:
            table = Table(self._depth)
            self._tables.append(table)
            self._every_table.append(table)
            return [Hook("table", (table,))]
        if not self._tables:
            return []
        table = self._tables[-1]
        if name == "w:tblGrid" and self._open[-1] == _TABLE:
            if self._depth > table.depth or table.columns or table.row_lengths:
                raise Unproved
        elif name == "w:gridCol" and self._open[-2:] == [_TABLE, "w:tblGrid"]:
            table.columns += 1
            if self._depth > table.depth or VALUE in tag:
                raise Unproved
        elif name == _ROW:
            self._rows.append(Row(self._depth))
            return [Hook("row", tuple(self._tables), self._rows[-1], 0)]
        elif name == _CELL and self._open[-1] == _ROW:
            self._rows[-1].dynamic |= self._depth > self._rows[-1].depth
            self._rows[-1].span = 1
            self._rows[-1].cell_depth = self._depth
        elif name == "w:gridSpan" and self._open[-2:] == [_CELL, "w:tcPr"]:
            self._grid_span(tag)
        return []

    def _grid_span(self, tag: str) -> None:
        row, span = self._rows[-1], _SPAN.search(tag)
        if row.span != 1 or self._depth > row.cell_depth:
            raise Unproved
        if span:
            row.span = int(span.group(1))
        elif f'w:val="{VALUE}"' in tag:
            row.span, row.dynamic = 0, True
        else:
            raise Unproved

    def _end(self, name: str) -> list[Hook]:
        if not self._open or self._open.pop() != name:
            raise Unproved
        if len(self._open) < self._floor:
            if name not in _CROSSED:
                raise Unproved
            self._floor = len(self._open)
        if name == "w:p" and self._paragraphs:
            self._paragraphs.pop()
        elif name == "w:r":
            self._runs.pop()
        elif self._with_tables and name == _CELL and self._open[-1:] == [_ROW]:
            row = self._rows[-1]
            row.cells += 1
            row.columns += row.span
            return [Hook("cell", tuple(self._tables), row, row.span)]
        elif self._with_tables and name == _ROW and self._tables:
            row = self._rows.pop()
            for table in self._tables:
                table.counted |= row.dynamic
                table.row_lengths.append(row.cells)
                table.full |= not row.dynamic and row.depth == table.depth and row.columns >= table.columns
            return [Hook("end", tuple(self._tables), row)]
        elif self._with_tables and name == _TABLE:
            return [Hook("close", (self._tables.pop(),))]
        return []
