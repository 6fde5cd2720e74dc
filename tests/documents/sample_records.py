"""Invented events of the forms other than the referral, short and as long as the forms allow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from tests.documents.sample_referrals import CASE, PERSON, RARE, RECEIVED_AT, SON, TYPED, WIFE
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import (
    AssessmentSubmitted,
    ConsentGiven,
    EvaluationSubmitted,
    PledgeGiven,
    ReferralAnswered,
    Retention,
    Staff,
)
from tsunagi_shared.forms.answers import Reply, ReplyDecision
from tsunagi_shared.forms.assessment import Assessment, Issue, Screening, Stage
from tsunagi_shared.forms.consent import ConsentForm, ConsentMeeting, ConsentScope, Signer
from tsunagi_shared.forms.evaluation import Change, Evaluation, EvaluationOutcome
from tsunagi_shared.forms.pledge import Pledge, PledgeMethod
from tsunagi_shared.forms.referral import ConsentMethod, ConsentStatus, FindingRoute, Urgency

AGENCIES = {
    "welfare": "福生市社会福祉課",
    "provider": "福祉総合相談窓口",
    "shakyo": "福生市社会福祉協議会",
    "care": "見本介護サービス事業所",
    "clinic": "見本診療所",
}
MANY_AGENCIES = {f"agency{number}": f"見本支援機関その{number}（長い名前の見本のための事業所）" for number in range(60)}

ASSESSMENT = Assessment(
    stage=Stage.ASSESSMENT,
    received_on=dt.date(2026, 11, 20),
    route=FindingRoute.PROFESSIONAL,
    visitor="見本 花子（妻）",
    household="夫婦と長男の三人暮らし。見本 一郎さんは十年以上、家から出ていない。",
    housing="持家（築40年）。福生市見本町１丁目２番３号。",
    health="妻が足を悪くしている。通院は月に一度。",
    income="夫婦の年金が月に14万円。借金はない。",
    work="長男は三十代まで工場で働いた。",
    community="町会の行事に出なくなって五年になる。",
    involved="見本診療所",
    wishes="三人で、いまの家で暮らし続けたい。",
    strengths="近所に古くからの友人がいる。連絡先は042-000-0009。",
    issues=[Issue.POVERTY.value, Issue.CARE.value],
    household_issues=[Issue.WITHDRAWAL.value, Issue.AGED_PARENT_ADULT_CHILD.value],
    main_issue=Issue.WITHDRAWAL.value,
    urgency=Urgency.SOON,
    risk="夏に体調を崩すおそれがある。",
    summary="年金だけの家計に、介護と、長男の孤立が重なっている。",
    direction="まず妻の介護の負担を減らし、長男に手紙で声をかける。",
    screening=Screening.HANDED_OVER,
    handed_over_to=["care"],
    author="見本 支子",
)
LONG_ASSESSMENT = msgspec.structs.replace(
    ASSESSMENT,
    household="家族の状況を、聞いたとおりに書いています。\n" * 80,
    health=f"{TYPED}\n" + "健康の状況。" * 300,
    income="収入の状況。" * 300,
    work="就労の状況。" * 300,
    summary=f"課題のまとめ{RARE}。" * 120,
    direction="支援の方向性。\n" * 120,
    issues=[issue.value for issue in Issue],
    household_issues=[issue.value for issue in Issue],
    local={"note": "市の項目" * 30},
)

REPLY = Reply(
    decision=ReplyDecision.ACCEPTED,
    reason="介護の相談とあわせて受けます。見本 一郎さんには手紙を送ります。",
    lead_agency="shakyo",
    next_actions="来週、自宅を訪問します。",
    contact_phone="042-000-0201",
)

CONSENT = ConsentForm(
    person=PERSON,
    status=ConsentStatus.GIVEN,
    explained_by="見本 窓口",
    explained_on=dt.date(2026, 11, 20),
    given_on=dt.date(2026, 11, 20),
    method=ConsentMethod.WRITTEN,
    heard_by="見本 窓口",
    evidence="窓口の鍵付き書庫",
    purpose="介護と暮らしの支援を、関係する機関がいっしょに考えるため。",
    scope=[ConsentScope.CONSULTATION, ConsentScope.ASSESSMENT],
    agencies=["shakyo", "care"],
    excluded_agencies=["clinic"],
    excluded_matters="病歴",
    meetings=[ConsentMeeting.LAYERED_SUPPORT_MEETING],
    until=dt.date(2027, 3, 31),
)
LONG_CONSENT = msgspec.structs.replace(
    CONSENT,
    method=ConsentMethod.ORAL,
    oral_record="十一月二十日の午後、自宅で。「みんなで考えてもらえるなら助かる」と話された。" * 12,
    signer=Signer.LEGAL_REPRESENTATIVE,
    signer_name=f"{RARE}花子",
    signer_relationship="妻",
    authority="成年後見人（登記事項証明書を確認）",
    agencies=list(MANY_AGENCIES)[:12],
    lists=["all"],
    covers_successor=True,
    purpose=f"{TYPED}目的" * 10,
    note="補足。" * 100,
)

PLEDGE = Pledge(
    agency="care",
    title="相談員",
    name="見本 介子",
    body="support-meeting",
    given_on=dt.date(2026, 4, 1),
    method=PledgeMethod.WRITTEN,
    acknowledged=True,
)
LAW = (
    "社会福祉法第106条の6第5項　支援会議の事務に従事する者又は従事していた者は、正当な理由がなく、"
    "支援会議の事務に関して知り得た秘密を漏らしてはならない。"
)

EVALUATION = Evaluation(
    evaluated_on=dt.date(2026, 9, 30),
    plan="P8-00001",
    achievement="介護サービスが始まり、見本 一郎さんが週に一度、居場所に通うようになった。",
    changes=[Change.PARTICIPATION, Change.CARE],
    changes_note="妻の笑顔が増えた。",
    remaining="家計の見直しは続いている。",
    wishes="この調子で続けたい。",
    outcome=EvaluationOutcome.ENDED,
    reason="役割分担ができ、見通しが立ったため。",
    follow_up=True,
    follow_up_method="主担当が三か月ごとに電話する。",
    lead_agency="shakyo",
)
LONG_EVALUATION = msgspec.structs.replace(
    EVALUATION,
    achievement=f"{TYPED}\n" + "達成した。" * 380,
    changes=[change for change in Change if change is not Change.NONE],
    remaining="残る課題。\n" * 100,
    follow_up_method="方法。" * 300,
)


def recorded(**changes: Any) -> dict[str, Any]:
    """What every form other than the referral carries."""
    return {
        "form_id": "0193576a-0000-7000-8000-000000000077",
        "revision": 1,
        "number": "A8-00007",
        "case_number": "C8-00034",
        "received_at": RECEIVED_AT,
        "submitted_by": Staff(user="shien", name="見本 支子", agency="provider", agency_name="福祉総合相談窓口"),
        "audience": (
            AudienceEntry("provider", Basis(BasisKind.PROVIDER), View.FULL),
            AudienceEntry("welfare", Basis(BasisKind.ORIGIN, f"referral/{CASE}"), View.FULL),
        ),
        "persons": (PERSON, WIFE, SON),
        "person_names": {PERSON: "見本 太郎", WIFE: "見本 花子", SON: "見本 一郎"},
        "agency_names": AGENCIES,
        "provider": "provider",
        "provider_name": "福祉総合相談窓口",
        "municipality_name": "福生市",
        "retention": Retention("five-years"),
        **changes,
    }


def assessed(form: Assessment = ASSESSMENT, **changes: Any) -> AssessmentSubmitted:
    """The event of an assessment."""
    return AssessmentSubmitted(**recorded(form=form, **changes))


def answered(form: Reply = REPLY, **changes: Any) -> ReferralAnswered:
    """The event of a reply."""
    return ReferralAnswered(**recorded(form=form, referral_id=CASE, referral_number="R8-00012", **changes))


def consented(form: ConsentForm = CONSENT, **changes: Any) -> ConsentGiven:
    """The event of a consent."""
    return ConsentGiven(**recorded(form=form, **{"shared_with": tuple(form.agencies), **changes}))


def long_consent() -> ConsentGiven:
    """The event of a consent with a list of sixty agencies."""
    return consented(
        LONG_CONSENT,
        shared_with=tuple(MANY_AGENCIES),
        list_names=("支援関係機関の一覧（令和8年4月1日現在）",),
        agency_names=AGENCIES | MANY_AGENCIES,
    )


def pledged(form: Pledge = PLEDGE, **changes: Any) -> PledgeGiven:
    """The event of a pledge."""
    values = {"case_number": "", "persons": (), "person_names": {}, "body_name": "福生市支援会議", "law_text": LAW}
    return PledgeGiven(**recorded(form=form, **{**values, **changes}))


def evaluated(form: Evaluation = EVALUATION, **changes: Any) -> EvaluationSubmitted:
    """The event of an evaluation."""
    return EvaluationSubmitted(**recorded(form=form, **changes))
