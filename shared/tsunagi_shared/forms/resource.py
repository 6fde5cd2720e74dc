"""社会資源・参加先: what staff put on record of a place that takes people in, and the follow-up of a match."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.contracts.profile_codes import ResourceKind
from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange

_NO_RESIDENT = "利用する人の名前や事情は書かないでください。"


class ResourceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """社会資源・参加先. It is about a place and nobody who goes there; `contact` is somebody of the place.

    `follow_up_days`: how many days after one follow-up the next is due; `closed_on`: from that day on nobody is matched with it.
    """

    kind: Annotated[ResourceKind, ask.choice("種類", section="社会資源・参加先")]
    name: Annotated[str, ask.line("名称", limit=100)]
    agency: Annotated[str, ask.agency("担当する機関", "受入先との連絡を担当する機関です。")]
    capacity: (
        Annotated[int, ask.number("受入れできる人数", "決まっていないときは空欄です。", limit=10_000, lowest=1)] | None
    ) = None
    contact: Annotated[str, ask.line("受入担当", "受入先の担当者と連絡先です。" + _NO_RESIDENT, limit=200)] = ""
    conditions: Annotated[
        str, ask.text("受入れの条件", "曜日、時間、できること、配慮など。" + _NO_RESIDENT, limit=1000)
    ] = ""
    follow_up_days: (
        Annotated[
            int, ask.number("フォローの間隔（日）", "例：30。次のフォローの日が決まります。", limit=366, lowest=1)
        ]
        | None
    ) = None
    closed_on: Annotated[dt.date | None, ask.date("受入れの終わりの日", "その日から、新しいプランでは選べません。")] = (
        None
    )


class FollowUpSide(CodeList):
    """Whom a follow-up is with."""

    PERSON = "person", "本人へのフォロー"
    HOST = "host", "受入先へのフォロー"


class FollowUpResult(CodeList):
    """What a follow-up found."""

    GOING_ON = "going_on", "続いている"
    TO_ADJUST = "to_adjust", "調整が必要"
    SETTLED = "settled", "定着した"
    STOPPED = "stopped", "やめた"


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """フォローの記録: that it was done, and when the next is due. What was said belongs into the 支援経過記録."""

    done_on: Annotated[dt.date, ask.date("フォローをした日", dates=DateRange.UP_TO_TODAY)]
    result: Annotated[FollowUpResult, ask.choice("様子", "話した内容は、支援経過記録に書いてください。")]
    next_on: Annotated[
        dt.date | None, ask.date("次のフォローの日", "空欄のときは、受入先ごとに決めた間隔で決まります。")
    ] = None

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        done, following = values.get("done_on"), values.get("next_on")
        if done and following and following <= done:
            yield "next_on", "before-start", "次のフォローの日は、フォローをした日より後の日にしてください。"
