"""地域課題 and 不足する社会資源 that minutes, screenings and coordinators hand on to a body: without a case, and taken up by that
body's office (`issue_steps`).

The text is written without names (the form says so); with one, or with an address or a telephone of the case, the sitting is
not closed. What is withheld of anybody in the case is cut out of it, also later. From which item or screening it comes is kept
until the case is erased: text and answer go with it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import issue_rows, people_in_texts, records, rules, standing, withholding
from tsunagi_intake.agenda import Item
from tsunagi_intake.meeting_office import is_office_of, may_run
from tsunagi_intake.meeting_tables import agenda_items, community_issues
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile, Role
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.community import IssueKind, ProjectState
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.minutes import Minutes
from tsunagi_shared.forms.withheld_text import Patterns, without
from tsunagi_shared.problems import Refusal, not_found

PAGE = 50
ANSWER_LIMIT = 2000  # characters
WITHDRAWN_TEXT = "（取り消されました。）"
ERASED_TEXT = "（ケースの廃棄とともに消しました。）"


_FIELDS = {IssueKind.ISSUE: "community_issue", IssueKind.RESOURCE: "missing_resource"}  # of the minutes


class IssueState(CodeList):
    """How far the body it was handed to has come."""

    HANDED = "handed", "伝えた"
    RECEIVED = "received", "受け取った"
    PROPOSED = "proposed", "提案"
    PROJECT = "project", "プロジェクト"
    ANSWERED = "answered", "回答した"
    WITHDRAWN = "withdrawn", "取り消した"


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The project that came of an issue; the days are inclusive."""

    name: str
    lead_agency: str
    starts: dt.date
    until: dt.date | None
    state: ProjectState


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """Where an issue was handed further."""

    number: str
    to_body: str
    state: IssueState


class IssueReply(msgspec.Struct, frozen=True, kw_only=True):
    """受領, or with an answer 回答."""

    answer: str = ""


class IssueLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing handed on. `is_own`: the reader's body it was handed to, whose office takes it up; `offered`: what it may do
    now (answer, propose, project, hand_on); `from_body` empty: not from a body; `origin`: minutes | screening | direct;
    `answer`: the answer, or the proposal; `previous`: the number of the one that was handed further as this."""

    id: str
    number: str
    from_body: str
    to_body: str
    kind: IssueKind
    text: str
    state: IssueState
    at: dt.datetime
    answer: str
    answered_at: dt.datetime | None
    answered_by: str
    is_own: bool
    origin: str = "minutes"
    previous: str = ""
    offered: tuple[str, ...] = ()
    project: Project | None = None
    further: tuple[Further, ...] = ()
    may_withdraw: bool = False


class IssueList(msgspec.Struct, frozen=True, kw_only=True):
    """A page, newest first; `next` goes into `?before=`."""

    items: tuple[IssueLine, ...]
    next: str


def hand_on(connection: Connection, write: Write, item: Item, form: Minutes) -> None:
    """Hand on what the minutes say, in the transaction that closes them. 422 for a text that leads to the people of its case."""
    if not form.hands_over_to:
        return
    kept = withholding.of_everybody(connection, item.case) if item.case else ()
    said = {
        IssueKind.ISSUE: without(form.community_issue, kept), IssueKind.RESOURCE: without(form.missing_resource, kept),
    }  # fmt: skip
    _check_names(connection, item, said)
    for kind, text in said.items():
        if text:
            issue_rows.add(
                connection, kind, text, to_body=form.hands_over_to, from_body=item.body, item=item.id, case=item.case
            )


def _check_names(connection: Connection, item: Item, said: dict[IssueKind, str]) -> None:
    """422 for a text that names somebody of the item's case, or says where they live or how they are reached."""
    found = people_in_texts.anybody(connection, item.case) if item.case else ()
    wrong = tuple(
        FieldError(
            f"items.{item.position}.{_FIELDS[kind]}", "names-in-issue",
            f"議題{item.position}：「{kind.label}」に、ケースの人の氏名・住所・電話番号があります。"
            "だれのことか分からない書き方に直してください。",
        )
        for kind, text in said.items()
        if any(pattern.search(text) for pattern in found)
    )  # fmt: skip
    if wrong:
        raise records.invalid(*wrong)


