"""What intake's pages show: view models, and the choice between the page and JSON of the same thing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from sqlalchemy import Connection

from tsunagi_intake import cases, projections
from tsunagi_intake.audience import Withheld
from tsunagi_intake.projections import DocumentLine, PdfState, WordState
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.fields import fields_of
from tsunagi_shared.forms.referral import ConsentStatus, Referral, Urgency
from tsunagi_shared.problems import wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.web.forms import form_values

NO_STORE = {"Cache-Control": "no-store"}

STATES = {"received": "受付"}
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


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """A case: its referrals and their documents."""

    case_number: str
    state: str
    opened_at: dt.datetime
    referrals: tuple[cases.ReferralLine, ...]
    documents: tuple[DocumentLine, ...]


def case_page(connection: Connection, principal: Principal, seq: int, number: str) -> CasePage:
    """The case as this person may see it."""
    lines = cases.referrals_of(connection, principal, seq)
    row = cases.line(connection, seq)
    views = {f"referral/{line.id}": line.view for line in lines}
    return CasePage(
        case_number=number,
        state=row.state,
        opened_at=row.opened_at,
        referrals=lines,
        documents=projections.documents_of(connection, number, views, principal.agency),
    )


_WORDS = {
    "states": STATES,
    "bases": BASES,
    "bases_without_consent": BASES_WITHOUT_CONSENT,
    "views": VIEWS,
    "channels": CHANNELS,
    "misdelivered": MISDELIVERED,
    "urgencies": {code.value: code.label for code in Urgency},
    "consents": {code.value: code.label for code in ConsentStatus},
    "WordState": WordState,
    "PdfState": PdfState,
    "full": View.FULL,
}


def answer(
    request: Request[Any, Any, Any], runtime: Runtime, template: str, page: Any, **context: Any
) -> Response[Any]:
    """The page for a browser, JSON for a program: the same content."""
    if not wants_page(request):
        return Response(msgspec.json.encode(page), media_type=MediaType.JSON, headers=NO_STORE)
    text = runtime.pages.render(template, principal=request.scope.get("user"), page=page, **_WORDS, **context)
    return Response(text, media_type=MediaType.HTML, headers=NO_STORE)


def form(
    runtime: Runtime,
    principal: Principal,
    *,
    key: str,
    raw: object = None,
    errors: tuple[FieldError, ...] = (),
    rows: Mapping[str, int] | None = None,
    status: int = 200,
) -> Response[str]:
    """The referral form, with whatever was typed and what is wrong with it."""
    offered = {agency.id: agency.name for agency in runtime.profile.agencies if agency.accepts_referrals}
    text = runtime.pages.render(
        "referral_form.html",
        principal=principal,
        fields=fields_of(Referral),
        values=form_values(Referral, raw, errors, rows),
        agencies=offered,
        key=key,
    )
    return Response(text, media_type=MediaType.HTML, status_code=status, headers=NO_STORE)
