"""The sample person is found where docs/personal-data.md says, and nowhere else. The search starts from that page's table."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from deploy.local.servers import REPOSITORY
from deploy.local.stack import Stack, add_sample_users
from tests.data.case_work import consent_of
from tests.data.forms import sample
from tests.data.plan_work import plan
from tests.faults.line import at_rest, events_of, rows
from tests.journeys.line import Visitor
from tests.journeys.search import SQLITE, SamplePerson, Search, contents_of, files_under, head_of, pdf_text, word_text
from tsunagi_shared import clock
from tsunagi_shared.accounts import Post
from tsunagi_shared.bus import Bus
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED
from tsunagi_shared.contracts.streams import SERVICES

PAGE = REPOSITORY / "docs" / "personal-data.md"
PROOFS = {"rests", "passes", "encrypted", "on request", "headers", "not searched"}
PATIENCE_SECONDS = 60.0
SYSTEM_TEMPORARY = Path("/tmp")
LARGEST_STRANGER_BYTES = 50 * 1024**2
STAFF = ("mado", "tsunagu", "kaigo", "kacho", "kakari")
WORD_FILES, PDF_FILES = "bucket: Word files", "bucket: PDF files"
WORK_FOLDER, BACKUPS = "documents: work folder", {"backup: intake.db", "backup: documents.db"}


def places() -> dict[str, str]:
    """Place and proof of every row of the page's table."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            found[cells[0].strip("`")] = cells[4]
    return found


class HeldUpStack(Stack):
    """The stack with everything logged, and a LibreOffice that may hang."""

    soffice = "soffice"

    def environment_of(self, service: str) -> dict[str, str]:
        """As ever, but for these two."""
        environment = super().environment_of(service) | {"TSUNAGI_LOG_LEVEL": "debug"}
        return environment | ({"TSUNAGI_SOFFICE": self.soffice} if service == "documents" else {})

    def use_soffice(self, program: str) -> None:
        """From the next start of documents on."""
        self.soffice = program
        self.services["documents"] = self._service("documents")


class Trail:
    """The stack of this run, searched again and again; every search must find the person in places of the table only."""

    def __init__(self, stack: HeldUpStack, person: SamplePerson) -> None:
        self.stack = stack
        self.search = Search(person)
        self.table = places()
        self.found: set[str] = set()

    async def look(self) -> set[str]:
        """Where the person is now. AssertionError when one of it is no place of the table."""
        now = await asyncio.to_thread(self._look)
        assert now <= set(self.table), f"the person is where the page does not say: {sorted(now - set(self.table))}"
        self.found |= now
        return now

    def _look(self) -> set[str]:
        files = list(files_under(self.stack.folder))
        databases = [path for path in files if head_of(path) == SQLITE and "backup" not in path.parts]
        found = self.search.in_databases(databases)
        beside = {f"{path}{ending}" for path in databases for ending in ("", "-wal", "-shm")}
        for path in files:
            inside = path.relative_to(self.stack.folder)
            assert not self.search.holds(str(inside).encode()), "the person is in a file's name"
            if str(path) in beside:
                continue
            for content in contents_of(path):
                if self.search.holds(content):
                    found.add(self._place_of(inside))
        return found

    def _place_of(self, inside: Path) -> str:
        if inside.parts[0] == "objects" and inside.suffix == ".dat":
            return WORD_FILES
        if inside.parts[:2] == ("documents", "documents-work"):
            return WORK_FOLDER
        if inside.parts[0] == "backup":
            return f"backup: {inside.name}"
        return f"file {inside}"


