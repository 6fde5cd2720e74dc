"""Every event of the suite: its type, its data, who publishes it and who reads it.

Fields are only ever added, with defaults; a changed meaning is a new version (`.v2`). Consumers ignore unknown fields.
"""

from __future__ import annotations

import msgspec

from tsunagi_shared.contracts.documents_events import (
    DocumentCreated,
    DocumentFailed,
    DocumentOpened,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
    FileAdded,
    StoredFile,
)
from tsunagi_shared.contracts.intake_events import (
    AssessmentSubmitted,
    AudienceChanged,
    ConsentGiven,
    ConsentWithdrawn,
    ContactLogIssued,
    ConvenedItem,
    ConvenedMember,
    EvaluationSubmitted,
    FormRecorded,
    InformationRequested,
    LoggedContact,
    MeetingConvened,
    MeetingRecorded,
    PlanDates,
    PlanDecided,
    PlanProposed,
    PlanRecorded,
    PledgeGiven,
    ProtectionChanged,
    RecordErased,
    RecordWithdrawn,
    ReferralAnswered,
    ReferralSubmitted,
    ReportIssued,
    Retention,
    Staff,
    WatermarkPassed,
)
from tsunagi_shared.contracts.notify_events import (
    DeliveryFailed,
    DeliverySent,
    DocumentAcknowledged,
    DocumentMisdelivered,
)
from tsunagi_shared.contracts.streams import stream_of

__all__ = [
    "ASSESSMENT_SUBMITTED",
    "AUDIENCE_CHANGED",
    "CONSENT_GIVEN",
    "CONSENT_WITHDRAWN",
    "CONTACT_LOG_ISSUED",
    "DELIVERY_FAILED",
    "DELIVERY_SENT",
    "DOCUMENT_ACKNOWLEDGED",
    "DOCUMENT_CREATED",
    "DOCUMENT_FAILED",
    "DOCUMENT_MISDELIVERED",
    "DOCUMENT_OPENED",
    "DOCUMENT_SHARED",
    "DOCUMENT_SUPERSEDED",
    "DOCUMENT_WITHDRAWN",
    "EVALUATION_SUBMITTED",
    "EVENTS",
    "FILE_ADDED",
    "INFORMATION_REQUESTED",
    "MEETING_CONVENED",
    "MEETING_RECORDED",
    "PLAN_DECIDED",
    "PLAN_PROPOSED",
    "PLEDGE_GIVEN",
    "PROTECTION_CHANGED",
    "RECORD_ERASED",
    "RECORD_WITHDRAWN",
    "REFERRAL_ANSWERED",
    "REFERRAL_SUBMITTED",
    "REPORT_ISSUED",
    "WATERMARK_PASSED",
    "AssessmentSubmitted",
    "AudienceChanged",
    "ConsentGiven",
    "ConsentWithdrawn",
    "ContactLogIssued",
    "ConvenedItem",
    "ConvenedMember",
    "DataType",
    "DeliveryFailed",
    "DeliverySent",
    "DocumentAcknowledged",
    "DocumentCreated",
    "DocumentFailed",
    "DocumentMisdelivered",
    "DocumentOpened",
    "DocumentShared",
    "DocumentSuperseded",
    "DocumentWithdrawn",
    "EvaluationSubmitted",
    "EventType",
    "FileAdded",
    "FormRecorded",
    "InformationRequested",
    "LoggedContact",
    "MeetingConvened",
    "MeetingRecorded",
    "PlanDates",
    "PlanDecided",
    "PlanProposed",
    "PlanRecorded",
    "PledgeGiven",
    "ProtectionChanged",
    "RecordErased",
    "RecordWithdrawn",
    "ReferralAnswered",
    "ReferralSubmitted",
    "ReportIssued",
    "Retention",
    "Staff",
    "StoredFile",
    "WatermarkPassed",
]

DataType = type[msgspec.Struct]


class EventType(msgspec.Struct, frozen=True):
    """One row of the table of events."""

    type: str
    data: DataType
    readers: tuple[str, ...]

    @property
    def publisher(self) -> str:
        return self.type.split(".", 1)[0]

    @property
    def stream(self) -> str:
        return stream_of(self.type).name


