"""What becomes of a referral: the destination's reply, and the recall of what should not have been handed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange


class ReplyDecision(CodeList):
    """What the destination does with a referral."""

    ACCEPTED = "accepted", "受理"
    RETURNED = "returned", "差戻し"


class WithdrawalKind(CodeList):
    """Why a record is taken back."""

    WITHDRAWN = "withdrawn", "取下げ"
    MISDIRECTED = "misdirected", "誤送付"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """つなぎ回答: the reply to a referral."""

    decision: Annotated[ReplyDecision, ask.choice("回答")]
    reason: Annotated[
        str,
        ask.text(
            "理由", "差戻しのときは必ず入力してください。受理のときは、伝えたいことがあれば書いてください。", limit=1000
        ),
    ] = ""
    lead_agency: Annotated[str, ask.agency("主担当", "受理のときに、決まっていれば選んでください。")] = ""
    next_actions: Annotated[str, ask.text("今後の対応", limit=1000)] = ""
    contact_phone: Annotated[str, ask.phone("連絡先電話", "つなぎ元からの問い合わせを受ける番号です。")] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        if values.get("decision") != ReplyDecision.RETURNED:
            return
        if "reason" not in wrong and not values.get("reason"):
            yield "reason", "required", "差戻しのときは、理由を入力してください。"
        if values.get("lead_agency"):
            yield "lead_agency", "lead-when-returned", "差戻しのときは、主担当を選べません。選択を外してください。"


class RecordWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """取下げ・誤送付: a record is taken back. What is written here goes into the section's note on 漏えい等."""

    kind: Annotated[WithdrawalKind, ask.choice("取消しの種類")]
    reason: Annotated[str, ask.text("取り消す理由", "個人の名前は書かないでください。", limit=1000)]
    noticed_on: Annotated[dt.date, ask.date("気付いた日", dates=DateRange.UP_TO_TODAY)]
    sent_to_wrong: Annotated[
        list[str], ask.agencies("誤って送った先", "誤送付のときに、誤って送った機関を選んでください。")
    ] = msgspec.field(default_factory=list)
    measures: Annotated[
        str, ask.text("すでに行った対応", "相手への連絡、書類の回収など。まだのときは空欄にしてください。", limit=1000)
    ] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        if values.get("kind") == WithdrawalKind.WITHDRAWN and values.get("sent_to_wrong"):
            yield (
                "sent_to_wrong",
                "not-misdirected",
                "誤って送った先があるときは、取消しの種類で「誤送付」を選んでください。",
            )
