"""プラン: one form for the three kinds of plan, the person's agreement to it, and the municipality's 支援決定.

Items follow the プランシート as far as public pages show it (目標, 支援方針, 役割分担, モニタリング: what a meeting has to
look at), the national slides on 参加支援 and アウトリーチ, and 再プラン with what changed and what came of the plan before.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange
from tsunagi_shared.forms.referral import FINDING_CHANNELS, FindingRoute

Found = Iterator[tuple[str, str, str]]

MOST_ALLOCATIONS = 30


class PlanKind(CodeList):
    """プランの種類."""

    MULTI_AGENCY = "multi_agency", "多機関協働"
    PARTICIPATION = "participation", "参加支援"
    OUTREACH = "outreach", "アウトリーチ等"


class ContactState(CodeList):
    """接触状況: how far outreach has come to the person."""

    NONE = "none", "未接触"
    FAMILY = "family", "家族のみ"
    PERSON = "person", "本人接触"


class OutreachMethod(CodeList):
    """関係構築の方法."""

    LETTER = "letter", "手紙"
    VISIT = "visit", "訪問"
    INFORMATION = "information", "情報提供"
    FAMILY_SUPPORT = "family_support", "家族支援"
    ACCOMPANY = "accompany", "同行訪問"
    OTHER = "other", "その他"


class PlanAllocation(msgspec.Struct, frozen=True, kw_only=True):
    """役割分担の1行: who does what, how often, until when (inclusive). `in_charge` is a member of that agency's staff."""

    agency: Annotated[str, ask.agency("機関")]
    in_charge: Annotated[str, ask.line("担当者", limit=60)] = ""
    part: Annotated[str, ask.text("実施内容", limit=1000)]
    frequency: Annotated[str, ask.line("頻度", "例：週2回、月1回", limit=60)] = ""
    until: Annotated[
        dt.date | None, ask.date("期限", "その日まで担当します。空欄のときは、プランの終わりまでです。")
    ] = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """プラン of a case. What belongs to one kind alone is in `OF_KIND`; a page of another kind leaves it out."""

    kind: Annotated[PlanKind, ask.choice("プランの種類", section="プラン")]
    previous: Annotated[
        str,
        ask.reference("前のプランの番号", "再プランのときに、替えるプランの番号を入力してください。", limit=40),
    ] = ""
    made_on: Annotated[dt.date, ask.date("作成日", dates=DateRange.UP_TO_TODAY)]
    change: Annotated[str, ask.text("状況の変化", "再プランのときは必ず入力してください。", limit=2000)] = ""
    review: Annotated[str, ask.text("前のプランの評価", "再プランのときは必ず入力してください。", limit=2000)] = ""
    changes_made: Annotated[str, ask.text("変更点", "再プランのときは必ず入力してください。", limit=2000)] = ""
    issues: Annotated[str, ask.text("課題", limit=2000, section="目標と方針")] = ""
    goal_long: Annotated[str, ask.text("本人の目標（長期）", "本人の言葉で書いてください。", limit=1000)] = ""
    goal: Annotated[
        str,
        ask.text(
            "本プランの目標",
            "本人の言葉で書いてください。同意前のアウトリーチのときは、関わりの目標を書いてください。",
            limit=1000,
        ),
    ]
    policy: Annotated[str, ask.text("支援方針", limit=2000)]
    needs: Annotated[str, ask.text("参加のニーズ・課題", limit=2000, section="参加支援")] = ""
    wished_form: Annotated[str, ask.text("希望する参加の形", "本人の言葉で書いてください。", limit=1000)] = ""
    resource_id: Annotated[
        str,
        ask.line(
            "社会資源・参加先",
            "登録してある中から選びます。まだないときは、下のマッチング先に書いてください。",
            limit=40,
        ),
    ] = ""
    resource: Annotated[
        str,
        ask.line(
            "マッチング先", "上で選んだときは、空欄なら名称が入ります。例：地域の居場所、協力企業、農家", limit=200
        ),
    ] = ""
    resource_contact: Annotated[str, ask.line("受入担当", limit=100)] = ""
    trial_on: Annotated[dt.date | None, ask.date("体験の日")] = None
    begins_on: Annotated[dt.date | None, ask.date("参加を始める日")] = None
    person_follow_up: Annotated[str, ask.text("本人へのフォロー", limit=1000)] = ""
    person_follow_up_on: Annotated[dt.date | None, ask.date("本人へのフォローの日", "はじめの日です。")] = None
    host_follow_up: Annotated[str, ask.text("受入先へのフォロー", limit=1000)] = ""
    host_follow_up_on: Annotated[dt.date | None, ask.date("受入先へのフォローの日", "はじめの日です。")] = None
    settled_check_on: Annotated[dt.date | None, ask.date("定着を確かめる日")] = None
    found_by: (
        Annotated[
            str,
            ask.open_choice("把握の経路", section="アウトリーチ等", codes=FindingRoute, extended_by=FINDING_CHANNELS),
        ]
        | None
    ) = None
    contact_state: Annotated[ContactState | None, ask.choice("接触状況")] = None
    methods: Annotated[
        list[OutreachMethod], ask.choices("関係構築の方法", "あてはまるものをすべて選んでください。")
    ] = msgspec.field(default_factory=list)
    visits: Annotated[str, ask.text("訪問計画", limit=1000)] = ""
    accompanied_by: Annotated[str, ask.line("同行訪問する人", "例：保健師、民生委員", limit=200)] = ""
    hand_over_to: Annotated[list[str], ask.agencies("つなぎ先")] = msgspec.field(default_factory=list)
    end_condition: Annotated[str, ask.text("終了の目安", "例：支援関係機関との関係が安定したとき", limit=1000)] = ""
    allocations: Annotated[
        list[PlanAllocation],
        ask.rows(
            "役割分担",
            "機関ごとに書いてください。支援依頼書は、機関ごとに、その機関の行だけで作られます。",
            limit=MOST_ALLOCATIONS,
        ),
    ] = msgspec.field(default_factory=list)
    lead_agency: Annotated[str, ask.agency("主担当", section="期間と進め方")] = ""
    uses_participation: Annotated[bool, ask.flag("参加支援を利用する")] = False
    uses_outreach: Annotated[bool, ask.flag("アウトリーチ等を利用する")] = False
    starts: Annotated[dt.date, ask.date("プランの始まりの日")]
    until: Annotated[dt.date | None, ask.date("プランの終わりの日", "その日まで行います。")] = None
    monitoring_on: Annotated[
        dt.date, ask.date("モニタリングの日", "決まっていないときは、その月の末日を書いてください。")
    ]
    agreed_on: Annotated[
        dt.date | None,
        ask.date(
            "本人の合意の日",
            "まだのときは空欄にしてください。あとで記録できます。",
            dates=DateRange.UP_TO_TODAY,
        ),
    ] = None
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        yield from _replan_gaps(values, wrong)
        kind = values.get("kind")
        if kind is not None:
            yield from _kind_gaps(next(known for known in PlanKind if known == kind), values, wrong)
        yield from _day_gaps(values)


