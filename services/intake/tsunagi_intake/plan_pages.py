"""The page on which a plan is written: which fields a kind of plan asks for, and with what it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import plan_facts, plan_gates, record_reading, standing
from tsunagi_intake.form_places import Place
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Action, Standing
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.fields import Field
from tsunagi_shared.forms.plan import PlanKind, fields_left_out
from tsunagi_shared.problems import not_found

KINDS = {kind.value: kind for kind in PlanKind}
# What a 再プラン does not take over from the plan before it
_ANEW = ("previous", "made_on", "change", "review", "changes_made", "agreed_on", "starts", "until", "monitoring_on")


class _Kind(msgspec.Struct):
    kind: str


def variant_of(form: bytes) -> str:
    """The kind of a plan, out of its stored form."""
    return msgspec.json.decode(form, type=_Kind).kind


def fields_of_variant(fields: Iterable[Field], variant: str) -> tuple[Field, ...]:
    """The fields that a plan of that kind has; its kind is no question any more. All of them for an unknown kind."""
    kind = KINDS.get(variant)
    if kind is None:
        return tuple(fields)
    left_out = fields_left_out(kind)
    return tuple(
        msgspec.structs.replace(field, choices=((kind.value, kind.label),)) if field.name == "kind" else field
        for field in fields
        if field.name not in left_out
    )


def on_variant(own: Standing, principal: Principal, profile: Profile, variant: str) -> Standing:
    """How the caller stands to a new plan of that kind. The common 404 for an unknown kind."""
    kind = KINDS.get(variant)
    if kind is None:
        raise not_found()
    drawn_up = own.is_allocated and plan_facts.draws_up(principal.agency, kind, profile)
    return msgspec.structs.replace(own, draws_up=drawn_up)


def subject(connection: Connection, principal: Principal, profile: Profile, place: Place) -> tuple[PlanRow, Standing]:
    """The plan that a place names, and how the caller stands to it (and to its `row`). The common 404."""
    plan = plan_gates.plan_row(connection, place.plan)
    own = plan_gates.standing_on(connection, principal, profile, plan)
    if own.view is None:
        raise not_found()
    if place.row:
        asked = plan_gates.is_asked(connection, plan, int(place.row) if place.row.isdecimal() else 0, principal.agency)
        own = msgspec.structs.replace(own, is_asked=asked)
    return plan, own


def check_draft(connection: Connection, principal: Principal, profile: Profile, plan_id: str) -> None:
    """Let the page of a draft be opened by who may write it. Refusal."""
    plan = plan_gates.plan_row(connection, plan_id)
    own = plan_gates.standing_on(connection, principal, profile, plan)
    standing.allow(Action.PROPOSE_PLAN, principal, profile, own)
    if plan.state is not PlanState.DRAFT:
        raise standing.refusal_of(REFUSALS["plan-step"])


def started(connection: Connection, principal: Principal, profile: Profile, place: Place) -> dict[str, Any]:
    """With what a new plan starts: its kind and today; a 再プラン (`place.plan`: which it replaces) with what that says."""
    first: dict[str, Any] = {"kind": place.variant or PlanKind.MULTI_AGENCY.value, "made_on": clock.today().isoformat()}
    if not place.plan:
        return first
    before, _ = subject(connection, principal, profile, place)
    shown = record_reading.page_of(connection, principal, profile, "plan", before.id).form or {}
    kept = {name: value for name, value in shown.items() if name not in _ANEW}
    return {**kept, **first, "kind": before.kind.value, "previous": before.number}