def list_issues(connection: Connection, principal: Principal, profile: Profile, before: str, limit: int) -> IssueList:
    """What was handed on to and from the bodies whose office the reader's agency is; the section sees all."""
    before_it = community_issues.alias("before_it")
    wanted = (
        sa.select(
            *(column for column in community_issues.c if column.name != "case"),
            before_it.c.number.label("before"),
            sa.func.coalesce(community_issues.c.case, agenda_items.c.case).label("case"),
        )
        .outerjoin(before_it, before_it.c.id == community_issues.c.previous)
        .outerjoin(agenda_items, agenda_items.c.id == community_issues.c.item)
        .order_by(community_issues.c.id.desc())
        .limit(limit + 1)
    )
    if principal.agency != profile.municipality.responsible_section:
        day = clock.today()
        bodies = [body.id for body in profile.bodies if is_office_of(principal.agency, profile, body.id, day)]
        wanted = wanted.where(sa.or_(community_issues.c.to_body.in_(bodies), community_issues.c.from_body.in_(bodies)))
    if before:
        wanted = wanted.where(community_issues.c.id < before)
    if not principal.reads_cases:
        wanted = wanted.where(sa.false())
    rows = connection.execute(wanted).all()
    # What was protected since it was handed on is cut out now
    kept = {case: withholding.of_everybody(connection, case) for case in {row.case for row in rows[:limit]} if case}
    further = _further(connection, [row.id for row in rows[:limit]])
    lines = tuple(
        _line(row, principal, profile, kept.get(row.case, ()), further.get(row.id, ())) for row in rows[:limit]
    )
    return IssueList(items=lines, next=lines[-1].id if len(rows) > limit else "")


def _further(connection: Connection, issues: list[str]) -> dict[str, tuple[Further, ...]]:
    """By issue, where it was handed further."""
    found: dict[str, tuple[Further, ...]] = {}
    rows = connection.execute(
        sa.select(community_issues).where(community_issues.c.previous.in_(issues)).order_by(community_issues.c.id)
    )
    for row in rows:
        line = Further(number=row.number, to_body=row.to_body, state=IssueState[row.state.upper()])
        found[row.previous] = (*found.get(row.previous, ()), line)
    return found


def is_section(principal: Principal, profile: Profile) -> bool:
    """Whether the caller acts for the responsible section."""
    return Role.RESPONSIBLE_SECTION in rules.actor_of(principal, profile, clock.today()).roles


_ORIGINS = ("minutes", "screening", "direct")
_OFFERED = {
    IssueState.HANDED: ("answer", "propose", "hand_on"),
    IssueState.RECEIVED: ("answer", "propose", "hand_on"),
    IssueState.PROPOSED: ("project", "hand_on"),
    IssueState.PROJECT: ("project", "hand_on"),
    IssueState.ANSWERED: (),
    IssueState.WITHDRAWN: (),
}


def steps_of(state: IssueState, profile: Profile, body: str) -> tuple[str, ...]:
    """What the office of the body that has an issue may do with it in that state."""
    found = profile.bodies_by_id.get(body)
    paths = found.hands_over_to if found else ()
    return tuple(step for step in _OFFERED[state] if step != "hand_on" or paths)