# What one kind of plan asks for and no other does, in the order of the form
OF_KIND: dict[PlanKind, tuple[str, ...]] = {
    PlanKind.MULTI_AGENCY: ("uses_participation", "uses_outreach"),
    PlanKind.PARTICIPATION: (
        "needs", "wished_form", "resource_id", "resource", "resource_contact", "trial_on", "begins_on",
        "person_follow_up", "person_follow_up_on", "host_follow_up", "host_follow_up_on", "settled_check_on",
    ),
    PlanKind.OUTREACH: (
        "found_by", "contact_state", "methods", "visits", "accompanied_by", "hand_over_to", "end_condition",
    ),
}  # fmt: skip
_OF_REPLAN = (("change", "状況の変化"), ("review", "前のプランの評価"), ("changes_made", "変更点"))
_NEEDED: dict[PlanKind, tuple[tuple[str, str], ...]] = {
    PlanKind.MULTI_AGENCY: (
        ("issues", "課題を入力してください。"),
        ("allocations", "役割分担を1行以上入力してください。"),
        ("lead_agency", "主担当を選んでください。"),
    ),
    PlanKind.PARTICIPATION: (("needs", "参加のニーズ・課題を入力してください。"),),
    PlanKind.OUTREACH: (
        ("found_by", "把握の経路を選んでください。"),
        ("contact_state", "接触状況を選んでください。"),
        ("methods", "関係構築の方法を1つ以上選んでください。"),
        ("end_condition", "終了の目安を入力してください。"),
    ),
}


