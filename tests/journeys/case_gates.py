"""What stands against something that somebody wants to do to a case: the rules on actions, said a second time."""

from __future__ import annotations

import msgspec

from tests.journeys.case_model import TAKEN_BACK, Case, Form, Sight, World

CASE_WORK = {"clerk", "promoter", "coordinator", "chair", "agency_staff", "responsible_section"}
REFERS = {"clerk", "promoter", "coordinator", "agency_staff"}
STEERS = {"coordinator", "responsible_section"}
DECLARES = STEERS | {"chair"}
OVERSEES = {"responsible_section"}
GUARDED = {"forbidden", "not-found"}  # who has nothing to do with cases is turned away at the door


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """A member of staff. `contractor`: who took them on, where the agency is run under contracts."""

    user: str
    agency: str
    roles: frozenset[str]
    contractor: str = ""

    @property
    def reads_cases(self) -> bool:
        """Whether the post has to do with cases at all."""
        return bool(self.roles & CASE_WORK)


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What an action asks for: a role, a part in the case (else `code`), how much is seen, and a case that has not ended."""

    roles: frozenset[str] = frozenset(CASE_WORK)
    parts: tuple[str, ...] = ()
    code: str = ""
    sees: str = "any"
    after_the_end: bool = False


_STEERING = Need(roles=frozenset(STEERS), parts=("provider", "section"), code="not-provider-or-section")
_SECTION = Need(roles=frozenset(OVERSEES), parts=("section",), code="not-section", sees="nothing", after_the_end=True)
_WORK = Need(parts=("provider", "allocated"), code="not-allocated")
NEEDS = {
    "reply": Need(),
    "withdraw_referral": Need(parts=("writer",), code="not-writer"),
    "recall_referral": Need(parts=("writer", "provider", "section"), code="not-writer", after_the_end=True),
    "correct": Need(parts=("writer",), code="not-writer"),
    "give_consent": Need(sees="full"),
    "withdraw_consent": Need(sees="full", after_the_end=True),
    "extend_consent": Need(sees="full"),
    "assess": _WORK,
    "evaluate": _WORK,
    "log_contact": Need(),
    "pledge": Need(sees="nothing", after_the_end=True),
    "protect": Need(sees="full", after_the_end=True),
    "lift_protection": Need(
        roles=frozenset(STEERS), parts=("provider", "section"), code="not-provider-or-section", sees="full", after_the_end=True
    ),
    "allocate": _STEERING,
    "set_lead": _STEERING,
    "close_case": _STEERING,
    "join_cases": _STEERING,
    "record_ground": msgspec.structs.replace(_STEERING, roles=frozenset(DECLARES)),
    "review_ground": _SECTION,
    "end_ground": msgspec.structs.replace(_STEERING, roles=frozenset(DECLARES), after_the_end=True),
    "hold": _SECTION,
}  # fmt: skip


def acts(world: World, staff: Staff) -> bool:
    """Rule 8: whether the person's contractor runs the agency today."""
    return world.runner(staff.agency, world.day) == staff.contractor


def sight_of(world: World, staff: Staff, case: Case | None, form: Form | None = None) -> Sight | None:
    """What the person sees of the form, or of the case by itself."""
    if not staff.reads_cases or not acts(world, staff):
        return None
    if form is not None:
        return world.readers(form).get(staff.agency)
    return world.best_sight(case, staff.agency) if case is not None else None


def reaches(world: World, staff: Staff, case: Case) -> bool:
    """Whether the person sees a form of the case, or of one that was joined to it: its page leads there."""
    return any(sight_of(world, staff, None, form) for form in world.forms_seen_with(case))


def against(world: World, action: str, staff: Staff, case: Case | None, form: Form | None = None) -> set[str]:
    """The codes of all that stands against it; empty: it must go through, unless something in the form is wrong."""
    need = NEEDS[action]
    if not acts(world, staff):
        return {"contract-ended", "forbidden"} if not staff.reads_cases else {"contract-ended"}
    if not staff.reads_cases:
        return GUARDED | {"role-missing"}
    sight = sight_of(world, staff, case, form)
    if sight is None and (need.sees != "nothing" or (case is not None and staff.agency != world.section)):
        return {"not-found"}
    found: set[str] = set()
    if not need.roles & staff.roles:
        found.add("role-missing")
    parts = {
        "provider": staff.agency == world.provider,
        "section": staff.agency == world.section,
        "writer": form is not None and form.agency == staff.agency,
        "allocated": case is not None and world.allocated(case, staff.agency),
    }
    if need.parts and not any(parts[part] for part in need.parts):
        found.add(need.code)
    if need.sees == "full" and sight is not None and not sight.full:
        found.add("full-view-needed")
    if action == "recall_referral" and not parts["writer"] and not staff.roles & STEERS:
        found.add("role-missing")
    if form is not None and form.state in TAKEN_BACK:
        found.add("record-withdrawn")
    if action == "reply" and form is not None and sight is not None:
        found |= _against_reply(staff, form, sight)
    return found | _against_state(need, action, case)


def _against_reply(staff: Staff, form: Form, sight: Sight) -> set[str]:
    """Asked are the provider, the 支援会議 and the agencies the person agreed to; the first two settle it, once."""
    if not sight.bases & {"provider", "consent", "sitting"}:
        return {"not-asked-to-reply"}
    settled = form.state == "returned" or (form.state == "accepted" and "consent" not in sight.bases)
    return {"already-answered"} if settled or staff.agency in form.replied else set()


def _against_state(need: Need, action: str, case: Case | None) -> set[str]:
    if case is None or need.after_the_end:
        return set()
    found = {"case-joined"} if case.joined_into is not None else set()
    if case.ended:
        found.add("case-ended")
    if action == "evaluate" and case.state in ("received", "screened"):
        found.add("nothing-to-evaluate")
    return found
