"""会議録 of one agenda item. Kept per item, so that retention, erasure, consent and disclosure stay with the case.

The head of the sitting (body, day, place, chair) is not repeated here. Two sheets come of it: 支援会議 会議録 for an item
heard as 支援会議, 会議録 for every other; `out_of_place` says what belongs to which.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.consent import ConsentScope
from tsunagi_shared.forms.fields import CodeList, DateRange, fields_of
from tsunagi_shared.forms.meeting import NO_NAMES
from tsunagi_shared.forms.plan import MOST_ALLOCATIONS, PlanAllocation

Found = Iterator[tuple[str, str, str]]

MOST_PRESENCES = 60


class PresenceState(CodeList):
    """Where somebody was while the item was heard."""

    PRESENT = "present", "出席"
    ABSENT = "absent", "欠席"
    LEFT = "left", "この議題の間は退席"


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One member, and whether they were there for this item."""

    agency: Annotated[str, ask.agency("機関")]
    title: Annotated[str, ask.line("職名", limit=60)] = ""
    name: Annotated[str, ask.line("氏名", limit=60)]
    state: Annotated[PresenceState, ask.choice("出欠")]


class Decision(CodeList):
    """決定 of an item. What it does to a plan depends on the item's occasion and legal role."""

    APPROVED = "approved", "承認"
    APPROVED_WITH_CHANGES = "approved_with_changes", "修正承認"
    RETURNED = "returned", "差戻し"
    TO_COMPREHENSIVE = "to_comprehensive", "包括的相談支援へ戻す"
    ENDED = "ended", "終結"
    SUSPENDED = "suspended", "中断"
    CONFIRMED = "confirmed", "確認（同意前のアウトリーチ）"
    CONTINUED = "continued", "継続"
    SHARED = "shared", "情報の共有のみ"


class Minutes(msgspec.Struct, frozen=True, kw_only=True):
    """会議録 of one item, written by whoever takes the notes and closed by the chair."""

    presences: Annotated[
        list[Presence], ask.rows("出席者", "この議題の間の出欠を書いてください。", limit=MOST_PRESENCES)
    ] = msgspec.field(default_factory=list)
    person_attended: Annotated[bool, ask.flag("本人が参加した", section="参加と同意")] = False
    consent_checked_on: Annotated[dt.date | None, ask.date("同意を確認した日", dates=DateRange.UP_TO_TODAY)] = None
    consent_scope: Annotated[list[ConsentScope], ask.choices("確認した同意の範囲")] = msgspec.field(
        default_factory=list
    )
    no_consent_reason: Annotated[
        str, ask.text("同意を得ていない理由", limit=1000, section="支援会議で扱う理由と情報")
    ] = ""
    information_sources: Annotated[
        str, ask.text("提供された情報と提供元", "だれが、どの立場で提供したかを書いてください。", limit=2000)
    ] = ""
    discussion: Annotated[str, ask.text("協議内容", limit=8000, section="協議と決定")] = ""
    watch: Annotated[str, ask.text("見守りの方法", limit=2000)] = ""
    support_policy: Annotated[str, ask.text("支援方針", limit=2000)] = ""
    emergency: Annotated[str, ask.text("緊急のときの対応", limit=2000)] = ""
    consent_outlook: Annotated[str, ask.text("同意を得る見通し", limit=1000)] = ""
    decision: Annotated[Decision, ask.choice("決定")]
    decision_note: Annotated[
        str, ask.text("決定の内容", "修正承認、差戻し、包括的相談支援へ戻すときは必ず入力してください。", limit=2000)
    ] = ""
    allocations: Annotated[
        list[PlanAllocation],
        ask.rows("決まった役割分担", "プランから変わったときに書いてください。", limit=MOST_ALLOCATIONS),
    ] = msgspec.field(default_factory=list)
    lead_agency: Annotated[str, ask.agency("主担当", section="これから")] = ""
    next_on: Annotated[dt.date | None, ask.date("次にこの議題を扱う日")] = None
    follow_up: Annotated[bool, ask.flag("フォローアップが必要")] = False
    follow_up_method: Annotated[
        str, ask.text("フォローアップの方法", "だれが、いつまで、どのようにするか。", limit=1000)
    ] = ""
    community_issue: Annotated[str, ask.text("地域課題", NO_NAMES, limit=2000, section="地域課題と社会資源")] = ""
    missing_resource: Annotated[str, ask.text("不足する社会資源", NO_NAMES, limit=2000)] = ""
    hands_over_to: Annotated[str, ask.body("地域課題などを伝える会議体", "伝えるのは、上の2つの欄だけです。")] = ""
    papers_returned: Annotated[bool, ask.flag("配った資料を回収した", section="資料")] = False
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        rows = values.get("presences", ())
        if "presences" not in wrong and not any(row.get("state") == PresenceState.PRESENT for row in rows):
            yield "presences", "required", "出席した人を1人以上入力してください。"
        decision = values.get("decision")
        if decision in _EXPLAINED and "decision_note" not in wrong and not values.get("decision_note"):
            yield (
                "decision_note",
                "required",
                f"「{dict(Decision.choices())[decision]}」のときは、決定の内容を入力してください。",
            )
        if values.get("follow_up") and "follow_up_method" not in wrong and not values.get("follow_up_method"):
            yield "follow_up_method", "required", "フォローアップが必要なときは、その方法を入力してください。"
        told = {"community_issue", "missing_resource"}
        if values.get("hands_over_to") and not told.intersection(wrong) and not any(values.get(name) for name in told):
            yield (
                "hands_over_to",
                "nothing-to-hand-over",
                "伝える会議体を選んだときは、地域課題か、不足する社会資源を入力してください。",
            )
        if values.get("consent_scope") and "consent_checked_on" not in wrong and not values.get("consent_checked_on"):
            yield (
                "consent_checked_on",
                "required",
                "確認した同意の範囲を選んだときは、同意を確認した日を入力してください。",
            )


