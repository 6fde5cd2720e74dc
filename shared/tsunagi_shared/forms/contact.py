"""支援経過記録: one contact with or about the person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange
from tsunagi_shared.forms.plan import ContactState
from tsunagi_shared.forms.resource import FollowUpSide


class ContactMethod(CodeList):
    """対応方法."""

    PHONE = "phone", "電話"
    OFFICE = "office", "来所面談"
    VISIT = "visit", "訪問"
    ACCOMPANIMENT = "accompaniment", "同行"
    LETTER = "letter", "文書・メール"
    MEETING = "meeting", "会議"
    INQUIRY = "inquiry", "他機関照会"
    OTHER = "other", "その他"


class OutreachAction(CodeList):
    """What was done to come into touch with someone who does not ask for help."""

    LETTER_LEFT = "letter_left", "手紙を残した"
    INFORMATION = "information", "情報提供をした"
    FAMILY_SUPPORT = "family_support", "家族を支援した"
    JOINT_VISIT = "joint_visit", "保健師などと同行訪問した"
    CONSULTED = "consulted", "住民や関係機関から相談を受けた"
    TRIGGER = "trigger", "きっかけ事業（経済的支援、親の会など）の利用につないだ"


class Companion(CodeList):
    """Who came along on a joint visit."""

    HEALTH_NURSE = "health_nurse", "保健師"
    SOCIAL_WORKER = "social_worker", "コミュニティソーシャルワーカー"
    COMMISSIONED_VOLUNTEER = "commissioned_volunteer", "民生委員・児童委員"
    MEDICAL = "medical", "医療・看護の職員"
    AGENCY = "agency", "ほかの支援関係機関の職員"
    OTHER = "other", "その他"


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """支援経過記録. `at` is the day, `time` the time of day as written."""

    at: Annotated[dt.date, ask.date("対応した日", dates=DateRange.UP_TO_TODAY)]
    time: Annotated[str, ask.line("時刻", "例：14時30分から1時間", limit=40)] = ""
    method: Annotated[ContactMethod, ask.choice("対応方法")]
    counterpart: Annotated[str, ask.line("相手", "例：本人、長女、民生委員", limit=100)]
    content: Annotated[str, ask.text("内容", limit=4000)]
    outreach_actions: Annotated[list[OutreachAction], ask.choices("アウトリーチとして行ったこと")] = msgspec.field(
        default_factory=list
    )
    companions: Annotated[list[Companion], ask.choices("同行した人", "同行訪問をしたときに選んでください。")] = (
        msgspec.field(default_factory=list)
    )
    contact_state: Annotated[
        ContactState | None, ask.choice("接触状況", "アウトリーチのときに、いまの状況を選んでください。")
    ] = None
    follow_ups: Annotated[
        list[FollowUpSide],
        ask.choices("参加先のフォロー", "参加支援のプランのフォローをしたときに選ぶと、予定が済みになります。"),
    ] = msgspec.field(default_factory=list)
    judgement: Annotated[str, ask.text("判断・所見", limit=2000)] = ""
    next_action: Annotated[str, ask.text("次の対応", limit=1000)] = ""
    recorder: Annotated[str, ask.line("記録者", limit=60)]
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)


class ContactLogIssue(msgspec.Struct, frozen=True, kw_only=True):
    """支援経過記録の発行: the contacts of a period are put on paper. Both days belong to it."""

    since: Annotated[dt.date, ask.date("期間の始まりの日", dates=DateRange.UP_TO_TODAY)]
    until: Annotated[dt.date, ask.date("期間の終わりの日", dates=DateRange.UP_TO_TODAY)]
    note: Annotated[str, ask.text("発行の目的", limit=400)] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        since, until = values.get("since"), values.get("until")
        if since and until and until < since:
            yield "until", "before-start", "期間の終わりの日は、始まりの日と同じか、それより後の日にしてください。"
