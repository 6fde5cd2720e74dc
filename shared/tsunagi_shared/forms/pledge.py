"""守秘義務誓約書: a member of a meeting body gives the pledge of secrecy where the municipality asks for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange


class PledgeMethod(CodeList):
    """How the pledge was given."""

    WRITTEN = "written", "書面"
    ORAL = "oral", "口頭（会議の場での確認）"


class Pledge(msgspec.Struct, frozen=True, kw_only=True):
    """守秘義務誓約. The duty goes on after the person leaves: without that acknowledged there is no pledge."""

    agency: Annotated[str, ask.agency("所属")]
    title: Annotated[str, ask.line("職名", limit=60)]
    name: Annotated[str, ask.line("氏名", limit=60)]
    body: Annotated[str, ask.body("対象の会議体")]
    given_on: Annotated[dt.date, ask.date("誓約した日", dates=DateRange.UP_TO_TODAY)]
    method: Annotated[PledgeMethod, ask.choice("誓約の方法")]
    acknowledged: Annotated[bool, ask.flag("退任した後も守秘義務が続くことを承知した")]
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        if "acknowledged" not in wrong and values.get("acknowledged") is False:
            yield "acknowledged", "not-acknowledged", "誓約には、退任した後も守秘義務が続くことの承知が必要です。"
