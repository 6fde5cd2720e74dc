"""What state a case is in, and which steps a plan takes (rules `case-state`, `case-open`, `plan-step`, `plan-one-open`).

A case's state is derived from what is on record and kept only for lists. Pure functions over plain data.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_intake.rulebook import REFUSALS, Broken
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.plan import PlanKind


class CaseState(CodeList):
    """Where a case stands."""

    RECEIVED = "received", "受付"
    SCREENED = "screened", "スクリーニング済み"
    ADVISED = "advised", "情報提供で終了"
    HANDED_OVER = "handed_over", "他機関へつないで終了"
    OUTREACH = "outreach", "アウトリーチ（同意前）"
    OUTREACH_ENDED = "outreach_ended", "アウトリーチ終了"
    ACCEPTED = "accepted", "受理"
    ASSESSED = "assessed", "アセスメント済み"
    SUPPORTED = "supported", "支援中"
    FOLLOWED_UP = "followed_up", "フォローアップ"
    CLOSED = "closed", "終了"
    RETURNED = "returned", "包括的相談支援へ戻した"
    WITHDRAWN = "withdrawn", "取下げ"

    @property
    def ended(self) -> bool:
        """Whether nothing follows: a new referral opens a new case."""
        return self in _ENDED


_ENDED = frozenset(
    {
        CaseState.ADVISED,
        CaseState.HANDED_OVER,
        CaseState.OUTREACH_ENDED,
        CaseState.CLOSED,
        CaseState.RETURNED,
        CaseState.WITHDRAWN,
    }
)


class PlanState(CodeList):
    """Where a plan stands. `provisional`: an outreach plan that a 支援会議 confirmed before there is consent."""

    DRAFT = "draft", "作成中"
    PROPOSED = "proposed", "付議"
    PROVISIONAL = "provisional", "支援会議で確認（同意前）"
    ADOPTED = "adopted", "策定"
    SUSPENDED = "suspended", "中断"
    ENDED = "ended", "終結"
    DROPPED = "dropped", "取りやめ"
    SUPERSEDED = "superseded", "再プランに替わった"

    @property
    def open(self) -> bool:
        """Whether something may still come of it."""
        return self not in _PLAN_OVER


_PLAN_OVER = frozenset({PlanState.ENDED, PlanState.DROPPED, PlanState.SUPERSEDED})
_EVER_ADOPTED = frozenset({PlanState.ADOPTED, PlanState.SUSPENDED, PlanState.ENDED, PlanState.SUPERSEDED})
_IN_FORCE = frozenset({PlanState.ADOPTED, PlanState.SUSPENDED})


class CaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the state of a case is derived from.

    `replied`: the provider's answer, accepted | returned | empty; `screening`: the newest screening code or empty (a 中断
    after another result leaves that one standing); `intake`: there is an intake sheet; `assessed`: there is an assessment;
    `consented`: the subject ever gave a consent; `outreach`: an outreach plan was ever confirmed before there was consent;
    `lead`: the agency in charge; `ended_code`: why it was closed (a ClosureReason, or `closed`), empty while it was not.
    """

    all_withdrawn: bool = False
    replied: str = ""
    screening: str = ""
    intake: bool = False
    assessed: bool = False
    consented: bool = False
    outreach: bool = False
    plans: tuple[PlanState, ...] = ()
    lead: str = ""
    ended_code: str = ""


def case_state(facts: CaseFacts) -> CaseState:
    """The state that follows from what is on record."""
    if facts.all_withdrawn:
        return CaseState.WITHDRAWN
    if facts.ended_code:
        return _ending(facts)
    if any(plan in _EVER_ADOPTED for plan in facts.plans):
        over = not any(plan.open for plan in facts.plans)
        return CaseState.FOLLOWED_UP if over and facts.lead else CaseState.SUPPORTED
    if facts.replied == "returned":
        return CaseState.RETURNED
    if facts.screening in ("advised", "handed_over"):
        return CaseState.ADVISED if facts.screening == "advised" else CaseState.HANDED_OVER
    if facts.screening in ("continued", "consent_pending"):
        if not facts.consented:
            return CaseState.OUTREACH
        return CaseState.ASSESSED if facts.assessed else CaseState.ACCEPTED
    if facts.outreach or PlanState.PROVISIONAL in facts.plans:
        return CaseState.OUTREACH
    if facts.screening or facts.intake or facts.assessed or facts.plans or facts.replied == "accepted":
        return CaseState.SCREENED
    return CaseState.RECEIVED


def _ending(facts: CaseFacts) -> CaseState:
    """A closure ends as what it says while no plan was ever adopted; after that the case is closed, whatever it says."""
    if any(plan in _EVER_ADOPTED for plan in facts.plans):
        return CaseState.CLOSED
    return next((state for state in _ENDED if state.value == facts.ended_code), CaseState.CLOSED)


