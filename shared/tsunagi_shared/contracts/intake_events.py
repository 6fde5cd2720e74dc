"""What the events of intake carry."""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.contracts.report import YearReport
from tsunagi_shared.forms.answers import Reply
from tsunagi_shared.forms.assessment import Assessment
from tsunagi_shared.forms.consent import ConsentForm
from tsunagi_shared.forms.contact import Contact, ContactLogIssue
from tsunagi_shared.forms.evaluation import Evaluation
from tsunagi_shared.forms.information import InformationRequest
from tsunagi_shared.forms.meeting import Meeting, MinimalReason, Occasion
from tsunagi_shared.forms.minutes import Minutes
from tsunagi_shared.forms.plan import Plan, PlanKind
from tsunagi_shared.forms.pledge import Pledge
from tsunagi_shared.forms.referral import Referral


class Retention(msgspec.Struct, frozen=True):
    """How long the record is kept: its class (profile), when the case was completed, and whether a hold stops disposal."""

    retention_class: str
    completed_on: dt.date | None = None
    legal_hold: bool = False


class Staff(msgspec.Struct, frozen=True):
    """A member of staff as the papers name them: user id, name, and the agency they acted for (id and name)."""

    user: str
    name: str
    agency: str
    agency_name: str


class ReferralSubmitted(msgspec.Struct, frozen=True, kw_only=True):
    """A shared referral form was accepted. Carries everything its documents print (one event draws its documents)."""

    referral_id: str
    revision: int
    referral_number: str
    case_number: str
    received_at: dt.datetime
    submitted_by: Staff
    form: Referral
    destination_names: tuple[str, ...]
    audience: tuple[AudienceEntry, ...]
    audience_revision: int = 1
    persons: tuple[str, ...] = ()  # ids of the persons the form shows, line by line, then of those it showed once
    other_ids: dict[str, tuple[str, ...]] = {}  # by person, other ids that they were known by
    former_names: tuple[str, ...] = ()  # names and furigana that stood on the form before corrections
    support_meeting_only: bool = False  # 支援会議限り: no consent, so only members bound by the statutory duty
    summary_to_destinations: bool = True
    withdrawn: str = ""  # withdrawn | misdirected: taken back
    provider: str = ""
    provider_name: str = ""
    municipality_name: str = ""
    consent_agency_names: tuple[str, ...] = ()  # of form.consent.agencies, in their order
    local_labels: dict[str, str] = {}  # what the profile calls the fields of form.local
    retention: Retention


class FormRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """What every form other than the referral carries besides its own fields: all that its documents print."""

    form_id: str
    revision: int  # of the form; a correction is the next one
    number: str  # 文書番号 as printed
    case_number: str  # empty for what belongs to no case
    received_at: dt.datetime
    submitted_by: Staff
    audience: tuple[AudienceEntry, ...]
    audience_revision: int = 1
    persons: tuple[str, ...] = ()  # ids of the persons the form shows or showed once, the subject first
    other_ids: dict[str, tuple[str, ...]] = {}  # by person, other ids that they were known by
    person_names: dict[str, str] = {}  # by id; documents cuts the hidden ones before a template sees them
    former_names: tuple[str, ...] = ()  # names and furigana that stood on the case's referrals before corrections
    agency_names: dict[str, str] = {}  # of every agency the form names, by id
    support_meeting_only: bool = False
    provider: str = ""
    provider_name: str = ""
    municipality_name: str = ""
    local_labels: dict[str, str] = {}
    retention: Retention


class ReferralAnswered(FormRecorded, frozen=True, kw_only=True):
    """The reply to a referral: 受理 or 差戻し."""

    referral_id: str
    referral_number: str
    form: Reply


class ConsentGiven(FormRecorded, frozen=True, kw_only=True):
    """A person's consent to share their data was put on record (or corrected, or extended: the next revision)."""

    form: ConsentForm
    shared_with: tuple[str, ...] = ()  # the agencies as copied on that day, those of lists included
    list_names: tuple[str, ...] = ()  # of the 別紙, each with its date


class AssessmentSubmitted(FormRecorded, frozen=True, kw_only=True):
    """An intake or assessment sheet was submitted."""

    form: Assessment


class EvaluationSubmitted(FormRecorded, frozen=True, kw_only=True):
    """An evaluation sheet was submitted; it decides nothing by itself (rule `decision`)."""

    form: Evaluation


class PledgeGiven(FormRecorded, frozen=True, kw_only=True):
    """A member of a meeting body pledged secrecy."""

    form: Pledge
    body_name: str = ""
    law_text: str = ""


