"""地域課題 handed directly, handed further, proposed upon and made a project (rules `issue-hand-on`, `issue-step`).

Each step is one transaction; a refusal leaves nothing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import issue_rows, records, rules, standing
from tsunagi_intake.community_issues import IssueState, is_section, steps_of
from tsunagi_intake.meeting_office import is_office_of, may_run
from tsunagi_intake.meeting_tables import community_issues
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile, Role
from tsunagi_shared.forms.community import CommunityIssue, IssueProject, IssueProposal
from tsunagi_shared.problems import not_found

_HANDS = frozenset({Role.COORDINATOR, Role.RESPONSIBLE_SECTION})


def check_hands(principal: Principal, profile: Profile) -> None:
    """Let somebody through who may hand an issue to a body directly. Refusal."""
    if rules.actor_of(principal, profile, clock.today()).roles.isdisjoint(_HANDS):
        raise standing.refusal_of(REFUSALS["issue-not-handing"])


def hand(connection: Connection, write: Write, form: CommunityIssue) -> bytes:
    """Hand an issue to a body, from nowhere but whoever saw it; returns the encoded Receipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _hand(connection, write, form))


def _hand(connection: Connection, write: Write, form: CommunityIssue) -> Receipt:
    check_hands(write.principal, write.profile)
    identity, number = issue_rows.add(connection, form.kind, form.text, to_body=form.to_body)
    return _done(connection, write, identity, number, "community_issue.hand", IssueState.HANDED.value)


def hand_further(connection: Connection, write: Write, identity: str, form: CommunityIssue) -> bytes:
    """Hand an issue that the body has further to one that its profile entry names; the encoded Receipt of the new one."""
    return records.once(connection, write, lambda: _hand_further(connection, write, identity, form))


def _hand_further(connection: Connection, write: Write, identity: str, form: CommunityIssue) -> Receipt:
    row = _taken_up(connection, write, identity, "hand_on", form.to_body)
    case = issue_rows.case_of(connection, identity)
    issue_rows.check_own_words(connection, write.principal, identity, "text", "内容", form.text)
    new, number = issue_rows.add(
        connection, form.kind, form.text, to_body=form.to_body, from_body=row.to_body, item=row.item, case=case,
        form=row.form, previous=row.id,
    )  # fmt: skip
    if row.state == IssueState.HANDED.value:
        _change(connection, write, identity, state=IssueState.RECEIVED.value)
    return _done(connection, write, new, number, "community_issue.hand_further", IssueState.HANDED.value)


def propose(connection: Connection, write: Write, identity: str, form: IssueProposal) -> bytes:
    """提案: what the body would do; returns the encoded Receipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _propose(connection, write, identity, form))


def _propose(connection: Connection, write: Write, identity: str, form: IssueProposal) -> Receipt:
    row = _taken_up(connection, write, identity, "propose")
    issue_rows.check_own_words(connection, write.principal, identity, "proposal", "提案の内容", form.proposal)
    _change(connection, write, identity, state=IssueState.PROPOSED.value, answer=form.proposal)
    return _done(connection, write, identity, row.number, "community_issue.propose", IssueState.PROPOSED.value)


def run(connection: Connection, write: Write, identity: str, form: IssueProject) -> bytes:
    """プロジェクト: begun, or how far it has come; returns the encoded Receipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _run(connection, write, identity, form))


def _run(connection: Connection, write: Write, identity: str, form: IssueProject) -> Receipt:
    row = _taken_up(connection, write, identity, "project")
    issue_rows.check_own_words(connection, write.principal, identity, "name", "プロジェクトの名称", form.name)
    _change(
        connection, write, identity, state=IssueState.PROJECT.value, project=form.name, lead=form.lead_agency,
        starts=form.starts.isoformat(), until=form.until.isoformat() if form.until else None,
        project_state=form.state.value,
    )  # fmt: skip
    return _done(connection, write, identity, row.number, "community_issue.project", form.state.value)


def withdraw(connection: Connection, write: Write, identity: str) -> bytes:
    """取消し: what was said is taken away, also where it was handed further; returns the encoded Receipt. Refusal, KeyReused.

    For what should not have been written: an issue that comes from no case is reached by no erasure.
    """
    return records.once(connection, write, lambda: _withdraw(connection, write, identity))


def _withdraw(connection: Connection, write: Write, identity: str) -> Receipt:
    row = connection.execute(sa.select(community_issues).where(community_issues.c.id == identity)).first()
    if row is None or not is_section(write.principal, write.profile):
        row = taken_up(connection, write.principal, write.profile, identity)
    if row.state == IssueState.WITHDRAWN.value:
        raise standing.refusal_of(REFUSALS["issue-step"])
    chain = sa.select(sa.literal(identity).label("id")).cte("chain", recursive=True)
    chain = chain.union(sa.select(community_issues.c.id).join(chain, community_issues.c.previous == chain.c.id))
    for one in connection.execute(sa.select(chain.c.id)).scalars().all():
        _change(
            connection, write, one, state=IssueState.WITHDRAWN.value, text="", answer="", project="", lead="", starts=None,
            until=None, project_state="",
        )  # fmt: skip
    return _done(connection, write, identity, row.number, "community_issue.withdraw", IssueState.WITHDRAWN.value)


def taken_up(connection: Connection, principal: Principal, profile: Profile, identity: str) -> sa.Row[Any]:
    """An issue, for somebody of the office of the body that has it. The common 404 for who knows nothing of it; Refusal."""
    row = connection.execute(sa.select(community_issues).where(community_issues.c.id == identity)).first()
    today = clock.today()
    if row is None or not any(
        is_office_of(principal.agency, profile, body, today) for body in (row.to_body, row.from_body)
    ):
        raise not_found()
    if not may_run(principal, profile, (row.to_body,), today):
        raise standing.refusal_of(REFUSALS["not-body-office"])
    return row


def _taken_up(connection: Connection, write: Write, identity: str, step: str, to_body: str = "") -> sa.Row[Any]:
    row = taken_up(connection, write.principal, write.profile, identity)
    body = write.profile.bodies_by_id.get(row.to_body)
    if step == "hand_on" and (body is None or to_body not in body.hands_over_to):
        raise standing.refusal_of(REFUSALS["issue-no-path"])
    if step not in steps_of(IssueState[row.state.upper()], write.profile, row.to_body):
        raise standing.refusal_of(REFUSALS["issue-step"])
    return row


def _change(connection: Connection, write: Write, identity: str, **values: Any) -> None:
    connection.execute(
        community_issues.update().where(community_issues.c.id == identity).values(
            answered_at=clock.now_us(), answered_by=write.principal.name, **values
        )
    )  # fmt: skip


def _done(connection: Connection, write: Write, identity: str, number: str, action: str, code: str) -> Receipt:
    audit.record(connection, write.principal, action, f"community_issue/{identity}", basis="sitting")
    return Receipt(
        kind="community_issue",
        id=identity,
        number=number,
        case_number="",
        revision=1,
        received_at=clock.now(),
        code=code,
    )
