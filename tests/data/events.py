"""A sample of every event, of plainly invented people and offices."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from tests.data.referrals import referral
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.envelope import Envelope, encode, source_of, uuid7
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.forms.checks import Codes, check
from tsunagi_shared.forms.referral import Referral

MUNICIPALITY = "132187"
AT = dt.datetime(2026, 11, 23, 1, 32, 5, 123456, dt.UTC)
DOCUMENT = "01972f3c-0000-7000-8000-000000000001"
DELIVERY = "01972f3c-0000-7000-8000-000000000002"
CASE = "C2026-00001"
FORM = "referral/01972f3c-0000-7000-8000-000000000003"


def _form() -> Referral:
    agencies = {"sample-care": "見本介護サービス事業所", "hardship-support": "見本の相談窓口"}
    form = check(Referral, referral(), Codes(dt.date(2026, 11, 23), agencies)).form
    assert form is not None
    return form


_DOCUMENT: dict[str, Any] = {"document_id": DOCUMENT, "version": 1, "case_number": CASE}
_DELIVERY: dict[str, Any] = {**_DOCUMENT, "delivery_id": DELIVERY, "agency": "sample-care"}
_WORD = events.StoredFile("docx", "0" * 64, 20_000)
_DESCRIBED: dict[str, Any] = {
    **_DOCUMENT,
    "kind": "referral_sheet",
    "view": View.SUMMARY,
    "title": "共通様式（つなぎシート）",
    "form": FORM,
}
_PERSON: dict[str, Any] = {"user": "kaigo", "user_name": "見本　介吾"}

SAMPLES: dict[str, msgspec.Struct] = {
    events.REFERRAL_SUBMITTED: events.ReferralSubmitted(
        referral_id=FORM.removeprefix("referral/"),
        revision=1,
        referral_number="R2026-00001",
        case_number=CASE,
        received_at=AT,
        submitted_by=events.Staff("mado", "見本　窓子", "disability", "福生市 障害福祉課"),
        form=_form(),
        destination_names=("見本介護サービス事業所", "見本の相談窓口"),
        audience=(
            AudienceEntry("disability", Basis(BasisKind.ORIGIN, FORM), View.FULL),
            AudienceEntry(
                "sample-care", Basis(BasisKind.CONSENT, "consent/1"), View.SUMMARY, ("kaigo",), dt.date(2027, 3, 31)
            ),
        ),
        persons=("person-1", "person-2", "person-3"),
        provider="welfare-desk",
        provider_name="福祉総合相談窓口",
        municipality_name="福生市",
        consent_agency_names=("見本介護サービス事業所", "見本の相談窓口"),
        local_labels={"district": "地区"},
        retention=events.Retention("case", dt.date(2027, 3, 31), True),
    ),
    events.DOCUMENT_CREATED: events.DocumentCreated(
        **_DESCRIBED,
        word=_WORD,
        page=f"https://documents.example.jp/documents/{DOCUMENT}/current",
        tell=("sample-care",),
        readers=("disability", "sample-care"),
        urgency="soon",
        reply_by=dt.date(2026, 12, 1),
    ),
    events.FILE_ADDED: events.FileAdded(**_DOCUMENT, file=events.StoredFile("pdf", "1" * 64, 90_000)),
    events.DOCUMENT_FAILED: events.DocumentFailed(**_DESCRIBED, code="store-away"),
    events.DOCUMENT_OPENED: events.DocumentOpened(
        **_DOCUMENT, **_PERSON, agency="sample-care", format="pdf", opened_at=AT
    ),
    events.DELIVERY_SENT: events.DeliverySent(**_DELIVERY, channel="email", attempt=1, at=AT),
    events.DELIVERY_FAILED: events.DeliveryFailed(**_DELIVERY, channel="email", attempt=8, code="rejected", at=AT),
    events.DOCUMENT_ACKNOWLEDGED: events.DocumentAcknowledged(**_DELIVERY, **_PERSON, at=AT),
    events.DOCUMENT_MISDELIVERED: events.DocumentMisdelivered(**_DELIVERY, **_PERSON, code="not_ours", at=AT),
}


def envelope_of(
    event_type: str, data: msgspec.Struct | None = None, *, revision: int = 1, event_id: str = "", **changes: Any
) -> Envelope:
    """The event as its publisher would put it into its outbox; the sample's data unless other data is given."""
    values: dict[str, Any] = {
        "id": event_id or uuid7(int(AT.timestamp() * 1_000_000)),
        "source": source_of(MUNICIPALITY, stream_of(event_type).owner),
        "type": event_type,
        "time": AT,
        "aggregate": f"{event_type.split('.')[1]}/1",
        "revision": revision,
        "profileversion": "0123456789ab",
        "data": msgspec.Raw(msgspec.json.encode(data if data is not None else SAMPLES[event_type])),
    }
    return Envelope(**{**values, **changes})


def payload_of(event_type: str, data: msgspec.Struct | None = None, **changes: Any) -> bytes:
    """The same as the bytes that go on the bus."""
    return encode(envelope_of(event_type, data, **changes))
