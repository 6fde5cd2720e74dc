"""The main job, start to end, over HTTP: a window clerk hands over a referral, the assigned agency says "received"."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.local.stack import Stack, add_sample_users
from deploy.local.visitor import VisitError, Visitor
from tsunagi_shared import clock

SAMPLE = Path(__file__).with_name("sample_referral.json")
WAIT_SECONDS = 120.0
SAMPLE_MAILS = 5  # of the sample: one to each of two destinations and to the section, two to the provider


class DemoError(VisitError):
    """The demo did not reach its end; the text says where it stopped."""


class Steps:
    """Shows each step as it happens and remembers how long it took."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._last = self._begun
        self.taken: list[dict[str, Any]] = []

    def done(self, name: str, words: str) -> None:
        """Say that a step is done, with its time."""
        now = time.perf_counter()
        self.taken.append({"name": name, "seconds": round(now - self._last, 3)})
        print(f"  {len(self.taken)}. {words}（{now - self._last:.2f}秒）", flush=True)
        self._last = now

    @property
    def total_seconds(self) -> float:
        return round(time.perf_counter() - self._begun, 3)


async def run(folder: Path) -> dict[str, Any]:
    """Bring a fresh stack up, go through the line, save what came of it in `folder`, stop. The summary that is saved."""
    _empty(folder)
    steps = Steps()
    # No resident's data stays behind: the trial's databases go with its folder
    with tempfile.TemporaryDirectory(prefix="tsunagi-demo-") as place:
        stack = Stack(Path(place))
        print("つなぎを動かしています（NATS、SeaweedFS、メール受け、3つのサービス）。", flush=True)
        await stack.start()
        try:
            accounts = stack.accounts()
            passwords = add_sample_users(accounts)
            accounts.close()
            steps.done("start", "すべてのサービスが動きました")
            summary = await _walk(stack, passwords, steps, folder)
        finally:
            await stack.stop()
        steps.done("stop", "すべて止めました")
    summary["steps"] = steps.taken
    summary["total_seconds"] = steps.total_seconds
    await asyncio.to_thread(_save_summary, summary, folder)
    return summary


def _save_summary(summary: dict[str, Any], folder: Path) -> None:
    (folder / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _walk(stack: Stack, passwords: dict[str, str], steps: Steps, folder: Path) -> dict[str, Any]:
    clerk, provider, agency = (Visitor(stack, user, passwords[user]) for user in ("mado", "tsunagu", "kaigo"))
    async with clerk, provider, agency:
        steps.done("sign_in", "窓口・コーディネーター・支援機関の職員がサインインしました")
        form = json.loads(SAMPLE.read_bytes())
        today = clock.today().isoformat()
        form["consulted_on"] = form["consent"]["given_on"] = today
        receipt = (await clerk.post("intake", "/referrals", form, **{"Idempotency-Key": "demo-1"})).made()
        number, case = receipt["referral_number"], receipt["case_number"]
        steps.done("referral", f"共通様式を受け付けました。受付番号 {number}、ケース番号 {case}")
        page = f"/cases/{case}"
        await clerk.until("intake", page, lambda found: _all(found, "word", "stored"))
        steps.done("word", "Wordの文書ができ、保管されました")
        notice = (await agency.until("notify", "/inbox", lambda found: found["items"]))["items"][0]
        await _mails_of(stack, number=SAMPLE_MAILS)
        steps.done("notified", "支援機関にお知らせ（画面とメール）が届きました")
        await clerk.until("intake", page, lambda found: _all(found, "pdf", "stored"))
        steps.done("pdf", "PDFができました")
        documents = await _save_documents(provider, agency, case, folder)
        steps.done("read", "コーディネーターと支援機関が、自分の見てよい文書を開きました")
        (await agency.post("notify", f"/deliveries/{notice['id']}/acknowledgement", {})).made()
        found = await clerk.until("intake", page, _acknowledged)
        steps.done("acknowledged", "支援機関が「受け取りました」と答え、ケースの画面に出ました")
        return {
            "referral_number": number,
            "case_number": case,
            "documents": documents,
            "deliveries": _deliveries(found),
            "mails": _save_mails(stack, folder),
        }


def _all(case: dict[str, Any], part: str, state: str) -> bool:
    return len(case["documents"]) == 3 and all(document[part] == state for document in case["documents"])


def _acknowledged(case: dict[str, Any]) -> bool:
    return any(line["acknowledged_at"] for document in case["documents"] for line in document["receipts"])


async def _mails_of(stack: Stack, number: int) -> None:
    deadline = time.perf_counter() + WAIT_SECONDS
    while len(stack.mail.mails()) < number:
        if time.perf_counter() > deadline:
            raise DemoError("メールが届きませんでした。")
        await asyncio.sleep(0.05)


async def _save_documents(provider: Visitor, agency: Visitor, case: str, folder: Path) -> list[dict[str, Any]]:
    """Each reader's own documents of the case, as files; every download is on record."""
    saved = []
    for reader in (provider, agency):
        for document in (await reader.get("documents", f"/documents?case={case}")).expect(200).json()["items"]:
            files = []
            for extension in ("docx", "pdf"):
                address = f"/documents/{document['id']}/versions/{document['version']}/{extension}"
                content = (await reader.get("documents", address)).expect(200).content
                name = f"{document['kind']}-{document['view']}.{extension}"
                (folder / name).write_bytes(content)
                files.append({"path": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)})
            saved.append({"kind": document["kind"], "view": document["view"], "files": files})
    return saved


def _save_mails(stack: Stack, folder: Path) -> list[dict[str, str]]:
    saved = []
    for path in stack.mail.mails():
        shutil.copyfile(path, folder / path.name)
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        saved.append({"path": path.name, "to": str(message["to"]), "subject": str(message["subject"])})
    return saved


def _deliveries(case: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for document in case["documents"]:
        for line in document["receipts"]:
            for channel, state in line["channels"].items():
                status = "acknowledged" if line["acknowledged_at"] else "opened" if line["opened_at"] else state
                found.append({"kind": document["kind"], "agency": line["agency"], "channel": channel, "status": status})
    return found


def say(summary: dict[str, Any], folder: Path) -> None:
    """The end, in plain words."""
    received = len({(row["kind"], row["agency"]) for row in summary["deliveries"] if row["status"] == "acknowledged"})
    print()
    print(
        f"終わりました（{summary['total_seconds']:.1f}秒）。受付番号 {summary['referral_number']} の1件から、"
        f"文書{len(summary['documents'])}種類、お知らせ{len(summary['deliveries'])}件、"
        f"メール{len(summary['mails'])}通ができ、受領確認は{received}件です。"
    )
    print(f"結果は {folder}/ にあります（Word、PDF、メール、summary.json）。個人はすべて架空の見本です。")
