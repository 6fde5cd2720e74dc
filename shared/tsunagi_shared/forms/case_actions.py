"""What a coordinator or the responsible section sets on a case: allocations, grounds other than consent, its closure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList


class GroundKind(CodeList):
    """A basis for sharing other than consent."""

    LEGAL_DUTY = "legal_duty", "法令の定め（通告等）"
    EMERGENCY = "emergency", "緊急の対応（生命・身体・財産の保護）"


class ClosureReason(CodeList):
    """Why a case without an adopted plan ends."""

    ADVISED = "advised", "情報提供のみで終了"
    HANDED_OVER = "handed_over", "他制度・機関へつないで終了"
    OUTREACH_ENDED = "outreach_ended", "アウトリーチの終了（関係の安定）"
    RETURNED = "returned", "包括的相談支援へ戻す"


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """役割分担: what an agency does in a case. `until` is inclusive."""

    agency: Annotated[str, ask.agency("機関")]
    part: Annotated[str, ask.text("実施内容", limit=1000)]
    since: Annotated[dt.date, ask.date("始まりの日")]
    until: Annotated[
        dt.date | None, ask.date("終わりの日", "その日まで担当します。空欄のときは、終わりを決めません。")
    ] = None

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        since, until = values.get("since"), values.get("until")
        if since and until and until < since:
            yield "until", "before-start", "終わりの日は、始まりの日より後の日にしてください。"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """同意以外の根拠: why an agency is told without consent. `law` is an id of the profile's `legal_basis`."""

    agency: Annotated[str, ask.agency("知らせる機関")]
    kind: Annotated[GroundKind, ask.choice("根拠の種類")]
    law: Annotated[str, ask.law("根拠となる法令", "法令の定めによるときに選んでください。")] = ""
    reason: Annotated[str, ask.text("必要な理由", limit=1000)]
    decided_by: Annotated[str, ask.line("判断した人", "緊急の対応のときは必ず入力してください。", limit=60)] = ""
    until: Annotated[
        dt.date | None,
        ask.date(
            "終わりの日",
            "その日まで見られます。緊急の対応のときは必ず入力してください。ほかは、空欄なら終わりを決めません。",
        ),
    ] = None

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        kind = values.get("kind")
        if kind == GroundKind.LEGAL_DUTY and "law" not in wrong and not values.get("law"):
            yield "law", "required", "法令の定めによるときは、根拠となる法令を選んでください。"
        if kind == GroundKind.EMERGENCY and "decided_by" not in wrong and not values.get("decided_by"):
            yield "decided_by", "required", "緊急の対応のときは、判断した人を入力してください。"
        if kind == GroundKind.EMERGENCY and "until" not in wrong and not values.get("until"):
            yield "until", "required", "緊急の対応のときは、いつまで見てよいか、終わりの日を入力してください。"


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """ケースの終了 without a meeting: only while no plan has been adopted."""

    reason: Annotated[ClosureReason, ask.choice("終了の理由")]
    note: Annotated[str, ask.text("補足", limit=1000)] = ""
    lead_agency: Annotated[str, ask.agency("引き続き関わる主担当")] = ""