REFERRAL_SUBMITTED = "intake.referral.submitted.v1"
REFERRAL_ANSWERED = "intake.referral.answered.v1"
CONSENT_GIVEN = "intake.consent.given.v1"
PLEDGE_GIVEN = "intake.pledge.given.v1"
ASSESSMENT_SUBMITTED = "intake.assessment.submitted.v1"
EVALUATION_SUBMITTED = "intake.evaluation.submitted.v1"
PLAN_PROPOSED = "intake.plan.proposed.v1"
PLAN_DECIDED = "intake.plan.decided.v1"
MEETING_CONVENED = "intake.meeting.convened.v1"
MEETING_RECORDED = "intake.meeting.recorded.v1"
INFORMATION_REQUESTED = "intake.information.requested.v1"
CONTACT_LOG_ISSUED = "intake.contact_log.issued.v1"
REPORT_ISSUED = "intake.report.issued.v1"
AUDIENCE_CHANGED = "intake.audience.changed.v1"
CONSENT_WITHDRAWN = "intake.consent.withdrawn.v1"
PROTECTION_CHANGED = "intake.protection.changed.v1"
RECORD_WITHDRAWN = "intake.record.withdrawn.v1"
RECORD_ERASED = "intake.record.erased.v1"
WATERMARK_PASSED = "intake.watermark.passed.v1"
DOCUMENT_CREATED = "documents.document.created.v1"
DOCUMENT_SHARED = "documents.document.shared.v1"
DOCUMENT_WITHDRAWN = "documents.document.withdrawn.v1"
DOCUMENT_SUPERSEDED = "documents.document.superseded.v1"
FILE_ADDED = "documents.file.added.v1"
DOCUMENT_FAILED = "documents.document.failed.v1"
DOCUMENT_OPENED = "documents.document.opened.v1"
DELIVERY_SENT = "notify.delivery.sent.v1"
DELIVERY_FAILED = "notify.delivery.failed.v1"
DOCUMENT_ACKNOWLEDGED = "notify.document.acknowledged.v1"
DOCUMENT_MISDELIVERED = "notify.document.misdelivered.v1"

EVENTS: dict[str, EventType] = {
    row.type: row
    for row in (
        EventType(REFERRAL_SUBMITTED, ReferralSubmitted, ("documents",)),
        EventType(REFERRAL_ANSWERED, ReferralAnswered, ("documents",)),
        EventType(CONSENT_GIVEN, ConsentGiven, ("documents",)),
        EventType(PLEDGE_GIVEN, PledgeGiven, ("documents",)),
        EventType(ASSESSMENT_SUBMITTED, AssessmentSubmitted, ("documents",)),
        EventType(EVALUATION_SUBMITTED, EvaluationSubmitted, ("documents",)),
        EventType(PLAN_PROPOSED, PlanProposed, ("documents",)),
        EventType(PLAN_DECIDED, PlanDecided, ("documents",)),
        EventType(MEETING_CONVENED, MeetingConvened, ("documents",)),
        EventType(MEETING_RECORDED, MeetingRecorded, ("documents",)),
        EventType(INFORMATION_REQUESTED, InformationRequested, ("documents",)),
        EventType(CONTACT_LOG_ISSUED, ContactLogIssued, ("documents",)),
        EventType(REPORT_ISSUED, ReportIssued, ("documents",)),
        EventType(AUDIENCE_CHANGED, AudienceChanged, ("documents",)),
        EventType(CONSENT_WITHDRAWN, ConsentWithdrawn, ("documents",)),
        EventType(PROTECTION_CHANGED, ProtectionChanged, ("documents",)),
        EventType(RECORD_WITHDRAWN, RecordWithdrawn, ("documents",)),
        EventType(RECORD_ERASED, RecordErased, ("documents",)),
        EventType(WATERMARK_PASSED, WatermarkPassed, ("documents",)),
        EventType(DOCUMENT_CREATED, DocumentCreated, ("intake", "notify")),
        EventType(DOCUMENT_SHARED, DocumentShared, ("intake", "notify")),
        EventType(DOCUMENT_WITHDRAWN, DocumentWithdrawn, ("intake", "notify")),
        EventType(DOCUMENT_SUPERSEDED, DocumentSuperseded, ("intake", "notify")),
        EventType(FILE_ADDED, FileAdded, ("intake",)),
        EventType(DOCUMENT_FAILED, DocumentFailed, ("intake",)),
        EventType(DOCUMENT_OPENED, DocumentOpened, ("intake", "notify")),
        EventType(DELIVERY_SENT, DeliverySent, ("intake",)),
        EventType(DELIVERY_FAILED, DeliveryFailed, ("intake",)),
        EventType(DOCUMENT_ACKNOWLEDGED, DocumentAcknowledged, ("intake",)),
        EventType(DOCUMENT_MISDELIVERED, DocumentMisdelivered, ("intake",)),
    )
}
