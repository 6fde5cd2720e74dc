"""`make demo`: what it leaves behind, and that it leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import hashlib
import json
import tempfile
from pathlib import Path

import pypdf
import pytest

from deploy.local import demo

SUMMARY = {"referral_number", "case_number", "documents", "deliveries", "mails", "steps", "total_seconds"}
DOCUMENTS = {("referral_sheet", "full"), ("referral_sheet", "summary"), ("assessment_sheet", "full")}
# (kind, agency): those that are told; the origin, who wrote it, is not
TOLD = {
    ("referral_sheet", "welfare-desk"),
    ("referral_sheet", "social-welfare"),
    ("assessment_sheet", "welfare-desk"),
    ("referral_sheet", "sample-care"),
    ("referral_sheet", "hardship-support"),
}


def processes_that_name(folder: Path) -> list[str]:
    """The processes whose command, environment or working folder lies in a folder."""
    wanted, found = str(folder), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            if wanted in words.decode("utf-8", "replace") or str((process / "cwd").readlink()).startswith(wanted):
                found.append(process.name)
    return found


def personal_words() -> list[str]:
    """Everything of the sample referral that is a resident's and could not stand in a notice by chance."""
    form = json.loads(demo.SAMPLE.read_bytes())
    person = form["person"]
    texts = [person[name] for name in ("name", "kana", "address", "birth_date", "phone", "postal_code")]
    texts += [form[name] for name in ("consultation", "chief_complaint", "reason", "client_name")]
    return [
        *texts,
        *(member["name"] for member in form["household"]),
        "太郎",
        "花子",
        "一郎",
        "ひきこもり",
        "介護の負担",
    ]


def test_the_demo_goes_the_whole_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saves the papers with their hashes, the mails without a word of the person, a summary; no process is left."""
    trial, saved = tmp_path / "trial", tmp_path / "demo"
    trial.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(trial))  # where the trial's data goes; every process names it
    monkeypatch.setenv("HOME", str(trial))
    summary = asyncio.run(demo.run(saved))
    assert processes_that_name(trial) == []
    assert list(trial.iterdir()) == []

    assert json.loads((saved / "summary.json").read_bytes()) == summary
    assert set(summary) >= SUMMARY
    assert {(document["kind"], document["view"]) for document in summary["documents"]} == DOCUMENTS
    for document in summary["documents"]:
        assert sorted(Path(file["path"]).suffix for file in document["files"]) == [".docx", ".pdf"]
        for file in document["files"]:
            content = (saved / file["path"]).read_bytes()
            assert file["bytes"] == len(content) > 0
            assert file["sha256"] == hashlib.sha256(content).hexdigest()
            if file["path"].endswith(".pdf"):
                assert "見本　太郎" in "".join(
                    page.extract_text() for page in pypdf.PdfReader(saved / file["path"]).pages
                )
    rows = {(row["kind"], row["agency"], row["channel"]): row["status"] for row in summary["deliveries"]}
    assert set(rows) == {(*told, channel) for told in TOLD for channel in ("inbox", "email")}
    assert rows["referral_sheet", "sample-care", "inbox"] == "acknowledged"
    assert set(rows.values()) <= {"sent", "opened", "acknowledged"}
    assert sum(step["seconds"] for step in summary["steps"]) <= summary["total_seconds"] + 0.1
    assert all(step["name"] for step in summary["steps"])

    mails = sorted(saved.glob("*.eml"))
    assert [mail.name for mail in mails] == [mail["path"] for mail in summary["mails"]]
    assert len(mails) == len(TOLD)
    for path in mails:
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        text = f"{mail['Subject']}\n{mail.get_content()}"
        assert summary["case_number"] in text
        assert [word for word in personal_words() if word in text] == []