class PlanDates(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of the decision about a plan; the three dates are each None while they are not."""

    meeting_on: dt.date | None = None
    body_name: str = ""
    legal_role_name: str = ""
    agreed_on: dt.date | None = None
    municipal_on: dt.date | None = None


class PlanRecorded(FormRecorded, frozen=True, kw_only=True):
    """What both events of a plan carry. `round`: 1 for 初回, n for 再プラン第n-1回; `state`: its code in the life cycle of
    plans, `state_name` as people read it; `provisional`: an outreach plan confirmed before there is consent."""

    form: Plan
    plan_number: str
    round: int = 1
    state: str
    state_name: str = ""
    previous_number: str = ""
    decided: PlanDates = PlanDates()
    provisional: bool = False


class PlanProposed(PlanRecorded, frozen=True, kw_only=True):
    """A plan was put before a meeting (プラン案)."""


class PlanDecided(PlanRecorded, frozen=True, kw_only=True):
    """A decision about a plan took effect: adopted, confirmed, ended, suspended (プラン 決定)."""


class ConvenedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item as its notice names it: numbers only. `attends`: the agencies that hear it; `law_text`: the duty of secrecy
    that binds them while they do."""

    position: int  # from 1
    case_number: str = ""
    plan_number: str = ""
    body_name: str
    legal_role_name: str
    occasion: Occasion
    attends: tuple[str, ...] = ()
    minimal: bool = False
    law_text: str = ""


class ConvenedMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody called to a sitting. `leaves_for`: positions of the items they leave for."""

    agency: str
    agency_name: str
    name: str
    title: str = ""
    leaves_for: tuple[int, ...] = ()


class MeetingConvened(FormRecorded, frozen=True, kw_only=True):
    """A sitting was convened. Belongs to no case; nobody's data is in it but that of the staff called."""

    form: Meeting
    bodies: tuple[str, ...]  # names, in the order of form.bodies
    convener_name: str = ""
    organizer_name: str = ""
    items: tuple[ConvenedItem, ...] = ()
    members: tuple[ConvenedMember, ...] = ()
    reply_by: dt.date | None = None


class MeetingRecorded(FormRecorded, frozen=True, kw_only=True):
    """The minutes of one item were closed (or corrected: the next revision). `meeting`: the head of its sitting;
    `law_text`: the duty of secrecy of the body; `round_of_year`: 第n回 of the body in the 年度."""

    form: Minutes
    meeting: Meeting
    meeting_number: str = ""
    body_name: str
    legal_role: LegalRole
    legal_role_name: str
    position: int
    occasion: Occasion
    plan_number: str = ""
    plan_kind: PlanKind | None = None
    minimal_reason: MinimalReason | None = None
    law_text: str = ""
    convener_name: str = ""
    round_of_year: int = 0
    hands_over_to_name: str = ""
    closed_at: dt.datetime | None = None


class InformationRequested(FormRecorded, frozen=True, kw_only=True):
    """An agency was asked for information. `law_text`: the article as printed; `meeting_on`: the sitting it is for."""

    form: InformationRequest
    law_text: str = ""
    meeting_on: dt.date | None = None


class LoggedContact(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of a log, when it was put on record and by whom."""

    form: Contact
    at: dt.datetime
    by: Staff


class ContactLogIssued(FormRecorded, frozen=True, kw_only=True):
    """The contacts of a period were issued as a log, in the order of their days."""

    form: ContactLogIssue
    entries: tuple[LoggedContact, ...] = ()


class ReportIssued(FormRecorded, frozen=True, kw_only=True):
    """The figures of a 年度 were issued as 実績報告 (or once more: the next revision). Belongs to no case and names nobody but
    whoever issued it; small counts of agencies and areas are masked."""

    form: YearReport


class AudienceChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The audience of a form as it stands now; it replaces every earlier one. Aggregate `audience/<form>`."""

    form: str  # `referral/<id>`, `assessment/<id>` …
    case_number: str
    audience_revision: int
    entries: tuple[AudienceEntry, ...]
    persons: tuple[str, ...] = ()
    other_ids: dict[str, tuple[str, ...]] = {}  # by person, other ids that they were known by
    support_meeting_only: bool = False
    provider: str = ""


class ConsentWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """A consent no longer holds, for some agencies or for all. It wins over whatever says that it was given."""

    consent_id: str
    case_number: str
    person: str
    agencies: tuple[str, ...] = ()  # empty: all
    withdrawn_on: dt.date
    code: str  # withdrawn | partly_withdrawn | expired | replaced
    at: dt.datetime


class ProtectionChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What must be kept from whom, as it stands now for the whole case. Aggregate `protection/<case number>`."""

    case_number: str
    revision: int
    withheld: tuple[str, ...]  # `<person id>:<field>`
    cleared: dict[str, tuple[str, ...]] = {}  # `<person id>:<field>` → agencies that may see it
    at: dt.datetime


class RecordWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """A form was taken back (取下げ) or had gone to the wrong place (誤送付). Only `keep` may still read what came of it."""

    form: str
    case_number: str
    code: str  # withdrawn | misdirected
    keep: tuple[str, ...]
    at: dt.datetime


class RecordErased(msgspec.Struct, frozen=True, kw_only=True):
    """Forms were erased after their time, or by law: whatever was made of them goes, and a tombstone stays."""

    forms: tuple[str, ...]
    case_number: str
    code: str
    at: dt.datetime


class WatermarkPassed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that intake decided before `at` has been published: consents are known up to then."""

    at: dt.datetime
