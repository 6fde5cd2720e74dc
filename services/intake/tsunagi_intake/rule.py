"""What a rule is, and what it answers when something breaks it."""

from __future__ import annotations

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `number`: the design's rule it is part of; `says`: the rule in one Japanese sentence."""

    id: str
    number: int
    title: str
    says: str
    source: str
    codes: tuple[str, ...] = ()


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that stands against something: its id, the code of the refusal, the reason, and what is possible instead."""

    rule: str
    code: str
    reason: str
    way_out: str


Refused = tuple[str, str, str]  # code, reason, way out


def rule_of(
    rule: str, number: int, title: str, says: str, source: str, *refused: Refused
) -> tuple[Rule, tuple[Broken, ...]]:
    """A rule and its refusals."""
    broken = tuple(Broken(rule=rule, code=code, reason=reason, way_out=way_out) for code, reason, way_out in refused)
    codes = tuple(row.code for row in broken)
    return Rule(id=rule, number=number, title=title, says=says, source=source, codes=codes), broken
