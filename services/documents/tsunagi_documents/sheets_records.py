"""What the sheets drawn from the other forms show: reply, consent, pledge, assessment, evaluation."""

from __future__ import annotations

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_heading import heading, subject_name, take_out
from tsunagi_documents.sheets_withholding import ADDRESS, Cut
from tsunagi_documents.sheets_wording import (
    WITHHELD,
    choices,
    day,
    flag,
    found_choices,
    grid,
    labels_here,
    local_rows,
    names_of,
)
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.events import (
    AssessmentSubmitted,
    ConsentGiven,
    EvaluationSubmitted,
    PledgeGiven,
    ReferralAnswered,
)
from tsunagi_shared.forms.answers import ReplyDecision
from tsunagi_shared.forms.assessment import ISSUES, Issue, Screening, Stage
from tsunagi_shared.forms.consent import ConsentMeeting, ConsentScope, Signer
from tsunagi_shared.forms.evaluation import Change, EvaluationOutcome
from tsunagi_shared.forms.pledge import PledgeMethod
from tsunagi_shared.forms.referral import ConsentMethod, ConsentStatus, Urgency

ISSUE_COLUMNS = CHANGE_COLUMNS = 3

# What a consented agency does not need of an assessment: the sources and the particulars behind its summary.
ASSESSMENT_SUMMARY_WITHHOLDS = (
    "route_choices",
    "visitor",
    "household",
    "housing",
    "health",
    "income",
    "work",
    "community",
    "involved",
    "risk",
    "handed_over_to",
)


def assessment_context(event: AssessmentSubmitted, cut: Cut, support_meeting_only: bool) -> Context:
    """インテーク・アセスメントシート, full or summary."""
    form = event.form
    context: Context = {
        **heading(event, support_meeting_only),
        "subtitle": _assessment_subtitle(cut),
        "stage": form.stage.label,
        "stage_choices": choices(Stage, form.stage),
        "person_name": subject_name(event, cut),
        "received_on": day(form.received_on),
        "route_choices": found_choices(form.route, event.local_labels),
        "visitor": form.visitor,
        "household": form.household,
        "housing": form.housing,
        "health": form.health,
        "income": form.income,
        "work": form.work,
        "community": form.community,
        "involved": form.involved,
        "wishes": form.wishes,
        "strengths": form.strengths,
        **_issues(event, shows_household=not cut.hidden),
        "urgency_choices": choices(Urgency, form.urgency),
        "risk": form.risk,
        "summary": form.summary,
        "direction": form.direction,
        "screening_choices": choices(Screening, form.screening, per_line=3),
        "handed_over_to": names_of(form.handed_over_to, event.agency_names),
        "author": form.author,
        "local": local_rows(form.local, event.local_labels),
    }
    if cut.hidden:  # one text for the whole household: it cannot be cut person by person
        context.update(household=WITHHELD, visitor=WITHHELD)
    if cut.withholds(ADDRESS, event.persons, event.persons):
        context.update(housing=WITHHELD, community=WITHHELD)
    take_out(context, event, cut)
    if cut.summary:
        context.update(dict.fromkeys(ASSESSMENT_SUMMARY_WITHHOLDS, WITHHELD))
        context["local"] = [{"label": row["label"], "value": WITHHELD} for row in context["local"]]
    return context


def _assessment_subtitle(cut: Cut) -> str:
    if cut.summary:
        return "概要版（「（非開示）」の項目は、支援に関わる機関にはお示ししていません）"
    return "重層的支援体制整備事業　多機関協働"


def _issues(event: AssessmentSubmitted, *, shows_household: bool) -> Context:
    """Every issue with a box for the person and one for the household; ◎ the main one, where it is shown."""
    form, labels = event.form, _issue_labels(event)
    cells = []
    for code, label in labels.items():
        person = "☑" if code in form.issues else "☐"
        household = ("☑" if code in form.household_issues else "☐") if shows_household else "－"
        if code == form.main_issue and code in form.issues:
            person = "◎"
        elif code == form.main_issue and shows_household:
            household = "◎"
        cells.append(f"{person} {household} {label}")
    # Where the household's issues may not be shown, neither may it show that the main one is theirs
    main_shown = shows_household or form.main_issue in form.issues
    return {
        "issue_rows": grid(cells, ISSUE_COLUMNS),
        "main_issue": labels.get(form.main_issue, form.main_issue) if main_shown else WITHHELD,
        "household_issues": "、".join(labels.get(code, code) for code in form.household_issues)
        if shows_household
        else WITHHELD,
    }


def _issue_labels(event: AssessmentSubmitted) -> dict[str, str]:
    """The list as the municipality has it."""
    return labels_here(Issue, ISSUES, event.local_labels, (*event.form.issues, *event.form.household_issues))


