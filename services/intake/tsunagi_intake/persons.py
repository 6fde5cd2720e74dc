"""Everybody a case's forms show, and who of them is the same person.

A person is `<referral id>.<position>`: 0 is 本人, n the household's row n when the row was first written. Whoever stands in
several referrals of one case is known by the earliest of these ids (`same_as`): that one stands in consents, protections,
audiences and events. Two rows are the same person when furigana (folded for search) and birth date are both known and equal.
Two lines of one form are never taken for one person, so that a form has as many ids as lines, in their order.

Whoever a correction takes off a form stays known (`taken_off`): earlier papers show them, and other forms may speak of them,
so that they go on being hidden from whoever they were hidden from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import consents, persons, protections, referrals, revisions
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.forms.japanese import search_key
from tsunagi_shared.forms.referral import Referral

TAKEN_BACK = ("withdrawn", "misdirected")

_INSERT = insert_of(persons)
_KNOWN = Statement(
    sa.select(persons.c.search_key, persons.c.birth_date, persons.c.same_as).where(
        persons.c.case == sa.bindparam("case"), persons.c.search_key != "", persons.c.birth_date.is_not(None)
    )
)


class Shown(msgspec.Struct, frozen=True):
    """One person of a form as it was typed: how they are found again, and what they are called."""

    name: str
    relationship: str
    key: str
    birth_date: str | None
    phone: str
    kana: str = ""

    @property
    def found_by(self) -> tuple[str, str] | None:
        """By what the same person is known in another form; None where too little is known."""
        return (self.key, self.birth_date) if self.key and self.birth_date else None

    @property
    def called(self) -> str:
        """What papers call the person: the name, or what they are to 本人 where no name was given."""
        return self.name or self.relationship

    def is_another(self, other: Shown) -> bool:
        """Whether a line that said this and says the other now is about somebody else.

        Both are named, and not alike. It is the same person all the same, with the name put right, where the furigana
        stayed, or the birth date while the furigana was not known of both.
        """
        named = "".join(self.name.split()), "".join(other.name.split())
        if not all(named) or named[0] == named[1]:
            return False
        if self.key and other.key:
            return self.key != other.key
        return not self.birth_date or self.birth_date != other.birth_date


def shown_by(form: Referral) -> tuple[Shown, ...]:
    """本人 and the household, in the order of the form."""
    person = form.person
    phone = "".join(filter(str.isdigit, person.mobile or person.phone))
    first = Shown(person.name, "本人", search_key(person.kana), _iso(person.birth_date), phone, person.kana)
    rows = (
        Shown(row.name, row.relationship, search_key(row.kana) if row.kana else "", _iso(row.birth_date), "", row.kana)
        for row in form.household
    )
    return (first, *rows)


def _iso(day: Any) -> str | None:
    return day.isoformat() if day else None


def keep(
    connection: Connection, case: int, referral_id: str, people: Sequence[Shown], *, opened: bool
) -> tuple[str, ...]:
    """Rows for everybody a new referral shows (`shown_by`); returns who they are, in the order of the form.

    `opened`: the case was opened by this referral, so that nobody can be known yet.
    """
    known: dict[tuple[str, str], str] = {}
    if not opened:
        cursor = _KNOWN.run(connection, case=case)
        known = {(key, birth_date): same_as for key, birth_date, same_as in cursor.fetchall()}
        cursor.close()
    rows, ids = [], []
    for position, person in enumerate(people):
        person_id = f"{referral_id}.{position}"
        same_as = known.pop(person.found_by, person_id) if person.found_by else person_id
        rows.append(_row(person_id, referral_id, case, position, person, same_as))
        ids.append(same_as)
    _INSERT.many(connection, rows)
    return tuple(ids)


def _row(person_id: str, referral_id: str, case: int, position: int, person: Shown, same_as: str) -> dict[str, Any]:
    return {
        "id": person_id, "referral": referral_id, "case": case, "position": position, "search_key": person.key,
        "birth_date": person.birth_date, "phone_key": person.phone, "same_as": same_as, "taken_off": 0,
    }  # fmt: skip


def correct(
    connection: Connection, case: int, referral_id: str, revision: int, forms: tuple[Referral, Referral]
) -> None:
    """The rows of a corrected referral (`forms`: before, after). Whoever stood in it keeps their id, wherever they stand now.

    本人 stays 本人. A line of the household is known by name and birth date, else by name and relationship, else by furigana
    and birth date, else by its place, unless it names somebody else there. Somebody new never gets the id of somebody taken
    off: what was agreed for one person must not come to speak for another.
    """
    along_key = sa.and_(persons.c.id > f"{referral_id}.", persons.c.id < f"{referral_id}/")
    standing = sa.and_(along_key, persons.c.taken_off == 0)
    ids = {
        row.position: row.id for row in connection.execute(sa.select(persons.c.id, persons.c.position).where(standing))
    }
    old, new = shown_by(forms[0]), shown_by(forms[1])
    free = [position for position in range(1, len(old)) if position in ids]
    kept = {0: ids[0]}
    for alike in _ALIKE:
        for position in range(1, len(new)):
            match = next((place for place in free if alike(old[place], new[position], place == position)), None)
            if match is not None and position not in kept:
                free.remove(match)
                kept[position] = ids[match]
    connection.execute(persons.update().where(standing).values(taken_off=1))
    connection.execute(persons.delete().where(persons.c.id.in_(kept.values())))
    rows = []
    for position, person in enumerate(new):
        person_id = kept.get(position, f"{referral_id}.{revision * 100 + position}")
        rows.append(_row(person_id, referral_id, case, position, person, person_id))
    _INSERT.many(connection, rows)
    _identify(connection, case)


_ALIKE: tuple[Callable[[Shown, Shown, bool], bool], ...] = (
    lambda old, new, _: bool(old.name) and old.name == new.name and old.birth_date == new.birth_date,
    lambda old, new, _: bool(old.name) and old.name == new.name and old.relationship == new.relationship,
    lambda old, new, _: old.found_by is not None and old.found_by == new.found_by,
    lambda old, new, there: there and old.relationship == new.relationship and _one_birth(old, new)
    and not old.is_another(new),
)  # fmt: skip


def _one_birth(old: Shown, new: Shown) -> bool:
    return not old.birth_date or not new.birth_date or old.birth_date == new.birth_date


def _identify(connection: Connection, case: int) -> None:
    """Find anew who is the same person, after rows changed, and let consents and protections follow. The forms' own lists of
    persons follow when the audience is worked out, so that it is seen and published that they changed."""
    rows = connection.execute(
        sa.select(persons)
        .join(referrals, referrals.c.id == persons.c.referral)
        .where(persons.c.case == case)
        .order_by(referrals.c.seq, persons.c.taken_off.desc(), persons.c.position, persons.c.id)
    ).all()
    first: dict[tuple[str, str], str] = {}
    used: set[tuple[str, str]] = set()
    there = {row.id for row in rows}
    moved: dict[str, str] = {}  # whom others were known by, and is now known by another id
    for row in rows:
        found_by = (row.search_key, row.birth_date) if row.search_key and row.birth_date else None
        same_as = first.setdefault(found_by, row.id) if found_by else row.id
        if not row.taken_off:
            if (row.referral, same_as) in used:
                same_as = row.id
            used.add((row.referral, same_as))
        if row.same_as == row.id or row.same_as not in there:
            moved.setdefault(row.same_as, same_as)
        connection.execute(persons.update().where(persons.c.id == row.id).values(same_as=same_as))
    for before, after in moved.items():
        if before != after:
            for table in (consents, protections):
                of_person = sa.and_(table.c.case == case, table.c.person == before)
                connection.execute(table.update().where(of_person).values(person=after))
    subjects = sa.select(persons.c.referral, persons.c.same_as).where(
        persons.c.case == case, persons.c.position == 0, persons.c.taken_off == 0
    )
    for referral_id, person in connection.execute(subjects).all():  # whom a referral's own consent speaks for
        for table in (consents, protections):
            connection.execute(table.update().where(table.c.id == referral_id).values(person=person))


def of_case(connection: Connection, case: int) -> tuple[str, ...]:
    """Everybody the case's referrals show, the subject first. Referrals taken back count only where there are no others."""
    rows = connection.execute(
        sa.select(persons.c.same_as, referrals.c.state)
        .join(referrals, referrals.c.id == persons.c.referral)
        .where(persons.c.case == case, persons.c.taken_off == 0)
        .order_by(referrals.c.seq, persons.c.position)
    ).all()
    standing = [row.same_as for row in rows if row.state not in TAKEN_BACK] or [row.same_as for row in rows]
    return tuple(dict.fromkeys(standing))


