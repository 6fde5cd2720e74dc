"""The time line of a case: what happened, when and by whom, in codes, numbers and names of staff.

Nothing here repeats what a form says. Lines are only added; they are read newest first by keyset, so that the page of a
case with a thousand of them costs what one with ten does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import audience
from tsunagi_intake.tables import timeline as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.fields import CodeList

PAGE = 50


class Happening(CodeList):
    """What happened. `ref` of its line names the record: `referral/<id>`, `consent/<id>` …, or is empty."""

    REFERRAL_SUBMITTED = "referral_submitted", "共通様式を受け付けました"
    REFERRAL_CORRECTED = "referral_corrected", "共通様式を訂正しました"
    REFERRAL_ANSWERED = "referral_answered", "つなぎ回答がありました"
    REFERRAL_WITHDRAWN = "referral_withdrawn", "共通様式を取り下げました"
    REFERRAL_RECALLED = "referral_recalled", "共通様式を誤送付として取り消しました"
    CONSENT_GIVEN = "consent_given", "同意を記録しました"
    CONSENT_EXTENDED = "consent_extended", "同意を追加・延長しました"
    CONSENT_WITHDRAWN = "consent_withdrawn", "同意が撤回されました"
    CONSENT_EXPIRED = "consent_expired", "同意の期限が切れました"
    ASSESSMENT_SUBMITTED = "assessment_submitted", "インテーク・アセスメントシートを提出しました"
    CONTACT_LOGGED = "contact_logged", "支援経過を記録しました"
    EVALUATION_SUBMITTED = "evaluation_submitted", "評価シートを提出しました"
    PLAN_DRAFTED = "plan_drafted", "プランを作り始めました"
    PLAN_PROPOSED = "plan_proposed", "プランを付議しました"
    PLAN_AGREED = "plan_agreed", "プランへの本人の合意を記録しました"
    PLAN_MUNICIPAL = "plan_municipal", "支援決定を記録しました"
    PLAN_DECIDED = "plan_decided", "プランの状態が変わりました"
    SUPPORT_ANSWERED = "support_answered", "支援依頼への回答がありました"
    PLEDGE_GIVEN = "pledge_given", "守秘義務誓約を記録しました"
    ITEM_ADDED = "item_added", "会議に付議しました"
    ITEM_WITHDRAWN = "item_withdrawn", "会議への付議を取り下げました"
    MEETING_CONVENED = "meeting_convened", "会議を招集しました"
    MINUTES_CLOSED = "minutes_closed", "会議録ができました"
    INFORMATION_REQUESTED = "information_requested", "情報提供を依頼しました"
    INFORMATION_ANSWERED = "information_answered", "情報提供依頼に回答がありました"
    CONTACT_LOG_ISSUED = "contact_log_issued", "支援経過記録を発行しました"
    RECORD_CORRECTED = "record_corrected", "記録を訂正しました"
    PROTECTION_SET = "protection_set", "住所等の秘匿を設定しました"
    PROTECTION_LIFTED = "protection_lifted", "住所等の秘匿を解除しました"
    PROTECTION_ENDED = "protection_ended", "住所等の秘匿の期間が終わりました"
    ALLOCATED = "allocated", "役割分担を加えました"
    ALLOCATION_ENDED = "allocation_ended", "役割分担が終わりました"
    GROUND_RECORDED = "ground_recorded", "同意以外の根拠を記録しました"
    GROUND_REVIEWED = "ground_reviewed", "同意以外の根拠を所管課が確認しました"
    GROUND_ENDED = "ground_ended", "同意以外の根拠が終わりました"
    AUDIENCE_CHANGED = "audience_changed", "見ることのできる機関が変わりました"
    CONTRACT_CHANGED = "contract_changed", "受託者の契約が変わりました"
    LEAD_SET = "lead_set", "主担当を決めました"
    STATE_CHANGED = "state_changed", "状態が変わりました"
    CASE_CLOSED = "case_closed", "ケースを終了しました"
    CASE_JOINED = "case_joined", "ほかのケースへまとめました"
    CASE_TAKEN_IN = "case_taken_in", "ほかのケースをこのケースにまとめました"
    HOLD_SET = "hold_set", "廃棄を止めました"
    HOLD_LIFTED = "hold_lifted", "廃棄の停止を解きました"
    DISCLOSED = "disclosed", "開示のための一覧を作りました"


_ADD = Statement(
    table.insert().values({column.name: sa.bindparam(column.name) for column in table.c if column.name != "seq"})
)


def add(
    connection: Connection,
    case: int,
    kind: Happening,
    ref: str,
    *,
    code: str = "",
    principal: Principal | None = None,
    state: str = "",
) -> None:
    """One line, in the transaction of what it tells. `principal`: who did it (None: the passing of time).

    `state`: that of the case afterwards, where the caller knows it.
    """
    _ADD.run(
        connection, case=case, at=clock.now_us(), kind=kind.value, ref=ref, code=code,
        user_name=principal.name if principal else "", agency=principal.agency if principal else "", state=state,
    )  # fmt: skip


class TimelineEntry(msgspec.Struct, frozen=True):
    """One line as people see it; `seq` is its place for the next page."""

    seq: int
    case: int
    at: dt.datetime
    kind: str
    ref: str
    code: str
    user_name: str
    agency: str
    state: str


# Lines of a form are for those who may see that form; the rest of the case's for those who see all of it
_OF_EVERYBODY = (
    Happening.STATE_CHANGED, Happening.LEAD_SET, Happening.CASE_CLOSED, Happening.CASE_JOINED, Happening.CASE_TAKEN_IN,
)  # fmt: skip
_OF_A_FORM = (
    Happening.REFERRAL_SUBMITTED, Happening.REFERRAL_CORRECTED, Happening.REFERRAL_ANSWERED, Happening.REFERRAL_WITHDRAWN,
    Happening.REFERRAL_RECALLED, Happening.ASSESSMENT_SUBMITTED, Happening.CONTACT_LOGGED, Happening.EVALUATION_SUBMITTED,
    Happening.MINUTES_CLOSED, Happening.INFORMATION_REQUESTED, Happening.INFORMATION_ANSWERED,
    Happening.CONTACT_LOG_ISSUED, Happening.RECORD_CORRECTED, Happening.AUDIENCE_CHANGED, Happening.PLAN_DRAFTED,
    Happening.PLAN_PROPOSED, Happening.PLAN_AGREED, Happening.PLAN_MUNICIPAL, Happening.PLAN_DECIDED, Happening.SUPPORT_ANSWERED,
)  # fmt: skip


def visible(
    connection: Connection,
    principal: Principal,
    cases: Sequence[int],
    *,
    full: Collection[int],
    before: int = 0,
    limit: int = PAGE,
) -> tuple[TimelineEntry, ...]:
    """The lines of these cases that this person may see, newest first, from the one before `before`.

    0: from the newest. One more than `limit` where there are more. `cases`: of which the person sees something;
    `full`: those of them of which they see everything.
    """
    bound = before or 1 << 62
    mine = sa.select(audience.c.form).where(
        audience.c.agency == principal.agency,
        audience.c.case.in_(cases),
        sa.or_(audience.c.until.is_(None), audience.c.until >= clock.today().isoformat()),
    )
    shown = [table.c.kind.in_([kind.value for kind in _OF_EVERYBODY]), table.c.ref.in_(mine)]
    whole_case = [*shown, table.c.kind.not_in([kind.value for kind in _OF_A_FORM])]
    parts = [
        sa.select(
            sa.select(table)
            .where(table.c.case == case, table.c.seq < bound, sa.or_(*(whole_case if case in full else shown)))
            .order_by(table.c.seq.desc())
            .limit(limit + 1)
            .subquery()
        )
        for case in cases
    ]
    if not parts:
        return ()
    whole = sa.union_all(*parts).subquery()
    rows = connection.execute(sa.select(whole).order_by(whole.c.seq.desc()).limit(limit + 1))
    return tuple(
        TimelineEntry(
            row.seq,
            row.case,
            clock.moment_of(row.at),
            row.kind,
            row.ref,
            row.code,
            row.user_name,
            row.agency,
            row.state,
        )
        for row in rows
    )
