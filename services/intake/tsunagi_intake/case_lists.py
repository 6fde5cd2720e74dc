"""The list of cases and the search, within the caller's rights, by keyset.

Both walk `case_lists` and `case_keys`, which hold what each agency has an entry on, from the place the page has reached:
what others have, and how much there is, costs nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.case_lines import CaseLine, lines_of
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.tables import audience, case_keys, case_lists, persons, referrals
from tsunagi_intake.tables import cases as table
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.japanese import fold_digits, is_kana, search_key

COUNTED = 1000  # exact up to here
_LOOKS = 6  # how often a search looks for more matches before it says where to go on
_LAST = "\U0010ffff"
_LETTERS = {ord("Ａ") + place: chr(ord("A") + place) for place in range(26)}
_LETTERS |= {ord("ａ") + place: chr(ord("a") + place) for place in range(26)}


class Filters(msgspec.Struct, frozen=True):
    """What a list is narrowed to; empty and 0: everything. `agency` wrote the case's first referral."""

    state: str = ""
    fiscal_year: int = 0
    agency: str = ""


class StateCount(msgspec.Struct, frozen=True):
    """How many cases of a state are on the agency's list; `more`: at least so many."""

    state: str
    count: int
    more: bool


class CaseList(msgspec.Struct, frozen=True):
    """A page of cases; `next` goes into `?after=` (empty: this is the end)."""

    items: tuple[CaseLine, ...]
    next: str
    counts: tuple[StateCount, ...] = ()


def list_cases(
    connection: Connection, principal: Principal, filters: Filters, after: int, limit: int, *, counted: bool = True
) -> CaseList:
    """The cases this person may see, newest first, from the one before `after` (0: from the newest)."""
    if not principal.reads_cases:  # else the whole list would be walked to show nothing of it
        return CaseList((), "")
    years = _years(connection, filters)
    states: tuple[str, ...] = (filters.state,)
    if filters.agency and not filters.state:
        states = tuple(CaseState)  # one walk a state: the index on the origin goes by state
    walks = [_walk(principal, filters, state, years, after, limit + 1) for state in states]
    whole = sa.union_all(*(sa.select(walk.subquery()) for walk in walks)).subquery()
    seqs = _rows(connection, sa.select(whole.c.case).order_by(whole.c.case.desc()).limit(limit + 1))
    counts = counts_of(connection, principal, filters) if counted else ()
    items = lines_of(connection, principal, seqs[:limit])
    return CaseList(items, str(seqs[limit - 1]) if len(seqs) > limit else "", counts)


def _rows(connection: Connection, wanted: sa.Select[Any]) -> list[int]:
    return [int(seq) for seq in connection.execute(wanted).scalars()]


def _walk(
    principal: Principal, filters: Filters, state: str, years: tuple[int, int] | None, after: int, limit: int
) -> sa.Select[tuple[int]]:
    """The newest cases of the agency's list that fit, along one index."""
    wanted = _narrowed(sa.select(case_lists.c.case), principal, filters, state, years)
    wanted = wanted.where(_readable(principal))
    if after:
        wanted = wanted.where(case_lists.c.case < after)
    return wanted.order_by(case_lists.c.case.desc()).limit(limit)


def _narrowed(
    wanted: sa.Select[tuple[int]], principal: Principal, filters: Filters, state: str, years: tuple[int, int] | None
) -> sa.Select[tuple[int]]:
    wanted = wanted.where(case_lists.c.agency == principal.agency)
    wanted = wanted.where(case_lists.c.state == state if state else case_lists.c.state != cases.JOINED)
    if filters.agency:
        wanted = wanted.where(case_lists.c.origin == filters.agency)
    if years is not None:
        wanted = wanted.where(case_lists.c.case.between(*years), case_lists.c.fiscal_year == filters.fiscal_year)
    return wanted


def _readable(principal: Principal) -> sa.ColumnElement[bool]:
    """Whether a live entry of the person's agency is on the case of a line, or on one that was joined to it."""
    mine = cases.may_read(principal)
    joined = sa.select(table.c.seq).where(table.c.joined_into == case_lists.c.case).correlate(case_lists)
    return sa.or_(
        sa.exists().where(audience.c.case == case_lists.c.case, *mine),
        sa.exists().where(audience.c.case.in_(joined), *mine),
    )


def _years(connection: Connection, filters: Filters) -> tuple[int, int] | None:
    """Between which rows the cases of the 年度 lie: they are opened one after the other."""
    if not filters.fiscal_year:
        return None
    of_year = table.c.fiscal_year == filters.fiscal_year
    first = connection.execute(sa.select(table.c.seq).where(of_year).order_by(table.c.seq).limit(1)).scalar()
    last = connection.execute(sa.select(table.c.seq).where(of_year).order_by(table.c.seq.desc()).limit(1)).scalar()
    return (first or 0, last or 0)


def counts_of(connection: Connection, principal: Principal, filters: Filters) -> tuple[StateCount, ...]:
    """How many cases of each state the agency's list holds, within the other filters; none beyond COUNTED is walked."""
    if not principal.reads_cases:
        return ()
    years = _years(connection, filters)
    parts = []
    for state in CaseState:
        some = _narrowed(sa.select(sa.literal(1)), principal, filters, state.value, years).limit(COUNTED + 1).subquery()
        parts.append(
            sa.select(sa.literal(state.value).label("state"), sa.func.count().label("number")).select_from(some)
        )
    rows = connection.execute(sa.union_all(*parts)).all()
    return tuple(StateCount(row.state, min(row.number, COUNTED), row.number > COUNTED) for row in rows if row.number)


