"""Invented plans, sittings, minutes and requests, short and as long as the forms allow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from tests.documents.sample_records import AGENCIES, LAW, MANY_AGENCIES, recorded
from tests.documents.sample_referrals import RARE, RECEIVED_AT, TYPED
from tsunagi_shared.contracts.events import (
    ContactLogIssued,
    ConvenedItem,
    ConvenedMember,
    InformationRequested,
    LoggedContact,
    MeetingConvened,
    MeetingRecorded,
    PlanDates,
    PlanDecided,
    PlanProposed,
    Staff,
)
from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.forms.consent import ConsentScope
from tsunagi_shared.forms.contact import Contact, ContactLogIssue, ContactMethod, OutreachAction
from tsunagi_shared.forms.information import InformationRequest
from tsunagi_shared.forms.meeting import Meeting, MeetingMethod, MinimalReason, Occasion
from tsunagi_shared.forms.minutes import Decision, Minutes, Presence, PresenceState
from tsunagi_shared.forms.plan import ContactState, OutreachMethod, Plan, PlanAllocation, PlanKind
from tsunagi_shared.forms.referral import FindingRoute

LONG_TEXT = "支援の内容を、聞いたとおりに、ていねいに書いています。\n" * 60
LABELS = {"district": "地区"}
ALL_AGENCIES = AGENCIES | MANY_AGENCIES

MULTI_AGENCY = Plan(
    kind=PlanKind.MULTI_AGENCY,
    made_on=dt.date(2026, 12, 1),
    issues="介護と家計と、長男の孤立が重なっている。",
    goal_long="三人で、いまの家で暮らしつづける。",
    goal="見本 一郎さんに、話のできる人ができる。",
    policy="妻の介護の負担を減らし、長男に手紙で声をかける。",
    allocations=[
        PlanAllocation(
            agency="care",
            in_charge="見本 介子",
            part="訪問介護と見守り。見本町1-2-3に伺う。",
            frequency="週2回",
            until=dt.date(2027, 5, 31),
        ),
        PlanAllocation(agency="shakyo", part="家計の見直しの相談。", frequency="月1回"),
    ],
    lead_agency="shakyo",
    uses_participation=True,
    starts=dt.date(2026, 12, 14),
    until=dt.date(2027, 6, 13),
    monitoring_on=dt.date(2027, 3, 10),
    local={"district": "見本地区"},
)
PARTICIPATION = msgspec.structs.replace(
    MULTI_AGENCY,
    kind=PlanKind.PARTICIPATION,
    uses_participation=False,
    issues="",
    needs="人と会う場がほしい。",
    wished_form="畑の手伝いなら、やってみたい。",
    resource="見本農園",
    resource_contact="見本 耕",
    trial_on=dt.date(2027, 1, 12),
    begins_on=dt.date(2027, 2, 2),
    person_follow_up="終わった日に電話する。",
    host_follow_up="月に一度、農園を訪ねる。",
    settled_check_on=dt.date(2027, 5, 11),
)
OUTREACH = msgspec.structs.replace(
    MULTI_AGENCY,
    kind=PlanKind.OUTREACH,
    uses_participation=False,
    found_by=FindingRoute.RESIDENT,
    contact_state=ContactState.FAMILY,
    methods=[OutreachMethod.LETTER, OutreachMethod.VISIT],
    visits="毎月第2火曜の午後に、自宅を訪ねる。",
    accompanied_by="保健師",
    hand_over_to=["shakyo"],
    end_condition="月に一度、本人と話せるようになったとき。",
    allocations=[],
    until=None,
)
LONG_PLAN = msgspec.structs.replace(
    MULTI_AGENCY,
    previous="P2026-00001",
    change=LONG_TEXT,
    review=LONG_TEXT,
    changes_made=LONG_TEXT,
    issues=LONG_TEXT,
    goal_long=f"{RARE}の目標。" * 60,
    goal=TYPED,
    policy=LONG_TEXT,
    allocations=[
        PlanAllocation(
            agency=agency,
            in_charge=f"見本{RARE}",
            part="\n".join(["見守りと声かけを、決めた日に行う。"] * (40 if place == 3 else 2)),
            frequency="週2回と、必要なときに随時",
            until=dt.date(2027, 5, 31) if place % 2 else None,
        )
        for place, agency in enumerate(list(MANY_AGENCIES)[:30])
    ],
)
DECIDED = PlanDates(
    meeting_on=dt.date(2026, 12, 9),
    body_name="福生市個別支援会議",
    legal_role_name="重層的支援会議",
    agreed_on=dt.date(2026, 12, 7),
    municipal_on=dt.date(2026, 12, 11),
)

MEETING = Meeting(
    bodies=["layered-support", "support-meeting"],
    held_on=dt.date(2026, 12, 9),
    starts_at="13:30",
    ends_at="15:30",
    method=MeetingMethod.BOTH,
    place="見本会館　2階会議室",
    chair="見本 司",
    note_taker="見本 書子",
    note="オンラインで出る人は、前の日までに知らせてください。",
)
ITEMS = (
    ConvenedItem(
        position=1,
        case_number="C8-00034",
        plan_number="P8-00002",
        body_name="重層的支援会議",
        legal_role_name="重層的支援会議",
        occasion=Occasion.ADOPT,
        attends=("provider", "care", "shakyo"),
    ),
    ConvenedItem(
        position=2,
        case_number="C8-00051",
        body_name="福生市支援会議",
        legal_role_name="支援会議",
        occasion=Occasion.SHARING,
        attends=("provider", "shakyo"),
        law_text=LAW,
    ),
    ConvenedItem(
        position=3,
        body_name="重層的支援会議",
        legal_role_name="重層的支援会議",
        occasion=Occasion.RESOURCE,
        attends=("provider", "care", "shakyo"),
    ),
)
MEMBERS = (
    ConvenedMember(agency="provider", agency_name="福祉総合相談窓口", name="見本 司", title="係長"),
    ConvenedMember(
        agency="care", agency_name="見本介護サービス事業所", name="見本 介子", title="相談員", leaves_for=(2,)
    ),
    ConvenedMember(agency="shakyo", agency_name="福生市社会福祉協議会", name="見本 協", title="主任"),
    ConvenedMember(agency="shakyo", agency_name="福生市社会福祉協議会", name="見本 新", leaves_for=(2,)),
)

MINUTES = Minutes(
    presences=[
        Presence(agency="provider", title="係長", name="見本 司", state=PresenceState.PRESENT),
        Presence(agency="care", title="相談員", name="見本 介子", state=PresenceState.PRESENT),
        Presence(agency="shakyo", name="見本 協", state=PresenceState.LEFT),
    ],
    person_attended=True,
    consent_checked_on=dt.date(2026, 12, 9),
    consent_scope=[ConsentScope.ASSESSMENT, ConsentScope.PLAN],
    discussion="家計の相談の順番を話し合った。見本 一郎さんには、手紙を続ける。",
    decision=Decision.APPROVED_WITH_CHANGES,
    decision_note="家計の相談を、十二月のうちに始める。",
    allocations=[
        PlanAllocation(agency="shakyo", part="家計の見直しの相談。", frequency="月2回"),
        PlanAllocation(agency="care", in_charge="見本 介子", part="訪問介護。", frequency="週2回"),
    ],
    lead_agency="shakyo",
    next_on=dt.date(2027, 3, 10),
    follow_up=True,
    follow_up_method="主担当が月に一度、電話する。",
    community_issue="男性の介護者が集まれる場が少ない。",
    missing_resource="家計の相談に出向ける人。",
    hands_over_to="welfare-liaison",
    local={"district": "見本地区"},
)
SUPPORT_MINUTES = msgspec.structs.replace(
    MINUTES,
    person_attended=False,
    consent_checked_on=None,
    consent_scope=[],
    no_consent_reason="本人に会えておらず、同意を求める機会がまだない。",
    information_sources="見守りの中で気づいたこと（福生市社会福祉協議会）。",
    decision=Decision.CONFIRMED,
    watch="新聞がたまっていないかを、週に一度見る。",
    support_policy="手紙を続け、返事を待つ。",
    emergency="姿が三日見えないときは、窓口に電話する。",
    consent_outlook="春までに、一度会えることを目ざす。",
    papers_returned=True,
    allocations=[],
)
MINIMAL_MINUTES = Minutes(presences=MINUTES.presences[:1], decision=Decision.ENDED, lead_agency="shakyo")
_LONG: dict[str, Any] = {
    "presences": [
        Presence(
            agency=agency,
            title="主任相談支援専門員",
            name=f"見本{RARE}{place}",
            state=list(PresenceState)[place % 3],
        )
        for place, agency in enumerate(MANY_AGENCIES)
    ],
    "discussion": LONG_TEXT * 4 + TYPED,
    "decision_note": LONG_TEXT,
    "allocations": LONG_PLAN.allocations,
    "follow_up_method": LONG_TEXT,
    "community_issue": LONG_TEXT,
    "missing_resource": LONG_TEXT,
}
LONG_MINUTES = msgspec.structs.replace(MINUTES, **_LONG)
LONG_SUPPORT_MINUTES = msgspec.structs.replace(
    SUPPORT_MINUTES, **_LONG, information_sources=LONG_TEXT, watch=LONG_TEXT, emergency=LONG_TEXT
)

REQUEST = InformationRequest(
    agency="clinic",
    wanted="退院の見込みと、家で要る介助。",
    purpose="退院の後の支援を、見本 一郎さんの暮らしとあわせて考えるため。",
    law="provision",
    due_on=dt.date(2026, 12, 4),
    note="書面でも電話（042-000-0201）でもかまいません。",
)
LONG_REQUEST = msgspec.structs.replace(REQUEST, wanted=LONG_TEXT + TYPED, purpose=LONG_TEXT, note=LONG_TEXT)

CONTACT = Contact(
    at=dt.date(2026, 11, 24),
    time="14:30から1時間",
    method=ContactMethod.VISIT,
    counterpart="長男（ドア越し）",
    content="見本 一郎さんから返事はなかったが、足音がした。\n手紙を置いて帰った。",
    outreach_actions=[OutreachAction.LETTER_LEFT, OutreachAction.JOINT_VISIT],
    judgement="こちらの声は聞いている。",
    next_action="来月も同じ曜日に、見本町1-2-3を訪ねる。",
    recorder="見本 訪子",
)
PLAIN_CONTACT = Contact(
    at=dt.date(2026, 11, 27),
    method=ContactMethod.PHONE,
    counterpart="本人",
    content="電話があり、次の訪問の日を決めた。",
    recorder="見本 訪子",
)
LOG = ContactLogIssue(since=dt.date(2026, 11, 1), until=dt.date(2026, 11, 30), note="本人からの求めによる。")


def proposed(form: Plan = MULTI_AGENCY, **changes: Any) -> PlanProposed:
    """The event of a plan that is put before a meeting."""
    values = {
        "plan_number": "P8-00002",
        "state": "proposed",
        "state_name": "会議に付議",
        "agency_names": ALL_AGENCIES,
        "local_labels": LABELS,
    }
    return PlanProposed(**recorded(form=form, **{**values, **changes}))


def decided(form: Plan = MULTI_AGENCY, **changes: Any) -> PlanDecided:
    """The event of a plan that was adopted."""
    values = {
        "plan_number": "P8-00002",
        "state": "adopted",
        "state_name": "策定",
        "decided": DECIDED,
        "agency_names": ALL_AGENCIES,
        "local_labels": LABELS,
    }
    return PlanDecided(**recorded(form=form, **{**values, **changes}))


def convened(form: Meeting = MEETING, **changes: Any) -> MeetingConvened:
    """The event of a joint sitting of two bodies."""
    values = {
        "number": "M8-00003",
        "case_number": "",
        "persons": (),
        "person_names": {},
        "bodies": ("重層的支援会議", "福生市支援会議"),
        "convener_name": "福生市長",
        "organizer_name": "福祉総合相談窓口",
        "items": ITEMS,
        "members": MEMBERS,
        "reply_by": dt.date(2026, 12, 2),
    }
    return MeetingConvened(**recorded(form=form, **{**values, **changes}))


def long_sitting() -> MeetingConvened:
    """The event of a sitting with thirty items and sixty people."""
    items = tuple(
        ConvenedItem(
            position=place,
            case_number=f"C8-{place:05}",
            plan_number=f"P8-{place:05}",
            body_name="福生市支援会議" if place % 3 == 0 else "重層的支援会議（個別支援会議）",
            legal_role_name="支援会議" if place % 3 == 0 else "重層的支援会議",
            occasion=list(Occasion)[place % 4],
            attends=tuple(MANY_AGENCIES) if place % 4 else tuple(MANY_AGENCIES)[1:],
            law_text=LAW if place % 3 == 0 else "",
            minimal=place == 7,
        )
        for place in range(1, 31)
    )
    members = tuple(
        ConvenedMember(
            agency=agency,
            agency_name=name,
            name=f"見本{RARE}",
            title="主任相談支援専門員",
            leaves_for=tuple(range(4, 31, 4)) if place == 0 else (),
        )
        for place, (agency, name) in enumerate(MANY_AGENCIES.items())
    )
    form = msgspec.structs.replace(MEETING, note=LONG_TEXT[:950])
    return convened(form, items=items, members=members, agency_names=ALL_AGENCIES)


def minuted(form: Minutes = MINUTES, **changes: Any) -> MeetingRecorded:
    """The event of minutes of an item of a 重層的支援会議."""
    values = {
        "meeting": MEETING,
        "meeting_number": "M8-00003",
        "body_name": "福生市個別支援会議",
        "legal_role": LegalRole.LAYERED_SUPPORT_MEETING,
        "legal_role_name": "重層的支援会議",
        "position": 1,
        "occasion": Occasion.ADOPT,
        "plan_number": "P8-00002",
        "plan_kind": PlanKind.MULTI_AGENCY,
        "convener_name": "福祉総合相談窓口",
        "round_of_year": 9,
        "hands_over_to_name": "福祉連携会議",
        "closed_at": RECEIVED_AT,
        "agency_names": ALL_AGENCIES,
        "local_labels": LABELS,
    }
    return MeetingRecorded(**recorded(form=form, **{**values, **changes}))


def minuted_in_support_meeting(form: Minutes = SUPPORT_MINUTES, **changes: Any) -> MeetingRecorded:
    """The event of minutes of an item of a 支援会議."""
    values = {
        "body_name": "福生市支援会議",
        "legal_role": LegalRole.SUPPORT_MEETING,
        "legal_role_name": "支援会議",
        "occasion": Occasion.SHARING,
        "plan_number": "P8-00001",
        "plan_kind": PlanKind.OUTREACH,
        "convener_name": "福生市",
        "law_text": LAW,
        "support_meeting_only": True,
    }
    return minuted(form, **{**values, **changes})


def minuted_minimal() -> MeetingRecorded:
    """The event of minutes of an item that was heard by numbers and a reason alone."""
    return minuted(MINIMAL_MINUTES, occasion=Occasion.END, minimal_reason=MinimalReason.WITHDRAWN)


def requested(form: InformationRequest = REQUEST, **changes: Any) -> InformationRequested:
    """The event of a request for information."""
    values = {"law_text": "見本法第2条（情報の提供）", "meeting_on": dt.date(2026, 12, 9)}
    return InformationRequested(**recorded(form=form, **{**values, **changes}))


def logged(*contacts: Contact, **changes: Any) -> ContactLogIssued:
    """The event of an issued contact log."""
    by = Staff(user="homon", name="見本 訪子", agency="shakyo", agency_name="福生市社会福祉協議会")
    entries = tuple(LoggedContact(form=contact, at=RECEIVED_AT, by=by) for contact in contacts)
    return ContactLogIssued(**recorded(form=LOG, entries=entries, **changes))


def usual_log() -> ContactLogIssued:
    """The event of a log with two contacts."""
    return logged(CONTACT, PLAIN_CONTACT)


def long_log() -> ContactLogIssued:
    """The event of a log with forty contacts, one of them as long as the form allows."""
    long = msgspec.structs.replace(CONTACT, content=(LONG_TEXT * 3)[:4000], judgement=LONG_TEXT[:2000])
    return logged(*(long if place == 4 else (CONTACT, PLAIN_CONTACT)[place % 2] for place in range(40)))