_EXPLAINED = (Decision.APPROVED_WITH_CHANGES, Decision.RETURNED, Decision.TO_COMPREHENSIVE)
OF_SUPPORT_MEETING = (
    "no_consent_reason", "information_sources", "watch", "support_policy", "emergency", "consent_outlook",
    "papers_returned",
)  # fmt: skip
OF_THE_OTHERS = ("consent_checked_on", "consent_scope")
# Minutes of a minimal item: who was there and what was decided; what is handed on has nothing of the person in it
OF_A_MINIMAL_ITEM = (
    "presences", "decision", "follow_up", "lead_agency", "community_issue", "missing_resource", "hands_over_to",
)  # fmt: skip


def fields_left_out(legal_role: LegalRole, *, minimal: bool = False) -> frozenset[str]:
    """The fields that minutes of such an item do not have: a page or sheet does not show them."""
    if minimal:
        return frozenset(Minutes.__struct_fields__).difference(OF_A_MINIMAL_ITEM)
    return frozenset(OF_THE_OTHERS if legal_role is LegalRole.SUPPORT_MEETING else OF_SUPPORT_MEETING)


def out_of_place(form: Minutes, legal_role: LegalRole, *, minimal: bool = False) -> Found:
    """(field, code, message) of what such an item's minutes may not hold (`not-of-this-item`), or lack (`required`)."""
    left_out = fields_left_out(legal_role, minimal=minimal)
    for field in fields_of(Minutes):
        if field.name in left_out and getattr(form, field.name):
            message = f"「{field.title}」は、この議題の会議録にはない項目です。消してください。"
            yield field.name, "not-of-this-item", message
        elif field.name == "discussion" and not minimal and not form.discussion:
            yield "discussion", "required", "協議内容を入力してください。"
        elif field.name == "no_consent_reason" and field.name not in left_out and not form.no_consent_reason:
            yield "no_consent_reason", "required", "支援会議の会議録では、同意を得ていない理由を入力してください。"