def _line(row: Any, principal: Principal, profile: Profile, kept: Patterns, further: tuple[Further, ...]) -> IssueLine:
    gone = WITHDRAWN_TEXT if row.state == IssueState.WITHDRAWN.value else ERASED_TEXT
    own, state = may_run(principal, profile, (row.to_body,), clock.today()), IssueState[row.state.upper()]
    origin = _ORIGINS[0] if row.item or (row.from_body and not row.form) else _ORIGINS[1] if row.form else _ORIGINS[2]
    return IssueLine(
        id=row.id, number=row.number, from_body=row.from_body, to_body=row.to_body, kind=IssueKind[row.kind.upper()],
        text=without(row.text, kept) or gone, state=state, at=clock.moment_of(row.at),
        # What the reader's own office wrote is shown as it wrote it: a gap in it would tell who is protected in the case
        answer=row.answer if own else without(row.answer, kept),
        answered_at=clock.moment_of(row.answered_at) if row.answered_at is not None else None,
        answered_by=row.answered_by, is_own=own, origin=origin, previous=row.before or "",
        offered=steps_of(state, profile, row.to_body) if own else (), project=_project(row, () if own else kept), further=further,
        may_withdraw=state is not IssueState.WITHDRAWN and (own or is_section(principal, profile)),
    )  # fmt: skip


def _project(row: Any, kept: Patterns) -> Project | None:
    if not row.project_state:
        return None
    return Project(
        name=without(row.project, kept), lead_agency=row.lead, starts=dt.date.fromisoformat(row.starts),
        until=dt.date.fromisoformat(row.until) if row.until else None, state=ProjectState[row.project_state.upper()],
    )  # fmt: skip


def figures(connection: Connection, fiscal_year: int) -> dict[str, int]:
    """What was handed to bodies in the 年度, by where it stands now: the codes of IssueState but `project`, for which there is
    `project_planned`, `project_running` and `project_done`. Handed further, it counts for each body that got it."""
    first, last = (clock.midnight_us(dt.date(year, 4, 1)) for year in (fiscal_year, fiscal_year + 1))
    found = {state.value: 0 for state in IssueState if state is not IssueState.PROJECT}
    found |= {f"project_{state.value}": 0 for state in ProjectState}
    rows = connection.execute(
        sa.select(community_issues.c.state, community_issues.c.project_state, sa.func.count())
        .where(community_issues.c.at >= first, community_issues.c.at < last)
        .group_by(community_issues.c.state, community_issues.c.project_state)
    )
    for state, project_state, count in rows:
        found[f"project_{project_state}" if project_state else state] += count
    return found


def reply(connection: Connection, write: Write, identity: str, answer: IssueReply) -> bytes:
    """The body that it was handed to has it, or answers; returns the encoded Receipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _reply(connection, write, identity, answer))


def _reply(connection: Connection, write: Write, identity: str, answer: IssueReply) -> Receipt:
    row = connection.execute(sa.select(community_issues).where(community_issues.c.id == identity)).first()
    principal, profile, today = write.principal, write.profile, clock.today()
    if row is None or not any(
        is_office_of(principal.agency, profile, body, today) for body in (row.to_body, row.from_body)
    ):
        raise not_found()
    if not may_run(principal, profile, (row.to_body,), today):
        raise standing.refusal_of(REFUSALS["not-body-office"])
    if "answer" not in _OFFERED[IssueState[row.state.upper()]]:
        if row.state != IssueState.ANSWERED.value:
            raise standing.refusal_of(REFUSALS["issue-step"])
        raise Refusal(
            409, "already-answered", "すでに回答が記録されています。", "一覧を開き直して、回答を確かめてください。"
        )
    text = answer.answer.replace("\r\n", "\n").strip()
    if len(text) > ANSWER_LIMIT:
        wrong = FieldError("answer", "too-long", f"「回答」は{ANSWER_LIMIT}文字以内で入力してください。")
        raise Refusal(422, "invalid-form", "入力に直すところがあります。", "直して、もう一度送ってください。", (wrong,))
    issue_rows.check_own_words(connection, principal, identity, "answer", "回答", text)
    state = IssueState.ANSWERED if text else IssueState.RECEIVED
    moment = clock.now_us()
    connection.execute(
        community_issues.update().where(community_issues.c.id == identity).values(
            state=state.value, answer=text, answered_at=moment, answered_by=principal.name
        )
    )  # fmt: skip
    audit.record(connection, principal, "community_issue.reply", f"community_issue/{identity}", basis="sitting")
    return Receipt(
        kind="community_issue", id=identity, number=row.number, case_number="", revision=1,
        received_at=clock.moment_of(moment), code=state.value,
    )  # fmt: skip
