"""What intake's pages show: the words of codes, and the choice between the page and JSON of the same thing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from litestar import MediaType, Request, Response

from tsunagi_intake import form_view
from tsunagi_intake.audience import Withheld
from tsunagi_intake.case_lines import ConsentStanding
from tsunagi_intake.cases import ERASED, JOINED
from tsunagi_intake.lifecycle import CaseState, PlanState
from tsunagi_intake.projections import PdfState, WordState
from tsunagi_intake.timeline import Happening
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.plan import PlanKind
from tsunagi_shared.forms.protection import ProtectionField, ProtectionKind
from tsunagi_shared.forms.referral import ConsentStatus, Urgency
from tsunagi_shared.problems import wants_page
from tsunagi_shared.runtime import Runtime

NO_STORE = {"Cache-Control": "no-store"}

STATES = {**dict(CaseState.choices()), JOINED: "ほかのケースにまとめた", ERASED: "廃棄済み"}
FORM_STATES = {
    "submitted": "受付",
    "accepted": "受理",
    "returned": "差戻し",
    "live": "有効",
    "withdrawn": "取下げ",
    "misdirected": "誤送付",
}
BASES = {
    BasisKind.ORIGIN: "つなぎ元",
    BasisKind.PROVIDER: "多機関協働事業者",
    BasisKind.RESPONSIBLE_SECTION: "所管課",
    BasisKind.CONSENT: "本人の同意",
    BasisKind.SITTING: "支援会議の事務局",
    BasisKind.LEGAL_DUTY: "法令の定め",
    BasisKind.EMERGENCY: "緊急の対応",
}
# Without consent the provider reads as the secretariat, or as a part of the municipality (rule on the audience)
BASES_WITHOUT_CONSENT = {BasisKind.PROVIDER: "支援会議の事務局・市町村直営の多機関協働事業者"}
VIEWS = {
    View.FULL: "全部",
    View.SUMMARY: "概要",
    View.OWN_ALLOCATION: "自分の役割",
    View.OWN_ITEM: "自分の議題",
    View.MINIMAL: "最小限",
}
CHANNELS = {"inbox": "お知らせ画面", "email": "メール"}
MISDELIVERED = {
    "not_ours": "担当ではない",
    "no_longer_in_charge": "担当が変わった",
    "contract_ended": "契約が終わった",
}
# Why an audience was worked out anew, and other codes of the time line that are no state
CHANGES = {
    "consent": "同意が変わったため",
    "allocation": "役割分担が変わったため",
    "protection": "住所等の秘匿が変わったため",
    "ground": "同意以外の根拠が変わったため",
    "contract": "契約が変わったため",
    "withdrawal": "様式が取り消されたため",
    "expired": "期限が来たため",
    "joining": "ケースがまとめられたため",
    "plan": "プランが変わったため",
    "sitting": "会議の招集・会議録によって",
    "information_request": "情報提供を依頼したため",
    "declined": "引き受けられません",
    "correction": "訂正されたため",
    "accepted": "受理",
    "returned": "差戻し",
    "withdrawn": "取下げ",
    "misdirected": "誤送付",
    "partly_withdrawn": "一部の機関について",
}


class ReferralPage(msgspec.Struct, frozen=True, kw_only=True):
    """A referral's receipt."""

    referral_number: str
    case_number: str
    received_at: dt.datetime
    agency: str
    user_name: str
    urgency: str
    consent_status: str
    support_meeting_only: bool
    audience: tuple[AudienceEntry, ...]
    withheld: tuple[Withheld, ...]
    revision: int = 1
    state: str = "submitted"


WORDS = {
    "states": STATES,
    "form_states": FORM_STATES,
    "bases": BASES,
    "bases_without_consent": BASES_WITHOUT_CONSENT,
    "views": VIEWS,
    "channels": CHANNELS,
    "misdelivered": MISDELIVERED,
    "changes": CHANGES,
    "happenings": dict(Happening.choices()),
    "urgencies": dict(Urgency.choices()),
    "consents": dict(ConsentStatus.choices()),
    "plan_states": dict(PlanState.choices()),
    "plan_kinds": dict(PlanKind.choices()),
    "standings": dict(ConsentStanding.choices()),
    "protection_kinds": dict(ProtectionKind.choices()),
    "protection_fields": dict(ProtectionField.choices()),
    "form_titles": {kind: definition.title for kind, definition in FORMS.items()},
    "WordState": WordState,
    "PdfState": PdfState,
    "full": View.FULL,
}


def answer(
    request: Request[Any, Any, Any], runtime: Runtime, template: str, page: Any, status: int = 200, **context: Any
) -> Response[Any]:
    """The page for a browser, JSON for a program: the same content."""
    if not wants_page(request):
        return Response(msgspec.json.encode(page), media_type=MediaType.JSON, status_code=status, headers=NO_STORE)
    text = runtime.pages.render(
        template,
        principal=request.scope.get("user"),
        page=page,
        shown_fields=lambda kind, form, people=None: form_view.lines_of(runtime.profile, kind, form, people or {}),
        **WORDS,
        **context,
    )
    return Response(text, media_type=MediaType.HTML, status_code=status, headers=NO_STORE)
