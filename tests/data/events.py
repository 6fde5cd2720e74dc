"""A sample of every event, of plainly invented people and offices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.data.forms import sample
from tests.data.referrals import referral
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.envelope import Envelope, encode, source_of, uuid7
from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.contracts.report import Figure, FigureGroup, TargetFigure, YearReport
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.forms.checks import Codes, check
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.meeting import Occasion
from tsunagi_shared.forms.plan import PlanKind
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


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _sample(kind: str) -> Any:
    """The valid sample of that kind of form, checked against whatever it names."""
    raw = sample(kind)
    names = dict.fromkeys(_texts(raw), "見本の名前")
    checked = check(FORMS[kind].struct, raw, Codes(dt.date(2026, 11, 23), names, names, names, names))
    assert checked.form is not None, checked.errors
    return checked.form


_STAFF = events.Staff("mado", "見本　窓子", "disability", "福生市 障害福祉課")
_PERSONS = ("01972f3c-0000-7000-8000-000000000003.0", "01972f3c-0000-7000-8000-000000000003.1")
_CONSENT_ENTRY = AudienceEntry(
    "sample-care",
    Basis(BasisKind.CONSENT, "consent/01972f3c-0000-7000-8000-000000000006"),
    View.SUMMARY,
    until=dt.date(2027, 3, 31),
    hidden=(_PERSONS[1],),
    withheld=(f"{_PERSONS[0]}:address",),
)
_FULL_ENTRIES = (
    AudienceEntry("disability", Basis(BasisKind.ORIGIN, FORM), View.FULL),
    AudienceEntry("welfare-desk", Basis(BasisKind.PROVIDER, "exempt"), View.FULL),
    AudienceEntry(
        "child-family-center", Basis(BasisKind.LEGAL_DUTY, "ground/1", "provision-by-municipality"), View.FULL
    ),
)


def _recorded(kind: str, number: int) -> dict[str, Any]:
    """What every form other than the referral carries."""
    return {
        "form_id": f"01972f3c-0000-7000-8000-0000000000{number:02d}",
        "revision": 1,
        "number": f"{CASE}-{number}",
        "case_number": "" if kind == "pledge" else CASE,
        "received_at": AT,
        "submitted_by": _STAFF,
        "form": _sample(kind),
        "audience": _FULL_ENTRIES,
        "persons": () if kind == "pledge" else _PERSONS,
        "person_names": {} if kind == "pledge" else {_PERSONS[0]: "見本　太郎", _PERSONS[1]: "見本　花子"},
        "agency_names": {"sample-care": "見本介護サービス事業所", "welfare-desk": "福祉総合相談窓口"},
        "provider": "welfare-desk",
        "provider_name": "福祉総合相談窓口",
        "municipality_name": "福生市",
        "local_labels": {"district": "地区"},
        "retention": events.Retention("case"),
    }


_PLAN: dict[str, Any] = {
    "plan_number": "P2026-00002",
    "round": 2,
    "previous_number": "P2026-00001",
}
_BELONGS_TO_NO_CASE: dict[str, Any] = {"case_number": "", "persons": (), "person_names": {}}
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

YEAR_REPORT = YearReport(
    fiscal_year=2026,
    municipality="福生市",
    counted_on=dt.date(2026, 11, 23),
    masked=True,
    groups=(
        FigureGroup(
            id="plans.participation",
            title="プラン（参加支援）",
            figures=(
                Figure(id="plans.participation.first", name="新しく策定した件数", definition="効力が生じた初回。", value=18),
                Figure(id="plans.participation.ended", name="終結した件数", definition="終結と判断したもの。", value=0),
            ),
        ),
        FigureGroup(
            id="referrals_by_area",
            title="相談受付（圏域別）",
            breakdown=True,
            figures=(
                Figure(id="referrals_by_area.a", name="見本圏域", definition="共通様式。", value=None, masked="3未満"),
            ),
        ),
    ),
    targets=(
        TargetFigure(id="plans", name="参加支援のプラン", at_least=24, unit="件／年", actual=18, rate=75, definition="プラン。"),
        TargetFigure(id="felt", name="支え合いを感じる市民の割合", at_least=70, unit="％", baseline="64.1％"),
    ),
)  # fmt: skip
SAMPLES: dict[str, msgspec.Struct] = {
    events.REFERRAL_SUBMITTED: events.ReferralSubmitted(
        referral_id=FORM.removeprefix("referral/"),
        revision=1,
        referral_number="R2026-00001",
        case_number=CASE,
        received_at=AT,
        submitted_by=_STAFF,
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
    events.REFERRAL_ANSWERED: events.ReferralAnswered(
        **_recorded("reply", 11), referral_id=FORM.removeprefix("referral/"), referral_number="R2026-00001"
    ),
    events.CONSENT_GIVEN: events.ConsentGiven(
        **_recorded("consent", 12),
        shared_with=("sample-care", "welfare-council"),
        list_names=("見本の機関の一覧（令和8年4月1日）",),
    ),
    events.PLEDGE_GIVEN: events.PledgeGiven(
        **_recorded("pledge", 13), body_name="福生市支援会議", law_text="見本法第1条（守秘義務）"
    ),
    events.ASSESSMENT_SUBMITTED: events.AssessmentSubmitted(**_recorded("assessment", 14)),
    events.EVALUATION_SUBMITTED: events.EvaluationSubmitted(**_recorded("evaluation", 15)),
    events.PLAN_PROPOSED: events.PlanProposed(**_recorded("plan", 16), **_PLAN, state="proposed", state_name="付議"),
    events.PLAN_DECIDED: events.PlanDecided(
        **_recorded("plan", 17),
        **_PLAN,
        state="adopted",
        state_name="策定",
        decided=events.PlanDates(
            meeting_on=dt.date(2026, 5, 13),
            body_name="重層的支援会議",
            legal_role_name="重層的支援会議",
            agreed_on=dt.date(2026, 5, 8),
            municipal_on=dt.date(2026, 5, 15),
        ),
    ),
    events.MEETING_CONVENED: events.MeetingConvened(
        **{**_recorded("meeting", 18), **_BELONGS_TO_NO_CASE},
        bodies=("重層的支援会議", "支援会議"),
        convener_name="福祉総合相談窓口",
        organizer_name="福祉総合相談窓口",
        items=(
            events.ConvenedItem(
                position=1,
                case_number=CASE,
                plan_number="P2026-00002",
                body_name="重層的支援会議",
                legal_role_name="重層的支援会議",
                occasion=Occasion.REPLAN,
                attends=("welfare-desk",),
            ),
            events.ConvenedItem(
                position=2,
                body_name="支援会議",
                legal_role_name="支援会議",
                occasion=Occasion.RESOURCE,
                attends=("welfare-desk", "sample-care"),
                law_text="見本法第1条（守秘義務）",
            ),
        ),
        members=(
            events.ConvenedMember(
                agency="sample-care",
                agency_name="見本介護サービス事業所",
                name="見本　介子",
                title="相談員",
                leaves_for=(1,),
            ),
        ),
        reply_by=dt.date(2026, 5, 8),
    ),
    events.MEETING_RECORDED: events.MeetingRecorded(
        **_recorded("minutes", 19),
        meeting=_sample("meeting"),
        meeting_number="M2026-00001",
        body_name="重層的支援会議",
        legal_role=LegalRole.LAYERED_SUPPORT_MEETING,
        legal_role_name="重層的支援会議",
        position=1,
        occasion=Occasion.REPLAN,
        plan_number="P2026-00002",
        plan_kind=PlanKind.MULTI_AGENCY,
        convener_name="福祉総合相談窓口",
        round_of_year=2,
        hands_over_to_name="福祉連携会議",
        closed_at=AT,
    ),
    events.INFORMATION_REQUESTED: events.InformationRequested(
        **_recorded("information_request", 20), law_text="見本法第2条（情報の提供）", meeting_on=dt.date(2026, 5, 13)
    ),
    events.CONTACT_LOG_ISSUED: events.ContactLogIssued(
        **_recorded("contact_log", 21), entries=(events.LoggedContact(form=_sample("contact"), at=AT, by=_STAFF),)
    ),
    events.REPORT_ISSUED: events.ReportIssued(
        form_id="01972f3c-0000-7000-8000-000000000022",
        revision=1,
        number="実績2026",
        case_number="",
        received_at=AT,
        submitted_by=_STAFF,
        audience=_FULL_ENTRIES[1:2],
        provider="welfare-desk",
        provider_name="福祉総合相談窓口",
        municipality_name="福生市",
        retention=events.Retention("case"),
        form=YEAR_REPORT,
    ),
    events.AUDIENCE_CHANGED: events.AudienceChanged(
        form=FORM,
        case_number=CASE,
        audience_revision=2,
        entries=(*_FULL_ENTRIES, _CONSENT_ENTRY),
        persons=_PERSONS,
        provider="welfare-desk",
    ),
    events.CONSENT_WITHDRAWN: events.ConsentWithdrawn(
        consent_id="01972f3c-0000-7000-8000-000000000006",
        case_number=CASE,
        person=_PERSONS[0],
        agencies=("sample-care",),
        withdrawn_on=dt.date(2026, 11, 23),
        code="partly_withdrawn",
        at=AT,
    ),
    events.PROTECTION_CHANGED: events.ProtectionChanged(
        case_number=CASE,
        revision=1,
        withheld=(f"{_PERSONS[0]}:address", f"{_PERSONS[0]}:phone"),
        cleared={f"{_PERSONS[0]}:address": ("welfare-desk",)},
        at=AT,
    ),
    events.RECORD_WITHDRAWN: events.RecordWithdrawn(
        form=FORM, case_number=CASE, code="misdirected", keep=("disability", "social-welfare"), at=AT
    ),
    events.RECORD_ERASED: events.RecordErased(forms=(FORM,), case_number=CASE, code="disposal", at=AT),
    events.WATERMARK_PASSED: events.WatermarkPassed(at=AT),
    events.DOCUMENT_SHARED: events.DocumentShared(
        **_DESCRIBED,
        page=f"https://documents.example.jp/documents/{DOCUMENT}/current",
        tell=("hardship-support",),
        readers=("disability", "hardship-support", "sample-care"),
        urgency="soon",
        reply_by=dt.date(2026, 12, 1),
    ),
    events.DOCUMENT_WITHDRAWN: events.DocumentWithdrawn(
        **_DOCUMENT, agencies=("sample-care",), readers=("disability",), code="consent_withdrawn", at=AT
    ),
    events.DOCUMENT_SUPERSEDED: events.DocumentSuperseded(**_DOCUMENT, by_version=2, at=AT),
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
