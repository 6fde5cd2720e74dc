"""開催回・議題・構成員: what a sitting is convened with. Persons are never named here, only numbers of cases and plans."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange

Found = Iterator[tuple[str, str, str]]

MOST_BODIES = 10
MOST_PAPERS = 20
NO_NAMES = "個人の名前は書かないでください。"


class Occasion(CodeList):
    """議題の契機. The first four are those at which a plan has to go through a meeting."""

    ADOPT = "adopt", "プランの策定"
    REPLAN = "replan", "再プランの策定"
    END = "end", "支援の終結"
    SUSPEND = "suspend", "支援の中断"
    MONITORING = "monitoring", "モニタリング"
    SHARING = "sharing", "情報の共有"
    SCREENING = "screening", "担当の割振り"
    RESOURCE = "resource", "社会資源"
    OTHER = "other", "その他"


class MeetingMethod(CodeList):
    """How people meet."""

    IN_PERSON = "in_person", "対面"
    ONLINE = "online", "オンライン"
    BOTH = "both", "対面とオンラインの併用"
    WRITTEN = "written", "書面"


class MinimalReason(CodeList):
    """Why a plan's 終結 or 中断 is heard without the person's consent, as a minimal item."""

    WITHDRAWN = "withdrawn", "同意が撤回された"
    REFUSED = "refused", "同意しないと本人が言った"
    EXPIRED = "expired", "同意の期限が切れた"
    DIED = "died", "本人が亡くなった"
    UNREACHABLE = "unreachable", "本人と連絡が取れない"


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """開催回 of one body, or of several together (合同開催). Times are Japanese times of the day it is held, HH:MM."""

    bodies: Annotated[
        list[str], ask.bodies("会議体", "合同で開催するときは、すべて選んでください。", limit=MOST_BODIES)
    ]
    held_on: Annotated[dt.date, ask.date("開催日")]
    starts_at: Annotated[str, ask.time("始まりの時刻", "例：13:30、13時30分")]
    ends_at: Annotated[str, ask.time("終わりの時刻", "例：15:30、15時30分")] = ""
    method: Annotated[MeetingMethod, ask.choice("開催の方法")] = MeetingMethod.IN_PERSON
    place: Annotated[str, ask.line("場所", "集まって開くときは必ず入力してください。", limit=200)] = ""
    chair: Annotated[str, ask.line("司会", limit=60)] = ""
    note_taker: Annotated[str, ask.line("記録者", limit=60)] = ""
    extra: Annotated[bool, ask.flag("臨時の開催")] = False
    note: Annotated[str, ask.text("連絡事項", "招集通知に載ります。" + NO_NAMES, limit=1000)] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        starts, ends = values.get("starts_at"), values.get("ends_at")
        if starts and ends and ends <= starts:
            yield "ends_at", "before-start", "終わりの時刻は、始まりの時刻より後にしてください。"
        gathers = values.get("method", MeetingMethod.IN_PERSON) in (MeetingMethod.IN_PERSON, MeetingMethod.BOTH)
        if values and gathers and "method" not in wrong and "place" not in wrong and not values.get("place"):
            yield "place", "required", "集まって開くときは、場所を入力してください。"


class ShownPaper(msgspec.Struct, frozen=True, kw_only=True):
    """A paper shown at an item, by the number of the record it was made of."""

    number: Annotated[str, ask.reference("記録の番号", limit=40)]


_ABOUT_A_PLAN = (Occasion.ADOPT, Occasion.REPLAN, Occasion.END, Occasion.SUSPEND, Occasion.MONITORING)
_WITHOUT_A_CASE = (Occasion.RESOURCE, Occasion.OTHER)


class AgendaItem(msgspec.Struct, frozen=True, kw_only=True):
    """議題: one case (or a resource), heard by one body under one of its legal roles.

    Without `papers`: the referral, the newest assessment and the plan. With `minimal_reason` nothing is shown but the
    numbers and the reason.
    """

    body: Annotated[str, ask.body("扱う会議体")]
    legal_role: Annotated[LegalRole, ask.choice("法的位置付け")]
    occasion: Annotated[Occasion, ask.choice("議題の契機")]
    case_number: Annotated[str, ask.reference("ケース番号", "社会資源などの議題では、空欄にできます。", limit=40)] = ""
    plan_number: Annotated[
        str, ask.reference("プラン番号", "策定・再プラン・終結・中断・モニタリングのときに入力してください。", limit=40)
    ] = ""
    minimal_reason: Annotated[
        MinimalReason | None,
        ask.choice("番号と理由だけで扱う理由", "同意がないときの終結・中断で選びます。資料は出しません。"),
    ] = None
    papers: Annotated[
        list[ShownPaper],
        ask.rows(
            "資料",
            "空欄のときは、共通様式、いちばん新しいアセスメント、議題のプランを示します。",
            limit=MOST_PAPERS,
        ),
    ] = msgspec.field(default_factory=list)
    note: Annotated[str, ask.text("議題の補足", NO_NAMES, limit=400, section="補足")] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        occasion = values.get("occasion")
        if occasion is None:
            return
        case_known = "case_number" in wrong or values.get("case_number")
        if not case_known and (occasion not in _WITHOUT_A_CASE or values.get("plan_number")):
            yield (
                "case_number",
                "required",
                "ケース番号を入力してください。空欄にできるのは、社会資源などの議題だけです。",
            )
        if occasion in _ABOUT_A_PLAN and "plan_number" not in wrong and not values.get("plan_number"):
            yield "plan_number", "required", "プランについての議題では、プラン番号を入力してください。"
        if not values.get("minimal_reason"):
            return
        if occasion not in (Occasion.END, Occasion.SUSPEND):
            yield (
                "minimal_reason",
                "minimal-occasion",
                "番号と理由だけで扱えるのは、終結と中断の議題です。契機を選び直すか、理由の選択を外してください。",
            )
        for name in ("papers", "note"):
            if values.get(name):
                yield (
                    name,
                    "minimal-content",
                    "番号と理由だけで扱う議題では、資料と補足を付けられません。消してください。",
                )


class MeetingMember(msgspec.Struct, frozen=True, kw_only=True):
    """構成員 of a sitting: a member of an agency's staff. `user` is their account here, where they have one."""

    agency: Annotated[str, ask.agency("所属")]
    user: Annotated[str, ask.reference("利用者ID", "この仕組みを使う人のときに入力してください。", limit=64)] = ""
    title: Annotated[str, ask.line("職名", limit=60)] = ""
    name: Annotated[str, ask.line("氏名", limit=60)]
    chosen: Annotated[bool, ask.flag("支援会議の構成員に選ぶ", "設置者が、この人を選びます。")] = False
    told_on: Annotated[
        dt.date | None,
        ask.date("守秘義務を告知した日", "支援会議の構成員のときに入力してください。", dates=DateRange.UP_TO_TODAY),
    ] = None
    attends: Annotated[bool, ask.flag("出席の予定")] = False
