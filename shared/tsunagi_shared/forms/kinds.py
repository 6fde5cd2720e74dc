"""Every form there is, by its kind: the word in addresses, tables and events."""

from __future__ import annotations

import msgspec

from tsunagi_shared.contracts.profile_codes import FormKind
from tsunagi_shared.forms.answers import RecordWithdrawal, Reply
from tsunagi_shared.forms.assessment import Assessment
from tsunagi_shared.forms.case_actions import Allocation, Closure, Ground
from tsunagi_shared.forms.community import CommunityIssue, IssueProject, IssueProposal
from tsunagi_shared.forms.consent import ConsentExtension, ConsentForm, ConsentWithdrawal
from tsunagi_shared.forms.contact import Contact, ContactLogIssue
from tsunagi_shared.forms.evaluation import Evaluation
from tsunagi_shared.forms.information import InformationAnswer, InformationRequest
from tsunagi_shared.forms.meeting import AgendaItem, Meeting, MeetingMember
from tsunagi_shared.forms.minutes import Minutes
from tsunagi_shared.forms.plan import MunicipalDecision, Plan, PlanAgreement, SupportAnswer
from tsunagi_shared.forms.pledge import Pledge
from tsunagi_shared.forms.protection import Protection
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.forms.resource import FollowUp, ResourceEntry


class FormDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of form. `number`: what is handed in gets a number of its own; the others go by the case's number.

    `settings`: under which name the profile adds fields to it (where the Struct has `local`) and says how long it is kept.
    """

    kind: str
    title: str
    struct: type[msgspec.Struct]
    number: bool = False
    settings: FormKind


FORMS: dict[str, FormDefinition] = {
    definition.kind: definition
    for definition in (
        FormDefinition(
            kind="referral", title="共通様式（つなぎシート）", struct=Referral, number=True, settings=FormKind.REFERRAL
        ),
        FormDefinition(kind="reply", title="つなぎ回答", struct=Reply, settings=FormKind.REFERRAL),
        FormDefinition(kind="withdrawal", title="取下げ・誤送付", struct=RecordWithdrawal, settings=FormKind.REFERRAL),
        FormDefinition(kind="consent", title="個人情報共有同意書", struct=ConsentForm, settings=FormKind.CONSENT),
        FormDefinition(
            kind="consent_withdrawal", title="同意の撤回", struct=ConsentWithdrawal, settings=FormKind.CONSENT
        ),
        FormDefinition(
            kind="consent_extension", title="同意の追加・延長", struct=ConsentExtension, settings=FormKind.CONSENT
        ),
        FormDefinition(
            kind="assessment", title="インテーク・アセスメントシート", struct=Assessment, settings=FormKind.ASSESSMENT
        ),
        FormDefinition(kind="contact", title="支援経過記録", struct=Contact, settings=FormKind.CONTACT_LOG),
        FormDefinition(kind="evaluation", title="評価シート", struct=Evaluation, settings=FormKind.EVALUATION),
        FormDefinition(kind="pledge", title="守秘義務誓約書", struct=Pledge, settings=FormKind.PLEDGE),
        FormDefinition(kind="protection", title="住所等の秘匿", struct=Protection, settings=FormKind.REFERRAL),
        FormDefinition(kind="allocation", title="役割分担", struct=Allocation, settings=FormKind.PLAN),
        FormDefinition(kind="ground", title="同意以外の根拠による共有", struct=Ground, settings=FormKind.CONSENT),
        FormDefinition(kind="closure", title="ケースの終了", struct=Closure, settings=FormKind.EVALUATION),
        FormDefinition(kind="plan", title="プラン", struct=Plan, number=True, settings=FormKind.PLAN),
        FormDefinition(
            kind="plan_agreement", title="プランへの本人の合意", struct=PlanAgreement, settings=FormKind.PLAN
        ),
        FormDefinition(kind="support_answer", title="支援依頼への回答", struct=SupportAnswer, settings=FormKind.PLAN),
        FormDefinition(kind="municipal_decision", title="支援決定", struct=MunicipalDecision, settings=FormKind.PLAN),
        FormDefinition(kind="meeting", title="会議の開催", struct=Meeting, number=True, settings=FormKind.MEETING),
        FormDefinition(kind="agenda_item", title="議題", struct=AgendaItem, settings=FormKind.MEETING),
        FormDefinition(kind="meeting_member", title="会議の構成員", struct=MeetingMember, settings=FormKind.MEETING),
        FormDefinition(kind="minutes", title="会議録", struct=Minutes, settings=FormKind.MEETING),
        FormDefinition(
            kind="information_request",
            title="情報提供依頼",
            struct=InformationRequest,
            settings=FormKind.INFORMATION_REQUEST,
        ),
        FormDefinition(
            kind="information_answer",
            title="情報提供依頼への回答",
            struct=InformationAnswer,
            settings=FormKind.INFORMATION_REQUEST,
        ),
        FormDefinition(
            kind="contact_log", title="支援経過記録の発行", struct=ContactLogIssue, settings=FormKind.CONTACT_LOG
        ),
        FormDefinition(kind="resource", title="社会資源・参加先", struct=ResourceEntry, settings=FormKind.PLAN),
        FormDefinition(kind="follow_up", title="フォローの記録", struct=FollowUp, settings=FormKind.PLAN),
        FormDefinition(
            kind="community_issue", title="地域課題を伝える", struct=CommunityIssue, settings=FormKind.MEETING
        ),
        FormDefinition(
            kind="issue_proposal", title="地域課題への提案", struct=IssueProposal, settings=FormKind.MEETING
        ),
        FormDefinition(
            kind="issue_project", title="地域課題のプロジェクト", struct=IssueProject, settings=FormKind.MEETING
        ),
    )
}
