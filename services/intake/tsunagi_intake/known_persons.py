"""The lines of a case's referrals as the rule on the audience reads them: who is shown where, now and once, and who may be
whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import persons
from tsunagi_shared.database import Statement


class Line(NamedTuple):
    """A row of `persons`."""

    id: str
    search_key: str
    birth_date: str | None
    same_as: str
    referral: str
    position: int
    taken_off: int

    def may_be(self, person: str, theirs: Collection[Line]) -> bool:
        """Whether the line may be the person that one of `theirs` stands for: same kana, no other birth date."""
        return bool(self.search_key) and any(
            self.search_key == line.search_key
            and (self.birth_date == line.birth_date or self.birth_date is None or line.birth_date is None)
            for line in theirs
            if person in (line.id, line.same_as)
        )


_LINES = Statement(
    sa.select(*(persons.c[name] for name in Line._fields)).where(persons.c.case == sa.bindparam("wanted"))
)


def lines_of(connection: Connection, case: int) -> list[Line]:
    """Every line that stands, or stood, on a referral of the case."""
    cursor = _LINES.run(connection, wanted=case)
    found = [Line(*row) for row in cursor]
    cursor.close()
    return found


def shown_on(lines: Iterable[Line]) -> dict[str, tuple[str, ...]]:
    """By referral, whom its lines show, in their order; those of lines that were taken off come last."""
    found: dict[str, dict[str, None]] = {}
    for line in sorted(lines, key=lambda line: (line.taken_off, line.position, line.id)):
        found.setdefault(line.referral, {})[line.same_as] = None
    return {referral: tuple(people) for referral, people in found.items()}


def other_ids(lines: Iterable[Line]) -> dict[str, tuple[str, ...]]:
    """By person, the ids of their other lines."""
    found: dict[str, tuple[str, ...]] = {}
    for line in sorted(lines, key=lambda line: line.id):
        if line.id != line.same_as:
            found[line.same_as] = (*found.get(line.same_as, ()), line.id)
    return found


def keys_of(lines: Iterable[Line]) -> Mapping[str, frozenset[str]]:
    """By person, the kana that the lines which stand find them by."""
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        if line.search_key and not line.taken_off:
            found[line.same_as] = found.get(line.same_as, frozenset()) | {line.search_key}
    return found


def reached(lines: Iterable[Line], person: str, theirs: Collection[Line]) -> set[str]:
    """By which ids a case knows those of its lines who may be the person that a line of `theirs` stands for."""
    return {line.same_as for line in lines if line.may_be(person, theirs)}