def canonical(connection: Connection, case: int, person_id: str) -> str | None:
    """By which id the case knows a person; None when no line of its referrals shows them (any more)."""
    meant = sa.select(persons.c.same_as).where(persons.c.id == person_id, persons.c.case == case).scalar_subquery()
    standing = sa.select(persons.c.same_as).where(
        persons.c.case == case, persons.c.taken_off == 0, persons.c.same_as == meant
    )
    found = connection.execute(standing.limit(1)).scalar()
    return None if found is None else str(found)


def same_here(connection: Connection, case: int, others: Sequence[int], person_id: str) -> str | None:
    """By which id the case knows somebody of one of the others: furigana and birth date are known and equal. None: by none."""
    here, there = persons.alias("here"), persons.alias("there")
    same = sa.and_(
        here.c.search_key == there.c.search_key, here.c.birth_date == there.c.birth_date, here.c.search_key != "",
        here.c.taken_off == 0,
    )  # fmt: skip
    found = connection.execute(
        sa.select(here.c.same_as)
        .select_from(there.join(here, same))
        .where(there.c.id == person_id, there.c.case.in_(others), here.c.case == case, here.c.taken_off == 0)
        .order_by(here.c.id)
        .limit(1)
    ).scalar()
    return None if found is None else str(found)


