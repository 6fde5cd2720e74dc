"""住所等の秘匿 (DV等支援措置, or the person's own wish): whose fields no agency sees that is not cleared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList


class ProtectionKind(CodeList):
    """Why a person's whereabouts are withheld."""

    VIOLENCE_SUPPORT = "violence_support", "DV等支援措置"
    OWN_WISH = "own_wish", "本人の希望"
    OTHER = "other", "その他"


class ProtectionField(CodeList):
    """What is withheld. Each stands for every field by which the person can be found that way."""

    ADDRESS = "address", "住所（郵便番号を含む）"
    PHONE = "phone", "電話番号・メールアドレス"


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """秘匿の設定 for one person of a case. `until` is inclusive."""

    person: Annotated[str, ask.line("秘匿する人", limit=80)]
    kind: Annotated[ProtectionKind, ask.choice("秘匿の理由")]
    fields: Annotated[list[ProtectionField], ask.choices("見せない項目")]
    cleared: Annotated[
        list[str],
        ask.agencies(
            "見てよい機関", "ここに選んだ機関だけが、見せない項目を見られます。選ばなければ、どの機関にも見えません。"
        ),
    ] = msgspec.field(default_factory=list)
    since: Annotated[dt.date, ask.date("秘匿を始める日")]
    until: Annotated[
        dt.date | None, ask.date("秘匿の終わりの日", "その日まで秘匿します。空欄のときは、終わりを決めません。")
    ] = None
    reason: Annotated[str, ask.text("秘匿が必要な事情", "この画面と記録のほかには出ません。", limit=1000)] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        since, until = values.get("since"), values.get("until")
        if since and until and until < since:
            yield "until", "before-start", "秘匿の終わりの日は、始める日より後の日にしてください。"
        if values.get("kind") == ProtectionKind.OTHER and "reason" not in wrong and not values.get("reason"):
            yield "reason", "required", "秘匿の理由が「その他」のときは、秘匿が必要な事情を入力してください。"
