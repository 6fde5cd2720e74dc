"""The pages on which resources, follow-ups and 地域課題 are written: who may open them, and with what they start."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from tsunagi_intake import follow_ups, issue_rows, issue_steps, resources, standing, withholding
from tsunagi_intake.community_issues import IssueState, steps_of
from tsunagi_intake.form_places import Place
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.problems import not_found

ABOUT = frozenset({"resource", "follow_up", "issue"})
_STEPS = {"community_issue": "hand_on", "issue_proposal": "propose", "issue_project": "project"}


def opening(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> dict[str, Any]:
    """What the page shows at first, for somebody who may hand the form in there. Refusal otherwise."""
    if kind == "resource":
        return resources.opening(connection, principal, profile, place.resource)
    if kind == "follow_up":
        follow_ups.check(connection, principal, profile, place.follow_up)
        return {"done_on": clock.today().isoformat()}
    if not place.issue:
        if kind != "community_issue":
            raise not_found()
        issue_steps.check_hands(principal, profile)
        return {}
    row = issue_steps.taken_up(connection, principal, profile, place.issue)
    if _STEPS[kind] not in steps_of(IssueState[row.state.upper()], profile, row.to_body):
        raise standing.refusal_of(REFUSALS["issue-step"])
    if kind == "community_issue":
        case = issue_rows.case_of(connection, row.id)
        kept = withholding.of_everybody(connection, case) if case else ()
        return {"kind": row.kind, "text": without(row.text, kept)}
    if kind == "issue_project" and row.project_state:
        # As its office wrote it, as in the list (`community_issues._line`): with what was protected since cut out of it, an
        # office could write one address after the other and would see by the gap which is that of somebody in the case
        return {
            "name": row.project, "lead_agency": row.lead, "starts": row.starts, "until": row.until,
            "state": row.project_state,
        }  # fmt: skip
    return {}


def revision(connection: Connection, profile: Profile, place: Place) -> int | None:
    """What a page of a resource is made on; None where that is nothing."""
    return resources.revision_of(connection, profile, place.resource) if place.resource else None
