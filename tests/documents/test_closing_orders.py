"""Whatever order events come in: the same access, and never any without a live basis of what is known."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from deploy.local.servers import REPOSITORY
from tests.documents.intake_model import CASE, DESTINATIONS, IntakeModel, Published
from tsunagi_documents import closing
from tsunagi_documents.announcing import Announcer
from tsunagi_documents.closing import Doors
from tsunagi_documents.handlers import handlers_for
from tsunagi_documents.tables import LIVE, PENDING, STORED, access, documents, tombstones, versions
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind
from tsunagi_shared.contracts.profile import load_profile
from tsunagi_shared.database import Database
from tsunagi_shared.inbox import Handler
from tsunagi_shared.outbox import Outbox, outbox
from tsunagi_shared.service import PLUMBING_MIGRATIONS

PROFILE = REPOSITORY / "deploy" / "profiles" / "fussa"
MIGRATIONS = Path(closing.__file__).parent / "migrations" / "versions"
EXAMPLES = 300
# The same sequences in every run. Nothing is made shorter when one fails: that takes minutes, and few steps are readable.
steady = settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)

agencies = st.sets(st.sampled_from(DESTINATIONS), max_size=2)
person = st.integers(0, 2)
form = st.sampled_from(("referral/r1", "assessment/a1", "consent/c0"))
which = st.integers(0, 2)
give = st.tuples(st.just("give"), person, st.sets(st.sampled_from(DESTINATIONS), min_size=1))
withdraw = st.tuples(st.just("withdraw"), which, agencies)
extend = st.tuples(st.just("extend"), which, agencies)
protect = st.tuples(st.just("protect"), person, st.sampled_from(("address", "phone")), agencies)
seldom = st.one_of(
    st.tuples(st.just("lift")),
    st.tuples(st.just("correct"), form),
    st.tuples(st.just("publish_again"), form),
    st.tuples(st.just("tick")),
    st.tuples(st.just("take_back"), form),
    st.tuples(st.just("erase"), form),
)
histories = st.lists(st.one_of(give, withdraw, extend, protect, seldom), min_size=4, max_size=14)


class _UndoneError(Exception):
    pass


@contextlib.contextmanager
def undone(database: Database) -> Iterator[Connection]:
    """A transaction that is taken back."""
    with contextlib.suppress(_UndoneError), database.connection() as connection:
        yield connection
        raise _UndoneError


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database; each sequence runs in a transaction that is taken back."""
    found = Database(tmp_path_factory.mktemp("orders") / "documents.db")
    found.open(PLUMBING_MIGRATIONS, (MIGRATIONS, "alembic_documents"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def handlers() -> dict[str, Handler]:
    """The handlers of the service, whose announcements stay in the outbox."""
    profile = load_profile(PROFILE)
    doors = Doors(profile, Announcer(Outbox("/132187/documents", profile.version), "http://documents.example"))
    return handlers_for(profile, doors)


def after(actions: list[tuple[Any, ...]]) -> IntakeModel:
    """Intake when people have done this, with all that it published; its last word is a watermark."""
    model = IntakeModel()
    for name, *arguments in actions:
        getattr(model, name)(*arguments)
    model.tick()
    return model


def shuffled(history: list[Published], seed: int) -> list[Published]:
    """Each event once or twice, in any order, a third of all held back to the end."""
    chance = random.Random(seed)
    found = history + chance.sample(history, len(history) // 2)
    chance.shuffle(found)
    held = {id(event) for event in chance.sample(history, len(history) // 3)}
    late = [event for event in history if id(event) in held]
    chance.shuffle(late)
    return [event for event in found if id(event) not in held] + late


def rows(connection: Connection, table: sa.Table) -> list[Any]:
    """The rows of a table in the order of its key."""
    return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))


def store_some(connection: Connection, chance: random.Random) -> None:
    """Some of what is to be drawn is stored meanwhile."""
    for row in rows(connection, documents):
        if row.state == PENDING and chance.random() < 0.5:
            connection.execute(documents.update().where(documents.c.id == row.id).values(state=STORED))
            made = {"template_sha256": "", "data_sha256": "", "made_at": 0, "previous": b"", "chain": b"c"}
            connection.execute(
                sa.dialects.sqlite.insert(versions)
                .values(document_id=row.id, version=row.version, form_revision=row.form_revision, **made)
                .on_conflict_do_nothing()
            )


class Known:
    """What the events delivered so far say, put together here by other means than in the service."""

    def __init__(self, delivered: list[Published]) -> None:
        self.delivered = delivered
        self.erased = {name for data in self._all(events.RecordErased) for name in data.forms}
        self.kept = {data.form: set(data.keep) for data in self._all(events.RecordWithdrawn)}
        protections = sorted(self._all(events.ProtectionChanged), key=lambda data: data.revision)
        self.protection = protections[-1] if protections else None
        self.watermark = max((data.at for data in self._all(events.WatermarkPassed)), default=None)

    def _all(self, kind: type[Any]) -> list[Any]:
        return [event.data for event in self.delivered if isinstance(event.data, kind)]

    def audience(self, name: str) -> tuple[tuple[AudienceEntry, ...], Any]:
        """The newest audience of a form, and when intake last said so."""
        said = []
        for event in self.delivered:
            data: Any = event.data
            if isinstance(data, events.AudienceChanged) and data.form == name:
                said.append((data.audience_revision, data.entries, event.envelope.time))
            elif getattr(data, "audience", None) is not None and form_of(data) == name:
                said.append((data.audience_revision, data.audience, event.envelope.time))
        newest = max(revision for revision, *_ in said)
        entries = [entries for revision, entries, _ in said if revision == newest]
        assert all(found == entries[0] for found in entries)
        return entries[0], max(at for revision, _, at in said if revision == newest)

    def newest_revision(self, name: str) -> int:
        """The highest revision of a form's content."""
        contents: list[Any] = [event.data for event in self.delivered if hasattr(event.data, "audience")]
        return max(int(data.revision) for data in contents if form_of(data) == name)

    def may_open(self, row: Any, document: Any) -> bool:
        """Whether a live row is right."""
        name = document.form
        if name in self.erased or (name in self.kept and row.agency not in self.kept[name]):
            return False
        entries, said_at = self.audience(name)
        hidden, withheld = (tuple(msgspec.json.decode(text)) for text in (document.hidden, document.withheld))
        right = [
            entry
            for entry in entries
            if (entry.agency, entry.basis.kind, entry.basis.ref, entry.view)
            == (row.agency, row.basis_kind, row.basis_ref, row.view)
            and (entry.hidden, entry.withheld) == (hidden, withheld)
        ]
        if not right or document.form_revision != self.newest_revision(name):
            return False
        return not self._ended(right[0], said_at, hidden) and not self._shows_protected(row.agency, withheld)

    def _ended(self, entry: AudienceEntry, said_at: Any, hidden: tuple[str, ...]) -> bool:
        for event in self.delivered:
            data = event.data
            if not isinstance(data, events.ConsentWithdrawn) or event.envelope.time < said_at:
                continue
            if data.agencies and entry.agency not in data.agencies:
                continue
            other = data.person in ("r1.1", "r1.2") and data.person not in hidden
            unsaid = self.watermark is None or event.envelope.time >= self.watermark
            if entry.basis.ref == f"consent/{data.consent_id}" or (
                other and unsaid and entry.basis.kind is BasisKind.CONSENT
            ):
                return True
        return False

    def _shows_protected(self, agency: str, withheld: tuple[str, ...]) -> bool:
        if self.protection is None:
            return False
        return any(
            field not in withheld and agency not in self.protection.cleared.get(field, ())
            for field in self.protection.withheld
        )


def form_of(data: Any) -> str:
    """The name of the form that an event brings."""
    kinds: tuple[tuple[type[Any], str], ...] = (
        (events.ReferralSubmitted, "referral"),
        (events.AssessmentSubmitted, "assessment"),
        (events.ConsentGiven, "consent"),
    )
    kind = next((name for struct, name in kinds if isinstance(data, struct)), "")
    return f"{kind}/{getattr(data, 'referral_id', '') or getattr(data, 'form_id', '')}" if kind else ""


def check(connection: Connection, delivered: list[Published]) -> None:
    """No document of an erased form, and no row that opens what nothing known allows."""
    known = Known(delivered)
    there = {row.id: row for row in rows(connection, documents)}
    assert not {row.form for row in there.values()} & known.erased
    for row in rows(connection, access):
        assert row.state == LIVE
        assert known.may_open(row, there[row.document_id]), (row, there[row.document_id])


def opened(connection: Connection) -> set[tuple[str, str, str]]:
    """(form, agency, basis) of every open door."""
    of_form = {row.id: row.form for row in rows(connection, documents)}
    return {(of_form[row.document_id], row.agency, row.basis_ref) for row in rows(connection, access)}


def wanted(model: IntakeModel) -> set[tuple[str, str, str]]:
    """The same as intake has it."""
    forms = [kept for kept in model.forms.values() if not kept.erased]
    return {(kept.name, entry.agency, entry.basis.ref) for kept in forms for entry in kept.entries}


@settings(steady, max_examples=EXAMPLES)
@given(actions=histories, seed=st.integers(0, 2**32))
def test_any_order_gives_the_same_access_and_never_too_much(
    database: Database, handlers: dict[str, Handler], actions: list[tuple[Any, ...]], seed: int
) -> None:
    """Shuffled, doubled and late, events leave the access rows of the run in order; on the way nothing opens too far."""
    model = after(actions)
    history = model.published
    found = []
    for order in (history, shuffled(history, seed)):
        chance = random.Random(seed)
        with undone(database) as connection:
            for number, event in enumerate(order, 1):
                handlers[event.type](connection, event.envelope, event.data)
                check(connection, order[:number])
                if chance.random() < 0.3:
                    store_some(connection, chance)
            found.append([tuple(row) for row in rows(connection, access)])
            assert opened(connection) == wanted(model), "all that intake wants open is open in the end"
            assert {row.case_number for row in rows(connection, documents)} <= {CASE}
    assert found[0] == found[1]


@settings(steady, max_examples=40)
@given(actions=histories, seed=st.integers(0, 2**32))
def test_hearing_everything_again_changes_nothing_and_tells_nobody(
    database: Database, handlers: dict[str, Handler], actions: list[tuple[Any, ...]], seed: int
) -> None:
    """Once all is known, all of it again in any order leaves every row and sends no event."""
    history = after(actions).published
    with undone(database) as connection:
        for event in history:
            handlers[event.type](connection, event.envelope, event.data)
        store_some(connection, random.Random(seed))
        before = [rows(connection, table) for table in (access, documents, tombstones, outbox)]
        for event in shuffled(history, seed):
            handlers[event.type](connection, event.envelope, event.data)
        assert [rows(connection, table) for table in (access, documents, tombstones, outbox)] == before