class Action(CodeList):
    """What people do to a case and its records."""

    READ = "read", "閲覧"
    REPLY = "reply", "つなぎ回答"
    WITHDRAW_REFERRAL = "withdraw_referral", "取下げ"
    RECALL_REFERRAL = "recall_referral", "誤送付の取消し"
    CORRECT = "correct", "訂正"
    GIVE_CONSENT = "give_consent", "同意の記録"
    WITHDRAW_CONSENT = "withdraw_consent", "同意の撤回"
    EXTEND_CONSENT = "extend_consent", "同意の追加・延長"
    ASSESS = "assess", "アセスメント"
    LOG_CONTACT = "log_contact", "支援経過の記録"
    EVALUATE = "evaluate", "評価"
    PLEDGE = "pledge", "守秘義務の誓約"
    PROPOSE_PLAN = "propose_plan", "プランの作成・付議"
    AGREE_PLAN = "agree_plan", "プランへの本人の合意の記録"
    DECIDE_PLAN = "decide_plan", "支援決定"
    STEP_PLAN = "step_plan", "プランの状態の変更"
    ANSWER_SUPPORT = "answer_support", "支援依頼への回答"
    PROTECT = "protect", "住所等の秘匿"
    LIFT_PROTECTION = "lift_protection", "住所等の秘匿の解除"
    ALLOCATE = "allocate", "役割分担"
    SET_LEAD = "set_lead", "主担当の決定"
    CLOSE_CASE = "close_case", "ケースの終了"
    JOIN_CASES = "join_cases", "ケースの統合"
    RECORD_GROUND = "record_ground", "同意以外の根拠の記録"
    REVIEW_GROUND = "review_ground", "同意以外の根拠の確認"
    PUT_ON_AGENDA = "put_on_agenda", "会議への付議"
    REQUEST_INFORMATION = "request_information", "情報提供依頼"
    ANSWER_INFORMATION = "answer_information", "情報提供依頼への回答"
    ISSUE_CONTACT_LOG = "issue_contact_log", "支援経過記録の発行"
    END_GROUND = "end_ground", "同意以外の根拠の終わり"
    PROPOSE_DISPOSAL = "propose_disposal", "廃棄の案"
    APPROVE_DISPOSAL = "approve_disposal", "廃棄の承認"
    HOLD = "hold", "廃棄の停止"
    DISCLOSE = "disclose", "開示"


# An ended or joined case is read, and what protects people goes on; nothing else is added to it.
AFTER_THE_END = frozenset(
    {
        Action.READ,
        Action.RECALL_REFERRAL,
        Action.WITHDRAW_CONSENT,
        Action.PROTECT,
        Action.LIFT_PROTECTION,
        Action.REVIEW_GROUND,
        Action.END_GROUND,
        Action.PROPOSE_DISPOSAL,
        Action.APPROVE_DISPOSAL,
        Action.HOLD,
        Action.DISCLOSE,
    }
)
_BEFORE_SUPPORT = frozenset({CaseState.RECEIVED, CaseState.SCREENED})


def case_step(state: CaseState, action: Action) -> Broken | None:
    """What stands against the action in that state of the case; None: nothing."""
    if state.ended:
        return None if action in AFTER_THE_END else REFUSALS["case-ended"]
    if action is Action.EVALUATE and state in _BEFORE_SUPPORT:
        return REFUSALS["nothing-to-evaluate"]
    if action is Action.CLOSE_CASE and state is CaseState.SUPPORTED:
        return REFUSALS["meeting-decision-required"]
    return None


class DecisionPurpose(CodeList):
    """What a meeting decides about a plan."""

    ADOPT = "adopt", "策定"
    REPLAN = "replan", "再プラン"
    END = "end", "終結"
    SUSPEND = "suspend", "中断"


class DecisionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of a decision about a plan. `heard_under`: the legal role of the item in whose minutes it stands.

    `purpose`: what those minutes decided, None while they decided nothing of the kind. The three dates: `decided_on` (the
    meeting), `agreed_on` (the person), `municipal_on` (支援決定, where the municipality requires one).
    """

    purpose: DecisionPurpose | None = None
    heard_under: LegalRole | None = None
    decided_on: dt.date | None = None
    agreed_on: dt.date | None = None
    municipal_on: dt.date | None = None
    municipal_required: bool = True


_TAKES_AGREEMENT = frozenset({DecisionPurpose.ADOPT, DecisionPurpose.REPLAN})


def decision_gate(wanted: DecisionPurpose, facts: DecisionFacts, day: dt.date) -> Broken | None:
    """What stands against 策定, 再プラン, 終結 or 中断 taking effect on that day; None: nothing."""
    if (
        facts.purpose is not wanted
        or facts.heard_under is not LegalRole.LAYERED_SUPPORT_MEETING
        or facts.decided_on is None
        or facts.decided_on > day
    ):
        return REFUSALS["meeting-decision-required"]
    if wanted in _TAKES_AGREEMENT:
        if facts.agreed_on is None or facts.agreed_on > day:
            return REFUSALS["person-agreement-required"]
        if facts.municipal_required and (facts.municipal_on is None or facts.municipal_on > day):
            return REFUSALS["municipal-decision-required"]
    return None


class PlanAction(CodeList):
    """What is done to a plan."""

    PROPOSE = "propose", "付議"
    RETURN_TO_DRAFT = "return_to_draft", "差戻し"
    DROP = "drop", "包括へ戻す"
    CONFIRM = "confirm", "支援会議での確認"
    ADOPT = "adopt", "策定"
    SUSPEND = "suspend", "中断"
    END = "end", "終結"
    SUPERSEDE = "supersede", "再プランへの切替え"


class PlanFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan's step depends on. `consented`: the subject has a live consent; `confirmed_under`: the legal role of the
    item that confirmed it; `replan`: it names a `previous` plan; `successor`: the state of the 再プラン that replaces it."""

    kind: PlanKind
    day: dt.date
    consented: bool
    replan: bool = False
    confirmed_under: LegalRole | None = None
    successor: PlanState | None = None
    decision: DecisionFacts = DecisionFacts()


_STEPS: dict[tuple[PlanState, PlanAction], PlanState] = {
    (PlanState.DRAFT, PlanAction.PROPOSE): PlanState.PROPOSED,
    (PlanState.PROPOSED, PlanAction.RETURN_TO_DRAFT): PlanState.DRAFT,
    (PlanState.PROPOSED, PlanAction.DROP): PlanState.DROPPED,
    (PlanState.PROPOSED, PlanAction.CONFIRM): PlanState.PROVISIONAL,
    (PlanState.PROPOSED, PlanAction.ADOPT): PlanState.ADOPTED,
    (PlanState.PROVISIONAL, PlanAction.ADOPT): PlanState.ADOPTED,
    (PlanState.PROVISIONAL, PlanAction.DROP): PlanState.DROPPED,
    (PlanState.ADOPTED, PlanAction.SUSPEND): PlanState.SUSPENDED,
    (PlanState.ADOPTED, PlanAction.END): PlanState.ENDED,
    (PlanState.ADOPTED, PlanAction.SUPERSEDE): PlanState.SUPERSEDED,
    (PlanState.SUSPENDED, PlanAction.END): PlanState.ENDED,
    (PlanState.SUSPENDED, PlanAction.SUPERSEDE): PlanState.SUPERSEDED,
}
_DECIDES = {PlanAction.SUSPEND: DecisionPurpose.SUSPEND, PlanAction.END: DecisionPurpose.END}


def plan_step(state: PlanState, action: PlanAction, facts: PlanFacts) -> PlanState | Broken:
    """The plan's next state, or what stands against the step."""
    following = _STEPS.get((state, action))
    if following is None:
        return REFUSALS["plan-step"]
    return _step_gate(action, facts) or following


def _step_gate(action: PlanAction, facts: PlanFacts) -> Broken | None:
    if action is PlanAction.CONFIRM:
        if facts.kind is not PlanKind.OUTREACH or facts.consented:
            return REFUSALS["provisional-outreach-only"]
        return None if facts.confirmed_under is LegalRole.SUPPORT_MEETING else REFUSALS["provisional-not-confirmed"]
    if action is PlanAction.ADOPT:
        if not facts.consented:
            return REFUSALS["plan-consent-missing"]
        purpose = DecisionPurpose.REPLAN if facts.replan else DecisionPurpose.ADOPT
        return decision_gate(purpose, facts.decision, facts.day)
    if action is PlanAction.SUPERSEDE:
        return None if facts.successor is PlanState.ADOPTED else REFUSALS["meeting-decision-required"]
    if action in _DECIDES:
        return decision_gate(_DECIDES[action], facts.decision, facts.day)
    return None


class OtherPlan(msgspec.Struct, frozen=True):
    """Another plan of the same case."""

    id: str
    kind: PlanKind
    state: PlanState


def new_plan(kind: PlanKind, previous: str, others: tuple[OtherPlan, ...]) -> Broken | None:
    """What stands against a new plan of that kind, which continues the plan `previous` (empty: none); None: nothing.

    At most one plan of a kind is open. A 再プラン is drawn up beside the one it is to replace, and beside no other.
    """
    known = {plan.id: plan for plan in others}
    if previous and (
        previous not in known or known[previous].kind is not kind or known[previous].state not in _IN_FORCE
    ):
        return REFUSALS["replan-of-nothing"]
    if any(plan.kind is kind and plan.state.open and plan.id != previous for plan in others):
        return REFUSALS["plan-already-open"]
    return None