def has_lost_protected(connection: Connection, case: int) -> bool:
    """Whether somebody is protected whom the case does not show any more, so that nobody else can be known as them either."""
    shown = sa.select(persons.c.same_as).where(persons.c.case == case, persons.c.taken_off == 0)
    lost = sa.select(1).where(
        protections.c.case == case, protections.c.lifted_at.is_(None), protections.c.person.not_in(shown)
    )
    return connection.execute(lost.limit(1)).first() is not None


def names_of(connection: Connection, case: int | None, ids: Iterable[str]) -> dict[str, str]:
    """What papers call these persons of a case, by id. Who stands on no form any more is left out."""
    lines = connection.execute(
        sa.select(persons.c.same_as, persons.c.position, referrals.c.id, referrals.c.form)
        .join(referrals, referrals.c.id == persons.c.referral)
        .where(
            persons.c.case == case, persons.c.taken_off == 0, persons.c.same_as.in_(list(ids)), referrals.c.form != b""
        )
        .order_by(referrals.c.seq, persons.c.position)
    ).all()
    forms = {
        row.id: shown_by(msgspec.json.decode(row.form, type=Referral))
        for row in {line.id: line for line in lines}.values()
    }
    names: dict[str, str] = {}
    for line in lines:
        names.setdefault(line.same_as, forms[line.id][line.position].called)
    return names


def once_called(connection: Connection, case: int | None, referral_id: str = "") -> tuple[str, ...]:
    """Names and furigana that stood on the case's referrals (or on that one) before a correction, and do not now."""
    of_case = sa.select(referrals.c.id).where(referrals.c.case == case, referrals.c.form != b"")
    wanted = of_case.where(referrals.c.id == referral_id) if referral_id else of_case
    before = connection.execute(
        sa.select(revisions.c.content).where(
            revisions.c.form.in_(sa.select("referral/" + wanted.subquery().c.id))
        )
    ).scalars().all()  # fmt: skip
    if not before:
        return ()
    now = connection.execute(sa.select(referrals.c.form).where(referrals.c.id.in_(wanted))).scalars().all()
    return tuple(sorted(_called_in(before) - _called_in(now)))


def _called_in(contents: Iterable[bytes]) -> set[str]:
    people = (one for content in contents for one in shown_by(msgspec.json.decode(content, type=Referral)))
    return {name for person in people for name in (person.name, person.kana) if name}


def other_ids(connection: Connection, case: int | None, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By which other ids these persons of a case were known, or may have been, before they were found to be one."""
    found: dict[str, list[str]] = {}
    rows = connection.execute(
        sa.select(persons.c.same_as, persons.c.id)
        .where(persons.c.case == case, persons.c.same_as.in_(list(ids)), persons.c.id != persons.c.same_as)
        .order_by(persons.c.id)
    )
    for row in rows:
        found.setdefault(row.same_as, []).append(row.id)
    return {person: tuple(others) for person, others in found.items()}
