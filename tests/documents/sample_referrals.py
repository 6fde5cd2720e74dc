"""Invented referrals, from nearly empty to as long as the form allows, with the characters that systems lose."""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import ReferralSubmitted, Retention, Staff
from tsunagi_shared.forms.referral import (
    ClientKind,
    Consent,
    ConsentMethod,
    ConsentStatus,
    FindingRoute,
    HealthInsurance,
    HouseholdMember,
    Housing,
    Pension,
    Person,
    Reception,
    Referral,
    Sex,
    Trouble,
    Urgency,
    Work,
)

RARE = "髙﨑𠮷邉\U000e010f\ufa10"  # 髙 﨑 𠮷 邉󠄏 and the compatibility 塚
CASE = "0193576a-0000-7000-8000-000000000001"
PERSON, WIFE, SON = f"{CASE}.0", f"{CASE}.1", f"{CASE}.2"
TYPED = "{{ 7*7 }} {% raw %} {_{ }_} <&> \"'"  # looks like a template, or like markup
RECEIVED_AT = dt.datetime(2026, 11, 23, 1, 32, tzinfo=dt.UTC)  # 10時32分 in Japan

SHORT_FORM = Referral(
    destinations=["shakyo"],
    urgency=Urgency.SOON,
    consulted_on=dt.date(2026, 11, 20),
    person=Person(
        name="見本 太郎",
        kana="みほん たろう",
        sex=Sex.MALE,
        birth_date=dt.date(1955, 4, 1),
        postal_code="197-0000",
        address="福生市見本町１丁目２番３号",
        phone="042-000-0001",
        mobile="090-0000-0001",
    ),
    household=[
        HouseholdMember(name="見本 花子", relationship="妻", birth_date=dt.date(1958, 1, 7), note="足が悪い"),
        HouseholdMember(name="見本 一郎", relationship="長男", age=52, note="十年以上、家から出ていない"),
    ],
    household_size=3,
    troubles=[Trouble.INCOME, Trouble.WITHDRAWAL, Trouble.CARE],
    main_trouble=Trouble.WITHDRAWAL,
    consultation="年金だけでは暮らしが立たない。\n長男のこれからが心配だと話された。",
    chief_complaint="息子のことを相談できる人がほしい。",
    reason="長男への訪問と、家計の相談をお願いしたいため。",
    considerations="耳が遠いので、ゆっくり話してほしい。",
    involved_agencies="見本介護サービス事業所",
    actions_taken="窓口で二回面談した。",
    safety_notes="夜の電話は避ける。",
    contact_phone="042-000-0100",
    reply_by=dt.date(2026, 11, 30),
    finding_route=FindingRoute.OWN_CONTACT,
    consent=Consent(
        status=ConsentStatus.GIVEN,
        given_on=dt.date(2026, 11, 20),
        method=ConsentMethod.WRITTEN,
        heard_by="見本 窓口",
        agencies=["shakyo", "provider"],
        until=dt.date(2027, 3, 31),
        note="病歴は伝えない。",
    ),
)

RECEPTION = Reception(
    applied_on=dt.date(2026, 11, 20),
    email="mihon@example.jp",
    client_phone="042-000-0300",
    client_relationship="長女の夫",
    work=Work.PENSION,
    housing=Housing.OWNED,
    health_insurance=HealthInsurance.NATIONAL,
    pension=Pension.RECEIVED,
)

LONG_NAME = RARE + "見" * (59 - 6) + "本"

LONG_FORM = msgspec.structs.replace(
    SHORT_FORM,
    destinations=[f"agency{number}" for number in range(10)],
    client_kind=ClientKind.COMMUNITY,
    client_name="見" * 80,
    person=Person(
        name=LONG_NAME,
        kana="み" * 100,
        sex=Sex.UNANSWERED,
        age_note="七十歳代くらい（はっきりしない）",
        postal_code="197-0000",
        address="福生市" + "見本町" * 65,
        phone="042-000-0001 内線123456",
    ),
    household=[
        HouseholdMember(
            name=f"{RARE}{number}" + ("見本" * 25 if number == 3 else ""),
            relationship="二男の妻の母",
            birth_date=dt.date(1989, 1, 7 + number % 2),
            note="備考" * (100 if number == 5 else 8),
        )
        for number in range(20)
    ],
    household_size=21,
    consultation=f"{TYPED}\n" + ("※相談の内容を、聞いたとおりに、ありのままに書いています。" * 160)[:3950] + RARE,
    chief_complaint="主訴" * 200,
    reason="理由を、詳しく。" * 125,
    considerations="配慮。\n" * 60,
    involved_agencies="A&B <相談所>\n" * 40,
    actions_taken="対応した。" * 400,
    safety_notes="安全。" * 333,
    local={"pet": "犬が二匹", "note": TYPED},
    reception=RECEPTION,
)

FULL_ENTRIES = (
    AudienceEntry("welfare", Basis(BasisKind.ORIGIN, "referral/1"), View.FULL),
    AudienceEntry("provider", Basis(BasisKind.PROVIDER), View.FULL),
)
SUMMARY_ENTRY = AudienceEntry("shakyo", Basis(BasisKind.CONSENT, "consent/1"), View.SUMMARY, until=dt.date(2027, 3, 31))


def submitted(form: Referral = SHORT_FORM, **changes: object) -> ReferralSubmitted:
    """The event of an invented referral, with the fields given in `changes` replaced."""
    event = ReferralSubmitted(
        referral_id=CASE,
        revision=1,
        referral_number="R8-00012",
        case_number="C8-00034",
        received_at=RECEIVED_AT,
        submitted_by=Staff(user="mihon", name="見本 窓口", agency="welfare", agency_name="福生市社会福祉課"),
        form=form,
        destination_names=tuple(f"見本支援機関その{number}" for number, _ in enumerate(form.destinations, start=1)),
        audience=(*FULL_ENTRIES, SUMMARY_ENTRY),
        persons=tuple(f"{CASE}.{position}" for position in range(1 + len(form.household))),
        provider="provider",
        provider_name="福祉総合相談窓口",
        municipality_name="福生市",
        consent_agency_names=("福生市社会福祉協議会", "福祉総合相談窓口"),
        local_labels={"pet": "ペットの有無"},
        retention=Retention("five-years"),
    )
    return msgspec.structs.replace(event, **changes)