def reply_context(event: ReferralAnswered, cut: Cut, support_meeting_only: bool) -> Context:
    """つなぎ回答: 受理 or 差戻し."""
    form = event.form
    context: Context = {
        **heading(event, support_meeting_only),
        "referral_number": event.referral_number,
        "addressee": _addressee(event),
        "person_name": subject_name(event, cut),
        "decision_choices": choices(ReplyDecision, form.decision),
        "reason": form.reason,
        "lead_agency": event.agency_names.get(form.lead_agency, form.lead_agency),
        "next_actions": form.next_actions,
        "contact_phone": form.contact_phone,
    }
    take_out(context, event, cut)
    return context


def _addressee(event: ReferralAnswered) -> str:
    """The agency that wrote the referral: the other one on the basis of having written."""
    for entry in event.audience:
        if entry.basis.kind is BasisKind.ORIGIN and entry.agency != event.submitted_by.agency:
            return event.agency_names.get(entry.agency, "つなぎ元機関")
    return "つなぎ元機関"


def consent_context(event: ConsentGiven, cut: Cut, support_meeting_only: bool) -> Context:
    """個人情報共有同意書 of one person, with the agencies of the lists as they were on that day (別紙)."""
    form = event.form
    given = form.status is ConsentStatus.GIVEN
    hidden = cut.hides(form.person, event.persons)
    context: Context = {
        **heading(event, support_meeting_only),
        "person_name": WITHHELD if hidden else event.person_names.get(form.person, ""),
        "given": given,
        "status_choices": choices(ConsentStatus, form.status, per_line=3),
        "signer_choices": choices(Signer, form.signer),
        "by_person": form.signer is Signer.PERSON,
        "signer_name": form.signer_name,
        "signer_relationship": form.signer_relationship,
        "authority": form.authority,
        "explained_by": form.explained_by,
        "explained_on": day(form.explained_on),
        "purpose": form.purpose,
        "scope_choices": choices(ConsentScope, form.scope),
        "agencies": names_of(form.agencies, event.agency_names),
        "list_names": "\n".join(event.list_names or form.lists),
        "shared_with": [event.agency_names.get(agency, agency) for agency in event.shared_with],
        "excluded_agencies": names_of(form.excluded_agencies, event.agency_names),
        "excluded_matters": form.excluded_matters,
        "meeting_choices": choices(ConsentMeeting, form.meetings),
        "until": day(form.until) or ("期限なし" if given else ""),
        "covers_successor": form.covers_successor,
        "successor_choices": flag(form.covers_successor, "共有してよい", "改めて同意を得るまで共有しない"),
        "withdrawal_desks": "　又は　".join(dict.fromkeys((event.submitted_by.agency_name, event.provider_name))),
        "given_on": day(form.given_on),
        "method_choices": choices(ConsentMethod, form.method),
        "oral": form.method is ConsentMethod.ORAL,
        "heard_by": form.heard_by,
        "oral_record": form.oral_record,
        "evidence": form.evidence,
        "note": form.note,
        "local": local_rows(form.local, event.local_labels),
    }
    take_out(context, event, cut)
    return context


def pledge_context(event: PledgeGiven, cut: Cut, support_meeting_only: bool) -> Context:
    """守秘義務誓約書 of a member of a meeting body. It is about staff: there is nobody to hide."""
    form = event.form
    return {
        **heading(event, support_meeting_only),
        "member_agency": event.agency_names.get(form.agency, form.agency),
        "member_title": form.title,
        "member_name": form.name,
        "body_name": event.body_name or form.body,
        "given_on": day(form.given_on),
        "method_choices": choices(PledgeMethod, form.method),
        "law_text": event.law_text,
        "local": local_rows(form.local, event.local_labels),
    }


def evaluation_context(event: EvaluationSubmitted, cut: Cut, support_meeting_only: bool) -> Context:
    """評価シート. The outcome on it is a proposal until a meeting has decided."""
    form = event.form
    changes = [f"{'☑' if change in form.changes else '☐'} {change.label}" for change in Change]
    context: Context = {
        **heading(event, support_meeting_only),
        "person_name": subject_name(event, cut),
        "evaluated_on": day(form.evaluated_on),
        "plan": form.plan,
        "achievement": form.achievement,
        "change_rows": grid(changes, CHANGE_COLUMNS),
        "changes_note": form.changes_note,
        "remaining": form.remaining,
        "wishes": form.wishes,
        "outcome_choices": choices(EvaluationOutcome, form.outcome),
        "reason": form.reason,
        "follow_up_choices": flag(form.follow_up, "必要", "不要"),
        "follow_up_method": form.follow_up_method,
        "lead_agency": event.agency_names.get(form.lead_agency, form.lead_agency),
        "local": local_rows(form.local, event.local_labels),
    }
    take_out(context, event, cut)
    return context
