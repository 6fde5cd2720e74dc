"""地域課題 as they are put on record: numbered, without a name in them, from minutes, from a screening, or handed directly."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import numbering, people_in_texts, standing, withholding
from tsunagi_intake.meeting_tables import agenda_items, community_issues
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.forms.assessment import Assessment
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.community import IssueKind
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.problems import Refusal


def add(
    connection: Connection, kind: IssueKind, text: str, *, to_body: str, from_body: str = "", item: str = "",
    case: int | None = None, form: str = "", previous: str = "",
) -> tuple[str, str]:  # fmt: skip
    """Put an issue on record as handed to a body; its id and number. `case`: where no item says of which case it comes."""
    moment = clock.now_us()
    year = clock.fiscal_year(clock.today())
    identity, number = uuid7(moment), f"課題{year}-{numbering.following(connection, 'community_issue', year):04d}"
    connection.execute(
        community_issues.insert().values(
            id=identity, number=number, from_body=from_body, to_body=to_body, item=item, kind=kind.value, text=text,
            state="handed", at=moment, answer="", answered_by="", case=case, form=form, previous=previous,
        )
    )  # fmt: skip
    return identity, number


def case_of(connection: Connection, identity: str) -> int | None:
    """The case that an issue comes from, by its item or its screening; None for one that was handed directly."""
    wanted = (
        sa.select(sa.func.coalesce(community_issues.c.case, agenda_items.c.case))
        .outerjoin(agenda_items, agenda_items.c.id == community_issues.c.item)
        .where(community_issues.c.id == identity)
    )
    found = connection.execute(wanted).scalar()
    return None if found is None else int(found)


def check_names(connection: Connection, case: int | None, field: str, title: str, text: str) -> None:
    """422 for a text that names somebody of the case, or says where they live or how they are reached."""
    found = people_in_texts.anybody(connection, case) if case else ()
    if any(pattern.search(text) for pattern in found):
        message = (
            f"「{title}」に、ケースの人の氏名・住所・電話番号があります。だれのことか分からない書き方に直してください。"
        )
        raise Refusal(
            422,
            "invalid-form",
            "入力に直すところがあります。何も保存していません。",
            "すべて直して、もう一度送ってください。",
            (FieldError(field, "names-in-issue", message),),
        )


def check_own_words(
    connection: Connection, principal: Principal, identity: str, field: str, title: str, text: str
) -> None:
    """The same for what an office says to an issue, if it reads the case: to anybody else the answer would tell who is in
    it, one name after the other."""
    case = case_of(connection, identity)
    if case and standing.view_of_case(connection, principal, case)[0] is View.FULL:
        check_names(connection, case, field, title, text)


def from_screening(connection: Connection, case: int, form: str, screened: Assessment) -> None:
    """Hand on what a screening found, once: a correction that says it otherwise does not hand it on again. 422."""
    if not screened.community_issue:
        return
    check_names(connection, case, "community_issue", "地域課題", screened.community_issue)
    known = sa.select(1).where(community_issues.c.form == form).limit(1)
    if connection.execute(known).first() is None:
        text = without(screened.community_issue, withholding.of_everybody(connection, case))
        add(connection, IssueKind.ISSUE, text, to_body=screened.issue_to, case=case, form=form)
