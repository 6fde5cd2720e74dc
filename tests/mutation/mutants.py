"""Small changes to a module's source, each of which makes it wrong: a comparison turned, a row of a table left out.

Each mutant is one change at one place. Its name says where and what, without a line number, so that it stays the same while
code around it moves.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "earlier": "later", "later": "earlier"}
_LONGEST = 70  # of a change as its name shows it

Change = tuple[ast.AST, str]  # what stands there instead; and, where only a part is left out, that part


@dataclass(frozen=True)
class Mutant:
    """One changed module. `name` is unique in it."""

    name: str
    source: str


@dataclass(frozen=True)
class _Place:
    """A node that can be replaced: how to put another in its place, and in which function, class or table it stands."""

    node: ast.AST
    put: Callable[[ast.AST], None]
    scope: str


def mutants(source: str, enumerations: Mapping[str, tuple[str, ...]]) -> list[Mutant]:
    """Every mutant of the source. `enumerations`: by class name, the members that one can be mistaken for another of."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for place in list(_places(tree)):
        for changed, without in _changes(place.node, enumerations):
            before, after = _short(place.node), _short(changed)
            place.put(changed)
            name = f"{place.scope}: {before} − {without}" if without else f"{place.scope}: {before} → {after}"
            seen[name] += 1
            name = name if seen[name] == 1 else f"{name} #{seen[name]}"
            found.append(Mutant(name, ast.unparse(ast.fix_missing_locations(tree))))
            place.put(place.node)
    return found


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _places(tree: ast.Module) -> Iterator[_Place]:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr) or _targets(statement) == "__all__":
            continue
        yield from _within(tree, statement, _targets(statement) or getattr(statement, "name", ""))


def _targets(statement: ast.stmt) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _within(parent: ast.AST, node: ast.AST, scope: str) -> Iterator[_Place]:
    """The node and everything below it but docstrings, annotations and what people read."""
    for name, value in ast.iter_fields(parent):
        if value is node:
            yield _Place(node, lambda new, name=name: setattr(parent, name, new), scope)  # type: ignore[misc]
        elif isinstance(value, list):
            for place, member in enumerate(value):
                if member is node:
                    yield _Place(node, lambda new, row=value, place=place: row.__setitem__(place, new), scope)  # type: ignore[misc]
    for child in _children(node):
        inner = f"{scope}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else scope
        yield from _within(node, child, inner)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    is_code_list = isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "CodeList" for base in node.bases)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "bases", "decorator_list"):
            continue
        if name == "keywords" and isinstance(node, ast.ClassDef):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            if is_code_list and isinstance(child, ast.Assign):
                continue  # codes and the words people read
            yield child


def _changes(node: ast.AST, enumerations: Mapping[str, tuple[str, ...]]) -> Iterator[Change]:
    if isinstance(node, ast.expr):
        yield from _expressions(node, enumerations)
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None)), ""
    elif isinstance(node, ast.Continue | ast.Break | ast.Expr | ast.AugAssign):
        yield ast.Pass(), ""
    elif isinstance(node, ast.If):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test)), ""


def _expressions(node: ast.expr, enumerations: Mapping[str, tuple[str, ...]]) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in _COMPARISONS:
                turned = _COMPARISONS[type(operator)]()
                yield _with(node, ops=[*node.ops[:place], turned, *node.ops[place + 1 :]]), ""
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()), ""
        for place in range(len(node.values)):
            rest = node.values[:place] + node.values[place + 1 :]
            yield rest[0] if len(rest) == 1 else _with(node, values=rest), _short(node.values[place])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand, ""
    elif isinstance(node, ast.IfExp):
        yield node.body, ""
        yield node.orelse, ""
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield _with(node, op=_OPERATORS[type(node.op)]()), ""
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Attribute | ast.Name):
        yield from _references(node, enumerations)
    elif isinstance(node, ast.Call):
        for place, keyword in enumerate(node.keywords):
            if keyword.arg:
                yield _with(node, keywords=node.keywords[:place] + node.keywords[place + 1 :]), _short(keyword)
    else:
        yield from _collections(node)


def _constants(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value), ""
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1), ""
    elif isinstance(node.value, str):
        yield ast.Constant(f"XX{node.value}"), ""


def _references(node: ast.Attribute | ast.Name, enumerations: Mapping[str, tuple[str, ...]]) -> Iterator[Change]:
    if not isinstance(node.ctx, ast.Load):
        return
    if isinstance(node, ast.Name):
        if node.id in _NAMES:
            yield ast.Name(_NAMES[node.id], ast.Load()), ""
        return
    owner = ast.unparse(node.value).rpartition(".")[2]
    members = enumerations.get(owner, ())
    if node.attr in members:
        following = members[(members.index(node.attr) + 1) % len(members)]
        yield ast.Attribute(node.value, following, ast.Load()), ""
    elif node.attr in _NAMES:
        yield ast.Attribute(node.value, _NAMES[node.attr], ast.Load()), ""


def _collections(node: ast.expr) -> Iterator[Change]:
    """With each element left out."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set) and not isinstance(getattr(node, "ctx", None), ast.Store):
        for place in range(len(node.elts)):
            rest = node.elts[:place] + node.elts[place + 1 :]
            # an empty set has no literal of its own
            left = _with(node, elts=rest) if rest or not isinstance(node, ast.Set) else ast.Tuple([], ast.Load())
            yield left, _short(node.elts[place])
    elif isinstance(node, ast.Dict):
        for place in range(len(node.keys)):
            rest_of_keys = node.keys[:place] + node.keys[place + 1 :]
            rest_of_values = node.values[:place] + node.values[place + 1 :]
            key = node.keys[place]
            yield _with(node, keys=rest_of_keys, values=rest_of_values), _short(key or node.values[place])


def _with(node: ast.AST, **changes: object) -> ast.AST:
    """A shallow copy with other fields."""
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed
