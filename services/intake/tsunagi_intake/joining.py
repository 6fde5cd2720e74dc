"""Cases of the same people: likely matches for those who steer the case, and joining on record.

A match is told by case number alone, and only within rights: the asking agency sees both cases, and neither person nor
telephone is kept from it there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, consent_records, rules, standing, timeline
from tsunagi_intake.changes import Change
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.records import Write, once, recompute
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import audience, persons
from tsunagi_intake.tables import cases as table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.problems import Refusal

MOST_MATCHES = 20
_ENDED = frozenset(state.value for state in CaseState if state.ended)
_LOOKED_AT = 200  # rows with the same telephone or kana; an office's number may stand on many forms


class MatchedBy(CodeList):
    """Why two cases may be about the same people."""

    PERSON = "person", "ふりがなと生年月日が同じ人がいます"
    PHONE = "phone", "電話番号が同じです"


class MatchLine(msgspec.Struct, frozen=True):
    """A case that may be about the same people; `ended`: it can be linked to, not joined."""

    number: str
    state: str
    matched_by: tuple[MatchedBy, ...]
    ended: bool


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What came of joining: the case that is shown for both now."""

    case_number: str
    into: str
    revision: int
    changes: tuple[Change, ...] = ()


def matches(connection: Connection, principal: Principal, profile: Profile, case: CaseRow) -> tuple[MatchLine, ...]:
    """Other cases that may be about the same people, newest first. Refusal when the caller does not steer the case."""
    own = _as_if_open(standing.on_case(connection, principal, profile, case))
    standing.allow(Action.JOIN_CASES, principal, profile, own)
    return found_matches(connection, principal, case)


def is_told(principal: Principal, profile: Profile, own: Standing) -> bool:
    """Whether somebody who stands so to a case is told of matches: who steers it, and after its end as well."""
    actor = rules.actor_of(principal, profile, clock.today())
    return rules.permitted(Action.JOIN_CASES, actor, _as_if_open(own)) is None


def _as_if_open(own: Standing) -> Standing:
    return msgspec.structs.replace(own, case_state=CaseState.RECEIVED, joined=False)


def found_matches(connection: Connection, principal: Principal, case: CaseRow) -> tuple[MatchLine, ...]:
    """The matches themselves, for a caller who may be told."""
    own = (case.seq, *cases.joined_to(connection, case.seq))
    found: dict[int, set[MatchedBy]] = {}
    for by, rows in (
        (MatchedBy.PERSON, _same_person(connection, principal, own)),
        (MatchedBy.PHONE, _same_phone(connection, principal, own)),
    ):
        for seq in rows:
            found.setdefault(cases.head_of(connection, seq), set()).add(by)
    lines = connection.execute(
        sa.select(table).where(table.c.seq.in_(set(found) - {case.seq}), table.c.state != cases.ERASED)
        .order_by(table.c.seq.desc()).limit(MOST_MATCHES)
    )  # fmt: skip
    return tuple(MatchLine(row.number, row.state, tuple(sorted(found[row.seq])), row.state in _ENDED) for row in lines)


def _shown(principal: Principal, row: sa.FromClause, *, phone: bool) -> sa.ColumnElement[bool]:
    """Whether an entry of the reader's shows the person of a row of `persons`, and their telephone where that matters."""
    kept = sa.func.instr(audience.c.hidden, '"' + row.c.same_as + '"') == 0
    if phone:
        kept = sa.and_(kept, sa.func.instr(audience.c.withheld, '"' + row.c.same_as + ':phone"') == 0)
    return sa.exists().where(
        audience.c.case == row.c.case,
        audience.c.form == "referral/" + row.c.referral,
        audience.c.view == "full",
        kept,
        *cases.may_read(principal),
    )


def _same_person(connection: Connection, principal: Principal, own: Sequence[int]) -> list[int]:
    mine, other = persons.alias("mine"), persons.alias("other")
    return _other_cases(
        connection, principal, own, mine, other, phone=False,
        same=sa.and_(
            other.c.search_key == mine.c.search_key, other.c.birth_date == mine.c.birth_date, mine.c.search_key != "",
            mine.c.taken_off == 0, other.c.taken_off == 0,
        ),
    )  # fmt: skip


def _same_phone(connection: Connection, principal: Principal, own: Sequence[int]) -> list[int]:
    mine, other = persons.alias("mine"), persons.alias("other")
    same = sa.and_(other.c.phone_key == mine.c.phone_key, mine.c.phone_key != "")
    return _other_cases(connection, principal, own, mine, other, phone=True, same=same)


def _other_cases(
    connection: Connection, principal: Principal, own: Sequence[int], mine: sa.FromClause, other: sa.FromClause, *, phone: bool,
    same: sa.ColumnElement[bool],
) -> list[int]:  # fmt: skip
    """The cases of others' rows that are the same by `same`, of the newest rows that are looked at."""
    near = (
        sa.select(other.c.id)
        .select_from(mine.join(other, same))
        .where(mine.c.case.in_(own), other.c.case.not_in(own), _shown(principal, mine, phone=phone))
        .limit(_LOOKED_AT)
    )
    row = persons.alias("row")
    wanted = sa.select(row.c.case).distinct().where(row.c.id.in_(near), _shown(principal, row, phone=phone))
    return list(connection.execute(wanted).scalars())


def previous_of(connection: Connection, principal: Principal, case: CaseRow) -> tuple[str, ...]:
    """Numbers of ended cases of the same person that the reader may see: the person has come again."""
    mine, other = persons.alias("mine"), persons.alias("other")
    same = sa.and_(
        other.c.search_key == mine.c.search_key, other.c.birth_date == mine.c.birth_date, mine.c.search_key != "",
        mine.c.position == 0, other.c.position == 0, other.c.case < mine.c.case,
    )  # fmt: skip
    seqs = _other_cases(connection, principal, (case.seq,), mine, other, phone=False, same=same)
    rows = connection.execute(
        sa.select(table.c.number)
        .where(table.c.seq.in_(seqs), table.c.state.in_(_ENDED), table.c.joined_into.is_(None))
        .order_by(table.c.seq.desc())
        .limit(MOST_MATCHES)
    )
    return tuple(rows.scalars())


def join(connection: Connection, write: Write, number: str, into: str) -> bytes:
    """Join a case to another: the other is shown for both from now on, and nothing more is written into this one.

    Each form stays with its case, and is seen by whom it was seen by; what people refused, and whom they excluded, reaches
    both. Refusal 404 for a case the caller does not see, 409
    when they do not steer both, when one of them has ended, for a case joined to itself or twice, and when it was changed
    meanwhile. Returns the encoded Joined.
    """
    return once(connection, write, lambda: _join(connection, write, number, into))


def _join(connection: Connection, write: Write, number: str, into: str) -> Joined:
    case, target = (standing.case_row(connection, number=wanted) for wanted in (number, into))
    for one in (case, target):
        own = standing.on_case(connection, write.principal, write.profile, one)
        standing.allow(Action.JOIN_CASES, write.principal, write.profile, own)
    if case.seq == target.seq:
        raise Refusal(
            409, "same-case", "同じケースどうしは、まとめられません。", "まとめる先のケース番号を確かめてください。"
        )
    standing.check_revision(connection, write.profile, case.seq, write.revision, case.revision)
    groups = [(one.seq, *cases.joined_to(connection, one.seq)) for one in (case, target)]
    connection.execute(
        table.update()
        .where(sa.or_(table.c.seq == case.seq, table.c.joined_into == case.seq))
        .values(joined_into=target.seq)
    )
    consent_records.reach_across(connection, write.outbox, groups[0], groups[1])
    revision = standing.touch(connection, case)
    standing.touch(connection, target)
    state = cases.settle(connection, target.seq, write.principal)
    for one, kind, other in (
        (case, Happening.CASE_JOINED, target.number),
        (target, Happening.CASE_TAKEN_IN, case.number),
    ):
        timeline.add(connection, one.seq, kind, f"case/{other}", principal=write.principal, state=state.value)
    changed = recompute(connection, write, target, "joining")
    audit.record(connection, write.principal, "case.join", f"case/{target.number}", case=case.number)
    return Joined(case_number=case.number, into=target.number, revision=revision, changes=changed)
