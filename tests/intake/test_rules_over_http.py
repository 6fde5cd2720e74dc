"""Every rule of docs/rules.md over HTTP: what it forbids is refused and leaves nothing, what satisfies it is let through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.servers import ObjectStore
from tests.architecture.rules_page import PAGE, REPOSITORY
from tests.conftest import MovableClock
from tests.data.case_work import send
from tests.data.intake import running_intake
from tests.documents import running_service as documents
from tests.intake import walks_of_meetings, walks_of_office, walks_of_resources, walks_of_sight
from tests.intake.disposing import AFTERWARDS, Archive, noon
from tests.intake.rule_walks import Ledger, RuleOnPage, Town, TownTrail, Trail, read_page, walks_in
from tsunagi_documents.tables import documents as documents_table
from tsunagi_intake.tables import metadata
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import WatermarkPassed

_PAGE = read_page(PAGE.read_text(encoding="utf-8"))
_MODULES = (walks_of_meetings, walks_of_office, walks_of_resources, walks_of_sight)
_WALKS = {rule: walk for module in _MODULES for rule, walk in walks_in(module).items()}

# Codes that no request brings about, the reason, and the test that holds them
_NOT_REACHED = {
    "gate-one-role": (
        "An item has one field for its legal role: none and two are mistakes in the form (422), which the walk shows.",
        "tests/intake/test_rules.py::test_rule_gate_one_role",
    ),
    "gate-minimal-content": (
        "What a minimal item shows is fixed by the service; papers and notes on one are mistakes in the form (422).",
        "tests/intake/test_rules.py::test_rule_gate_minimal_item",
    ),
    "provisional-not-confirmed": (
        "Under another role than 支援会議 an item needs consent first, and with it outreach needs no confirmation.",
        "tests/intake/test_lifecycle.py::test_rule_plan_provisional",
    ),
}


async def _second_person(folder: Path, movable_clock: MovableClock) -> Trail:
    """A list of what is to be disposed of is approved by another person than who made it: five years after the case."""
    async with running_intake(folder) as intake:
        trail = Trail(Ledger(intake.runtime, metadata), _PAGE.words)
        archive = Archive(intake, movable_clock)
        await archive.closed_case()
        movable_clock.to(noon(AFTERWARDS))
        path = f"/disposals/{await archive.proposed('shokan')}/approval"
        await trail.refused(send(archive.now("shokan"), path), "second-person-needed")
        await trail.granted(send(archive.now("kacho"), path))
        return trail


async def _stale_is_closed(folder: Path, movable_clock: MovableClock) -> Trail:
    """A paper that is read by consent closes while it is not known whether the consent still holds."""
    store = ObjectStore(folder / "store")
    await store.start()
    try:
        async with documents.running_service(folder, store) as service:
            trail = Trail(Ledger(service.runtime, documents_table.metadata), _PAGE.words)
            identity = (await service.stored(documents.referral()))["referral_sheet", "summary"]
            movable_clock.forward(25 * 3600)
            reader = service.sign_in("kaigo", documents.DESTINATION)
            path = f"/documents/{identity}/versions/1/docx"
            await trail.refused(service.client.get(path, headers=reader), "consent-unknown", 503)
            reason = {"reason": "今夜の訪問に必要なため"}
            await trail.granted(service.client.get(path, params=reason, headers=reader))
            await trail.refused(service.client.get(path, headers=reader), "consent-unknown", 503)
            await service.receive(WatermarkPassed(at=clock.now()))
            await trail.granted(service.client.get(path, headers=reader))
            return trail
    finally:
        await store.stop()


# Walks that need another time, or another service
_APART: dict[str, Callable[[Path, MovableClock], Awaitable[Trail]]] = {
    "may-second-person": _second_person,
    "stale-is-closed": _stale_is_closed,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One service for all walks that can share it."""
    async with running_intake(tmp_path_factory.mktemp("town")) as intake:
        yield Town(intake)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("rule", [rule for rule in _PAGE.rules if rule.id not in _APART], ids=lambda rule: rule.id)
async def test_each_rule_is_refused_and_satisfied(town: Town, rule: RuleOnPage) -> None:
    """With each of its codes, worded as on the page, on record and without a trace; then what it asks for is done."""
    assert rule.id in _WALKS, f"no walk for rule {rule.id}"
    trail = TownTrail(town, Ledger(town.runtime, metadata), _PAGE.words)
    await _WALKS[rule.id](trail)
    trail.settle(rule, set(_NOT_REACHED))


@pytest.mark.parametrize("rule", [rule for rule in _PAGE.rules if rule.id in _APART], ids=lambda rule: rule.id)
async def test_each_rule_with_a_service_of_its_own(
    tmp_path: Path, movable_clock: MovableClock, rule: RuleOnPage
) -> None:
    """The same of rules that hold at another time, or in documents."""
    trail = await _APART[rule.id](tmp_path, movable_clock)
    trail.settle(rule, set())


def test_every_walk_has_its_rule() -> None:
    """No walk is of a rule that the page does not have, none is there twice, and both tables of the page agree on the codes."""
    walked = [rule for module in _MODULES for rule in walks_in(module)] + list(_APART)
    assert sorted(walked) == sorted(rule.id for rule in _PAGE.rules)
    assert {code: rule.id for rule in _PAGE.rules for code in rule.codes} == {
        code: words.rule for code, words in _PAGE.words.items()
    }


def test_what_is_not_reached_is_held_elsewhere() -> None:
    """Each code that no request brings about is on the page, and the test that holds it is there."""
    assert _NOT_REACHED.keys() <= _PAGE.words.keys()
    for reason, place in _NOT_REACHED.values():
        path, _, name = place.partition("::")
        assert reason
        assert f"def {name}(" in (REPOSITORY / path).read_text(encoding="utf-8")
