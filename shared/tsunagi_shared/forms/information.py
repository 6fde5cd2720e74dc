"""情報提供依頼 (協力要請) to one agency, and its answer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import DateRange


class InformationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """情報提供依頼. `law` is an id of the profile's `legal_basis`; without one the request rests on consent."""

    agency: Annotated[str, ask.agency("依頼する機関")]
    wanted: Annotated[str, ask.text("求める資料・情報", limit=2000)]
    purpose: Annotated[str, ask.text("利用の目的", limit=1000)]
    law: Annotated[str, ask.law("根拠となる法令", "法令の定めによるときに選んでください。")] = ""
    due_on: Annotated[dt.date, ask.date("回答の期限", dates=DateRange.FROM_TODAY)]
    note: Annotated[str, ask.text("依頼についての補足", limit=1000)] = ""


class InformationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """情報提供依頼への回答."""

    answer: Annotated[str, ask.text("回答", "提供できないときは、その理由を書いてください。", limit=4000)]
    given_by: Annotated[str, ask.line("回答した人", limit=60)]