def years_of(connection: Connection, principal: Principal) -> tuple[int, ...]:
    """The 年度 that the agency's list reaches over, newest first."""
    if not principal.reads_cases:
        return ()
    mine = sa.select(case_lists.c.fiscal_year).where(case_lists.c.agency == principal.agency)
    first = connection.execute(mine.order_by(case_lists.c.case).limit(1)).scalar()
    last = connection.execute(mine.order_by(case_lists.c.case.desc()).limit(1)).scalar()
    return () if first is None or last is None else tuple(range(max(first, last), min(first, last) - 1, -1))


def is_searchable(words: str) -> bool:
    """Whether cases can be found by these words: furigana, or something that may be a number of this system."""
    return is_kana(words) or _as_number(words).isascii()


def _as_number(words: str) -> str:
    """The words as a number of this system would be written, full-width letters and digits too."""
    return fold_digits(words.strip()).translate(_LETTERS)


def search(
    connection: Connection, principal: Principal, words: str, filters: Filters, after: str, limit: int
) -> CaseList:
    """The cases found by a number of theirs, or by furigana from its beginning, in the order of the furigana.

    `after`: `<case>-<person>` of the last match seen; nothing in it says what was looked for. What an entry hides from the
    agency is not found. A page may be short and still name a `next`.
    """
    by_number = None if after else _numbered(connection, principal, words)
    if by_number is not None:
        return CaseList(lines_of(connection, principal, [by_number]), "")
    key = search_key(words)
    if not key or not principal.reads_cases:
        return CaseList((), "")
    place = _place_of(connection, after)
    found: dict[int, None] = {}
    for _ in range(_LOOKS):
        rows = _matches(connection, principal, key, place, limit + 1)
        fitting = _fitting(connection, principal, filters, rows)
        for row in rows:
            head = fitting.get((row.search_key, row.case, row.person))
            if head is not None and head not in found:
                if len(found) == limit:
                    return CaseList(lines_of(connection, principal, list(found)), _token(place))
                found[head] = None
            place = (row.search_key, row.case, row.person)
        if len(rows) <= limit:
            return CaseList(lines_of(connection, principal, list(found)), "")
    return CaseList(lines_of(connection, principal, list(found)), _token(place))


_Place = tuple[str, int, str]


def _matches(connection: Connection, principal: Principal, key: str, place: _Place, limit: int) -> list[sa.Row[_Place]]:
    """The next rows of `case_keys` from a place on."""
    columns = case_keys.c
    wanted = sa.select(columns.search_key, columns.case, columns.person).where(
        columns.agency == principal.agency, columns.search_key >= max(key, place[0]), columns.search_key < key + _LAST
    )
    if place[0]:
        wanted = wanted.where(sa.tuple_(columns.search_key, columns.case, columns.person) > place)
    order = (columns.search_key, columns.case, columns.person)
    return list(connection.execute(wanted.order_by(*order).limit(limit)))


def _fitting(
    connection: Connection, principal: Principal, filters: Filters, rows: list[sa.Row[_Place]]
) -> dict[_Place, int]:
    """The case to show of each match that is readable, shows the person found, and passes the filters."""
    found = {row.case for row in rows}
    shown: dict[int, list[str]] = {}
    entries = sa.select(audience.c.case, audience.c.hidden).distinct()
    for entry in connection.execute(entries.where(audience.c.case.in_(found), *cases.may_read(principal))):
        shown.setdefault(entry.case, []).append(entry.hidden)
    head = table.alias("head")
    wanted = (
        sa.select(table.c.seq, head.c.seq.label("head"))
        .join(head, head.c.seq == sa.func.coalesce(table.c.joined_into, table.c.seq))
        .where(table.c.seq.in_(found))
    )
    if filters.state:
        wanted = wanted.where(head.c.state == filters.state)
    if filters.agency:
        wanted = wanted.where(head.c.origin == filters.agency)
    if filters.fiscal_year:
        wanted = wanted.where(head.c.fiscal_year == filters.fiscal_year)
    heads = {row.seq: row.head for row in connection.execute(wanted)}
    return {
        (row.search_key, row.case, row.person): heads[row.case]
        for row in rows
        if row.case in heads and any(f'"{row.person}"' not in hidden for hidden in shown.get(row.case, ()))
    }


def _place_of(connection: Connection, after: str) -> _Place:
    """Where a search goes on: the furigana is looked up by the person, so that no address repeats it."""
    case, _, person = after.partition("-")
    if not person:
        return ("", 0, "")
    key = connection.execute(sa.select(persons.c.search_key).where(persons.c.id == person)).scalar()
    return (key or "", int(case), person)


def _token(place: _Place) -> str:
    return f"{place[1]}-{place[2]}"


def _numbered(connection: Connection, principal: Principal, words: str) -> int | None:
    """The case with that number, or with a referral of that number, if this person may see it."""
    typed = _as_number(words)
    for number in dict.fromkeys((typed, typed.upper())):
        seq = cases.readable(connection, principal, number)
        if seq is not None:
            return cases.head_of(connection, seq)
        of_referral = (
            sa.select(referrals.c.case)
            .join(audience, audience.c.form == "referral/" + referrals.c.id)
            .where(referrals.c.number == number, audience.c.case == referrals.c.case, *cases.may_read(principal))
        )
        found = connection.execute(of_referral).scalar()
        if found is not None:
            return cases.head_of(connection, int(found))
    return None