def fields_left_out(kind: PlanKind) -> frozenset[str]:
    """The fields of the other kinds: a page or sheet of that kind does not show them."""
    return frozenset(name for other, names in OF_KIND.items() if other is not kind for name in names)


def _replan_gaps(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
    if "previous" in wrong:
        return
    for name, title in _OF_REPLAN:
        if values.get("previous") and name not in wrong and not values.get(name):
            yield name, "required", f"再プランのときは、{title}を入力してください。"
        if not values.get("previous") and values.get(name):
            yield (
                name,
                "not-a-replan",
                f"{title}は、再プランのときだけ入力できます。前のプランの番号を入力するか、消してください。",
            )


def _kind_gaps(kind: PlanKind, values: Mapping[str, Any], wrong: Collection[str]) -> Found:
    for name, message in _NEEDED[kind]:
        if name not in wrong and not values.get(name):
            yield name, "required", f"{kind.label}のプランでは、{message}"
    for other, names in OF_KIND.items():
        for name in names:
            if other is not kind and values.get(name):
                yield (
                    name,
                    "not-of-this-kind",
                    f"この項目は、{other.label}のプランのものです。消すか、プランの種類を選び直してください。",
                )


def _day_gaps(values: Mapping[str, Any]) -> Found:
    starts, until = values.get("starts"), values.get("until")
    if starts and until and until < starts:
        yield "until", "before-start", "プランの終わりの日は、始まりの日と同じか、それより後の日にしてください。"
    monitoring = values.get("monitoring_on")
    if starts and monitoring and monitoring < starts:
        yield (
            "monitoring_on",
            "before-start",
            "モニタリングの日は、プランの始まりの日と同じか、それより後の日にしてください。",
        )
    for index, row in enumerate(values.get("allocations", ())):
        if starts and row.get("until") and row["until"] < starts:
            message = "役割分担の期限は、プランの始まりの日と同じか、それより後の日にしてください。"
            yield f"allocations.{index}.until", "before-start", message
    steps = (("trial_on", "体験の日"), ("begins_on", "参加を始める日"), ("settled_check_on", "定着を確かめる日"))
    for (before, title), (after, later) in itertools.pairwise(steps):
        if values.get(before) and values.get(after) and values[after] < values[before]:
            yield after, "before-start", f"{later}は、{title}と同じか、それより後の日にしてください。"
    for name, title in (
        ("person_follow_up_on", "本人へのフォローの日"),
        ("host_follow_up_on", "受入先へのフォローの日"),
    ):
        if starts and values.get(name) and values[name] < starts:
            yield name, "before-start", f"{title}は、プランの始まりの日と同じか、それより後の日にしてください。"
    if values.get("agreed_on") and values.get("made_on") and values["agreed_on"] < values["made_on"]:
        yield "agreed_on", "before-plan", "本人の合意の日は、プランの作成日と同じか、それより後の日にしてください。"


class SupportReply(CodeList):
    """What an agency says to a 支援依頼."""

    ACCEPTED = "accepted", "引き受けます"
    DECLINED = "declined", "引き受けられません"


class SupportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """支援依頼への回答: of the agency of one row of the 役割分担."""

    answer: Annotated[SupportReply, ask.choice("回答")]
    in_charge: Annotated[str, ask.line("担当者", limit=60)] = ""
    note: Annotated[
        str, ask.text("連絡事項", "引き受けられないときは、その理由を必ず入力してください。", limit=1000)
    ] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        declined = values.get("answer") == SupportReply.DECLINED
        if declined and "note" not in wrong and not values.get("note"):
            yield "note", "required", "引き受けられないときは、その理由を入力してください。"


class PlanAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """本人の合意: the person agreed to a plan, on that day. One of the three dates."""

    agreed_on: Annotated[dt.date, ask.date("本人の合意の日", dates=DateRange.UP_TO_TODAY)]
    note: Annotated[str, ask.text("合意についての補足", "説明した人、署名の保管場所など。", limit=1000)] = ""


class MunicipalDecision(msgspec.Struct, frozen=True, kw_only=True):
    """支援決定: the municipality decided to support by that plan, on that day. One of the three dates."""

    decided_on: Annotated[dt.date, ask.date("支援決定の日", dates=DateRange.UP_TO_TODAY)]
    note: Annotated[str, ask.text("支援決定についての補足", "決裁の番号など。", limit=1000)] = ""