async def until(condition: Any) -> None:
    """Wait for it. TimeoutError."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


def test_the_table_can_be_read() -> None:
    """The page has its table, every row names how it is proved, and every database column of it exists."""
    table = places()
    assert len(table) >= 10
    assert set(table.values()) <= PROOFS
    assert "notify" not in " ".join(table), "notify holds nothing of a resident"


@contextlib.asynccontextmanager
async def held_up(folder: Path, person: SamplePerson) -> AsyncIterator[Trail]:
    """A running stack whose LibreOffice hangs."""
    hanging = folder / "hanging-office"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    hanging.chmod(0o700)
    stack = HeldUpStack(folder / "stack")
    stack.use_soffice(str(hanging))
    await stack.start()
    try:
        yield Trail(stack, person)
    finally:
        await stack.stop()


async def test_the_person_is_where_the_page_says_and_nowhere_else(tmp_path: Path) -> None:
    """Through the whole line, held up at every step; then through all that a finished run leaves behind."""
    before = set(os.listdir(SYSTEM_TEMPORARY))
    person = SamplePerson()
    async with held_up(tmp_path, person) as trail:
        accounts = trail.stack.accounts()
        passwords = add_sample_users(accounts)
        passwords["kakari"] = accounts.add_user(
            "kakari", "見本　係", [Post("social-welfare", ("responsible_section",))]
        )
        metrics_key = accounts.add_key("監視", "social-welfare", (), ("metrics",))
        accounts.close()
        people = {name: Visitor(trail.stack, name, passwords[name]) for name in STAFF}
        try:
            await _pass(trail, person, people["mado"])
            await _finish(trail)
            await _work(trail, person, people)
            await _read(trail, people)
            await _ask_health(trail, metrics_key)
            await _look_into_bucket(trail)
            _back_up(trail)
            resting = await trail.look()
            await _erase(trail, people)
        finally:
            for visitor in people.values():
                visitor.client.close()
    for place, proof in trail.table.items():
        if proof in ("rests", "passes", "on request", "encrypted"):
            assert place in trail.found, f"the page names {place}, and nothing was ever found there"
        if proof == "passes":
            assert place not in resting, f"{place} should be empty when the work is done"
        if proof == "rests" and ".db: " in place:
            assert place in resting, f"{place} should hold the person until the case is disposed of"
    for name in SERVICES:  # what was deleted is not in the file either
        raw = (trail.stack.folder_of(name) / f"{name}.db").read_bytes()
        assert not trail.search.holds(raw), f"{name}.db holds the person in a page that was let go"
    assert not trail.search.holds(trail.stack.accounts_file.read_bytes())
    _look_at_leftovers(trail, before, tmp_path)


async def _pass(trail: Trail, person: SamplePerson, clerk: Visitor) -> None:
    """Hand the person in, with each next step held up until it was searched what the step before keeps."""
    stack = trail.stack
    refused = _refusal(clerk, person)
    assert not trail.search.holds(refused), "a refused form's values are not repeated"
    assert await trail.look() == set()
    stack.nats.kill()
    assert clerk.post("intake", "/referrals", person.form).status_code == 201
    waiting = await trail.look()
    assert "intake.db: outbox.payload" in waiting
    stack.store.kill()
    await stack.nats.start()
    await until(
        lambda: not rows(stack, "intake", "SELECT id FROM outbox") and rows(stack, "documents", "SELECT id FROM jobs")
    )
    taken = await trail.look()
    assert "documents.db: jobs.payload" in taken
    assert "intake.db: outbox.payload" not in taken
    for event in await events_of(stack):
        if trail.search.holds(event.payload):
            trail.found.add(f"hub: stream {event.stream.name}")
    await _bury(trail)
    await stack.store.start()
    await until(lambda: rows(stack, "documents", "SELECT key FROM files WHERE format = 'docx'"))
    await until(lambda: any((stack.folder_of("documents") / "documents-work").rglob("*.docx")))
    assert WORK_FOLDER in await trail.look()


def _refusal(clerk: Visitor, person: SamplePerson) -> bytes:
    """What a form with mistakes in every place is answered."""
    wrong = {**person.form, "urgency": person.words[0], person.words[1]: "x"}
    wrong["person"] = {**person.form["person"], "birth_date": person.words[2], "phone": person.words[3]}
    answer = clerk.post("intake", "/referrals", wrong)
    assert answer.status_code == 422
    return answer.content


async def _bury(trail: Trail) -> None:
    """An event of a newer form than documents knows: it must wait among the dead letters, whole."""
    stack = trail.stack
    event = next(event for event in await events_of(stack) if event.subject == REFERRAL_SUBMITTED)
    newer = {**msgspec.json.decode(event.payload), "id": secrets.token_hex(16), "formversion": 999}
    bus = Bus("intake", stack.nats.url, stack.nats.seed_file("intake"))
    bus.start()
    try:
        await until(lambda: bus.connected)
        place = await bus.publish(REFERRAL_SUBMITTED, msgspec.json.encode(newer), newer["id"])
        await until(lambda: rows(stack, "documents", "SELECT id FROM dead_letters"))
        await bus.erase("INTAKE", place)  # intake does not know of it, and could not erase it
    finally:
        await bus.stop()
    assert "documents.db: dead_letters.payload" in await trail.look()
    _command(
        stack,
        "documents",
        "dead-letters",
        "drop",
        str(rows(stack, "documents", "SELECT id FROM dead_letters")[0]["id"]),
    )


def _command(stack: Stack, service: str, *arguments: str) -> None:
    command = [sys.executable, "-m", f"tsunagi_{service}", *arguments]
    done = subprocess.run(
        command, env=stack.environment_of(service), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def _finish(trail: Trail) -> None:
    """Kill documents in the middle of a conversion, give it the real LibreOffice, and let everything run to its end."""
    stack = trail.stack
    stack.services["documents"].kill()
    assert WORK_FOLDER in await trail.look(), "a kill leaves the papers of the conversion behind"
    left = list((stack.folder_of("documents") / "documents-work" / "work").rglob("*.docx"))
    assert left
    stack.use_soffice(shutil.which("soffice") or "soffice")
    await stack.start_service("documents")
    assert not any(path.exists() for path in left), "the next start takes them away"
    await at_rest(stack, PATIENCE_SECONDS * 2)


async def _work(trail: Trail, person: SamplePerson, people: dict[str, Visitor]) -> None:
    """Everything else that staff write of the person: corrections, records, drafts, protection, grounds, reasons."""
    stack, word = trail.stack, person.words[1]
    case = rows(stack, "intake", "SELECT number FROM cases")[0]["number"]
    number = rows(stack, "intake", "SELECT number FROM referrals")[0]["number"]
    subject = rows(stack, "intake", "SELECT id FROM persons WHERE position = 0")[0]["id"]
    everybody = ["disability", "welfare-desk", "social-welfare", "sample-care", "hardship-support"]
    protection = sample("protection", person=subject, fields=["phone"], cleared=everybody, reason=word)
    today = clock.today().isoformat()
    allocation = sample("allocation", part=word, since=today, agency="hardship-support")
    hold = {"on": True, "reason": word}
    for user, path, form in (
        ("mado", f"/referrals/{number}?revision=1", {**person.form, "reason": f"訂正した理由は{person.words[3]}。"}),
        ("tsunagu", f"/cases/{case}/contacts", sample("contact", content=word)),
        ("tsunagu", f"/cases/{case}/consents", consent_of(subject, note=word, given_on=today, explained_on=today)),
        ("mado", f"/drafts?kind=contact&case={case}", {"content": word}),
        ("tsunagu", f"/cases/{case}/protections?revision=1", {**protection, "since": today}),
        ("tsunagu", f"/cases/{case}/allocations?revision=2", allocation),
        ("tsunagu", f"/cases/{case}/grounds", sample("ground", reason=word)),
        ("kacho", f"/cases/{case}/hold", hold),
        ("kacho", f"/cases/{case}/hold", {**hold, "on": False}),
    ):
        answer = people[user].post("intake", path, form)
        assert answer.status_code in (200, 201), (path, answer.text)
        assert not trail.search.holds(answer.content) or answer.headers["cache-control"] == "no-store", path
    for lift in ([], ["--lift"]):
        _command(stack, "documents", "block", "case", case, *lift, "--reason", word)
    _meet(stack, word, people, case)
    _send_back_disposal(stack, word)
    await at_rest(stack, PATIENCE_SECONDS * 3)


def _meet(stack: Stack, word: str, people: dict[str, Visitor], case: str) -> None:
    """A plan, a request for information, a sitting with what it hands on, and one whose minutes are typed and not closed."""
    today = clock.today().isoformat()
    tsunagu, kacho = people["tsunagu"], people["kacho"]

    def sent(path: str, form: Any, visitor: Visitor = tsunagu, key: str = "") -> Any:
        origin = stack.url_of("intake")
        headers = {"Origin": origin} | ({"Idempotency-Key": key} if key else {})
        answer = visitor.client.post(f"{origin}{path}", json=form, headers=headers)
        assert answer.status_code in (200, 201), (path, answer.text)
        return answer.json()

    sent(f"/cases/{case}/plans", plan(issues=word))
    sent(f"/cases/{case}/information-requests", sample("information_request", wanted=word))
    for closes in (True, False):
        meeting = f"/meetings/{sent('/meetings', sample('meeting', bodies=['support-meeting'], held_on=today))['id']}"
        heard = {"body": "support-meeting", "legal_role": "support_meeting", "occasion": "sharing", "case_number": case}
        item = sent(f"{meeting}/items", {**heard, "note": word})["id"]
        who = {"agency": "welfare-desk", "title": "係長", "name": "見本　つなぐ"}
        sent(f"{meeting}/members", {**who, "chosen": True, "told_on": today, "attends": True})
        said = {
            "presences": [{**who, "state": "present"}], "decision": "shared", "discussion": word,
            "no_consent_reason": word, "community_issue": word, "hands_over_to": "layered-support",
        }  # fmt: skip
        sent(f"{meeting}/items/{item}/minutes?revision=0", said, key=item)
        if closes:
            for step in ("convening", "closing"):
                sent(f"{meeting}/{step}?revision={tsunagu.json('intake', meeting)['revision']}", {})
    issue = rows(stack, "intake", "SELECT id FROM community_issues")[0]["id"]
    sent(f"/community-issues/{issue}/reply", {"answer": word})
    assert kacho.json("intake", "/community-issues")["items"][0]["text"] == word


def _send_back_disposal(stack: Stack, word: str) -> None:
    """A 廃棄簿 with the case on it that was sent back: no case is due so early, so the list is put there as it would stand."""
    with contextlib.closing(sqlite3.connect(stack.folder_of("intake") / "intake.db", timeout=30)) as connection:
        connection.execute(
            "INSERT INTO disposals (id, number, made_at, made_by, made_by_name, approved_by, approved_by_name, refused_at,"
            " refused_by_name, reason) VALUES ('early', 'D0-001', 1, 'kacho', '', '', '', 2, '', ?)",
            [word],
        )
        connection.execute(
            "INSERT INTO disposal_items SELECT 'early', seq, '2000-01-01', '', '2000-01-01', 'refused', '' FROM cases"
        )
        connection.commit()


async def _read(trail: Trail, people: dict[str, Visitor]) -> None:
    """Staff look at everything; whatever shows the person may not be kept by a browser."""
    stack = trail.stack
    number = rows(stack, "intake", "SELECT number FROM referrals")[0]["number"]
    case = rows(stack, "intake", "SELECT number FROM cases")[0]["number"]
    paths = [("intake", path) for path in ("/cases", f"/cases/{case}", "/referrals", f"/referrals/{number}")]
    for document in rows(stack, "documents", "SELECT id FROM documents"):
        paths += [
            ("documents", f"/documents/{document['id']}{rest}") for rest in ("", "/versions/1/docx", "/versions/1/pdf")
        ]
    paths += [("documents", "/documents"), ("notify", "/inbox")]
    shown = 0
    for accept in ("text/html", "application/json"):
        for visitor in people.values():
            for service, path in paths:
                answer = visitor.answer(service, path, Accept=accept)
                if trail.search.holds(answer.content):
                    shown += 1
                    assert service != "notify"
                    assert answer.headers["cache-control"] == "no-store", path
                assert not trail.search.holds(str(answer.headers).encode()), path
    assert shown, "somebody was shown the person"
    message = people["kaigo"].json("notify", "/inbox")["items"][0]
    assert people["kaigo"].post("notify", f"/deliveries/{message['id']}/acknowledgement", {}).status_code == 201
    await at_rest(stack, PATIENCE_SECONDS)


async def _ask_health(trail: Trail, metrics_key: str) -> None:
    """Health, metrics and the description say nothing of the person."""
    async with httpx.AsyncClient(trust_env=False, headers={"X-API-Key": metrics_key}) as client:
        for service in SERVICES:
            for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
                answer = await client.get(f"{trail.stack.url_of(service)}{path}")
                assert answer.status_code == 200, path
                assert not trail.search.holds(answer.content), f"{service} {path}"


async def _look_into_bucket(trail: Trail) -> None:
    """Every object's key says nothing; what is inside is the sheets. And nothing but INTAKE's stream names the person."""

    for key, content in await asyncio.to_thread(_objects, trail):
        assert not trail.search.holds(key.encode())
        if trail.search.holds(content):
            trail.found.add(WORD_FILES if key.endswith(".docx") else PDF_FILES)
    for event in await events_of(trail.stack):
        assert event.stream.name == "INTAKE" or not trail.search.holds(event.payload), event.subject


def _back_up(trail: Trail) -> None:
    """A backup that somebody asked for holds what the database holds."""
    for service in SERVICES:
        folder = trail.stack.folder / "backup" / service
        _command(trail.stack, service, "backup", str(folder))
        if trail.search.in_databases([folder / f"{service}.db"]):
            trail.found.add(f"backup: {service}.db")
    assert {place for place in trail.found if place.startswith("backup")} == BACKUPS
    shutil.rmtree(trail.stack.folder / "backup")


async def _erase(trail: Trail, people: dict[str, Visitor]) -> None:
    """The case ends, its time is over, two people of the section dispose of it: nothing is left but tombstones.

    The store keeps the bytes of objects that are gone until it compacts (the page says so); backups are the operator's.
    """
    stack = trail.stack
    number = rows(stack, "intake", "SELECT number FROM cases")[0]["number"]
    revision = people["tsunagu"].json("intake", f"/cases/{number}")["revision"]
    closure = people["tsunagu"].post("intake", f"/cases/{number}/closure?revision={revision}", sample("closure"))
    assert closure.status_code == 201, closure.text
    await at_rest(stack, PATIENCE_SECONDS * 3)
    with contextlib.closing(sqlite3.connect(stack.folder_of("intake") / "intake.db", timeout=30)) as connection:
        connection.execute("UPDATE cases SET completed_on = '2000-01-01'")
        connection.commit()
    made = people["kacho"].post("intake", "/disposals", {})
    assert made.status_code == 201, made.text
    approved = people["kakari"].post("intake", f"/disposals/{made.json()['id']}/approval", {})
    assert approved.status_code == 201, approved.text
    for service, statement in (
        ("intake", "SELECT id FROM jobs"), ("intake", "SELECT id FROM outbox"),
        ("documents", "SELECT id FROM documents WHERE kind <> 'meeting_notice'"),  # of a sitting, which is no case's
        ("documents", "SELECT id FROM jobs WHERE key NOT LIKE '%/later'"),
    ):  # fmt: skip
        await until(lambda service=service, statement=statement: not rows(stack, service, statement))
    assert await trail.look() <= {WORD_FILES}
    assert rows(stack, "intake", "SELECT form FROM tombstones WHERE kind = 'referral'")
    assert rows(stack, "documents", "SELECT id FROM tombstones WHERE kind = 'referral_sheet'")
    for event in await events_of(stack):
        assert not trail.search.holds(event.payload), event.subject
    for key, content in await asyncio.to_thread(_objects, trail):
        assert not any(trail.search.holds(read) for read in (key.encode(), content)), key
    for user, path in (("kacho", f"/cases/{number}"), ("tsunagu", "/cases"), ("kacho", "/disposals")):
        assert not trail.search.holds(people[user].answer("intake", path).content), path


def _objects(trail: Trail) -> list[tuple[str, bytes]]:
    """Key and text of everything in the bucket."""
    client, found = trail.stack.store.client(), []
    for listed in client.list_objects(trail.stack.store.bucket, recursive=True):
        key = listed.object_name
        assert key is not None
        answer = client.get_object(trail.stack.store.bucket, key)
        content = answer.read()
        answer.close()
        answer.release_conn()
        found.append((key, word_text(content) if key.endswith(".docx") else pdf_text(content)))
    return found


def _look_at_leftovers(trail: Trail, before: set[str], own: Path) -> None:
    """Nothing of the person lies in the system's temporary folder beside the stack's own."""
    for name in sorted(set(os.listdir(SYSTEM_TEMPORARY)) - before):
        for path in [SYSTEM_TEMPORARY / name, *files_under(SYSTEM_TEMPORARY / name)]:
            with contextlib.suppress(OSError):
                if path.is_file() and own not in path.parents and path.stat().st_size <= LARGEST_STRANGER_BYTES:
                    assert not trail.search.holds(path.read_bytes()), f"left behind: {path}"
