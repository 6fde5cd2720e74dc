"""Who sees what: of a referral with consent and of one without, every sample user and every address."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pypdf
import pytest

from deploy.local.stack import SAMPLE_USERS
from tests.data.referrals import RARE_NAME, referral, without_consent
from tests.journeys.line import AS_A_BROWSER, Line

USERS = tuple(sample.user for sample in SAMPLE_USERS)
NOBODY_HAS = "00000000-0000-5000-8000-000000000000"
COMPATIBILITY = "\ufa10"  # 塚 as the family register may have it: NFC would turn it into another character
RARE_PERSON = RARE_NAME + COMPATIBILITY
MARK = "支援会議限り"
WITHHELD = "（非開示）"

# Who may read, by kind and view of the document. mado wrote the form (disability), tsunagu is the provider and the
# secretariat (welfare-desk), kaigo and jiritsu are the destinations, kacho the responsible section. kansa and kanri are of
# that section too, but only audit and administer the system.
WITH_CONSENT = {
    ("referral_sheet", "full"): {"mado", "tsunagu", "kacho"},
    ("referral_sheet", "summary"): {"kaigo", "jiritsu"},
    ("assessment_sheet", "full"): {"tsunagu"},
}
WITHOUT_CONSENT = {
    ("referral_sheet", "full"): {"mado", "tsunagu", "kacho"},
    ("assessment_sheet", "full"): {"tsunagu"},
}
Handed = dict[str, Any]  # the receipts, by the name of their reader table


@pytest.fixture(scope="module")
def handed(line: Line) -> Handed:
    """A referral with consent and one without, whose documents are all made."""
    form = referral()
    form["person"]["name"] = RARE_PERSON
    receipts = {"with": line.hand_in(form), "without": line.hand_in(without_consent())}
    line.made(receipts["with"], 3)
    line.made(receipts["without"], 2)
    return receipts


def text_of_word(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return "".join(package.read(name).decode() for name in package.namelist() if name.endswith(".xml"))


def text_of_pdf(content: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


@pytest.mark.parametrize(("name", "readers"), [("with", WITH_CONSENT), ("without", WITHOUT_CONSENT)])
def test_documents_open_to_their_readers_alone(
    line: Line, handed: Handed, name: str, readers: dict[tuple[str, str], set[str]]
) -> None:
    """Every sample user at every address of every document: those of the table read it, all others meet the same 404."""
    documents = line.case(handed[name])["documents"]
    assert {(document["kind"], document["view"]) for document in documents} == set(readers)
    for document in documents:
        for user in USERS:
            visitor = line.visitor(user)
            allowed = user in readers[document["kind"], document["view"]]
            listed = [found["id"] for found in line.documents_of(handed[name], user)]
            assert (document["id"] in listed) is allowed
            for rest in ("", "/current", "/versions/1/docx", "/versions/1/pdf"):
                answer = visitor.answer("documents", f"/documents/{document['id']}{rest}")
                if allowed:
                    assert answer.status_code == (303 if rest == "/current" else 200), (user, rest)
                    continue
                unknown = visitor.answer("documents", f"/documents/{NOBODY_HAS}{rest}")
                assert (answer.status_code, unknown.status_code) == (404, 404), (user, rest)
                assert answer.content == unknown.content
                assert sorted(answer.headers) == sorted(unknown.headers)


@pytest.mark.parametrize(("name", "readers"), [("with", WITH_CONSENT), ("without", WITHOUT_CONSENT)])
def test_cases_open_to_their_readers_alone(
    line: Line, handed: Handed, name: str, readers: dict[tuple[str, str], set[str]]
) -> None:
    """The case and its receipt are found by those who read any of its papers, and by nobody else."""
    numbers = handed[name]
    may_read = set.union(*readers.values())
    for user in USERS:
        visitor = line.visitor(user)
        for found, unknown in (
            (f"/cases/{numbers['case_number']}", "/cases/C2026-99999"),
            (f"/referrals/{numbers['referral_number']}", "/referrals/R2026-99999"),
        ):
            answer = visitor.answer("intake", found)
            assert answer.status_code == (200 if user in may_read else 404), (user, found)
            if user not in may_read:
                assert answer.content == visitor.answer("intake", unknown).content
                page, other = (visitor.answer("intake", path, **AS_A_BROWSER) for path in (found, unknown))
                assert (page.status_code, page.text) == (404, other.text)
        listed = [item["number"] for item in visitor.json("intake", "/cases")["items"]]
        assert (numbers["case_number"] in listed) is (user in may_read)


def test_notices_open_to_their_agency_alone(line: Line, handed: Handed) -> None:
    """Each agency's notices are its own; another agency meets the same 404 as for one that does not exist."""
    notices = {
        (user, name): line.notices_of(handed[name], user, "all")
        for user, name in (("kaigo", "with"), ("kacho", "with"), ("kacho", "without"))
    }
    assert [len(found) for found in notices.values()] == [1, 1, 1]
    for (owner, _), found in notices.items():
        for other in set(USERS) - {"kacho", owner}:
            visitor = line.visitor(other)
            for rest, body in (("", None), ("/acknowledgement", {}), ("/misdelivery", {"code": "not_ours"})):
                paths = [f"/deliveries/{name}{rest}" for name in (found[0]["id"], NOBODY_HAS)]
                if body is None:
                    answer, unknown = (visitor.answer("notify", path) for path in paths)
                else:
                    answer, unknown = (visitor.post("notify", path, body) for path in paths)
                assert (answer.status_code, answer.content) == (404, unknown.content), (other, rest)


def test_without_consent_the_destination_gets_nothing(line: Line, handed: Handed) -> None:
    """No document, no notice, no mail for the destinations; the clerk reads why, and what can be done instead."""
    receipt = handed["without"]
    assert receipt["support_meeting_only"]
    assert {row["agency"] for row in receipt["withheld"]} == {"sample-care", "hardship-support"}
    page = line.visitor("mado").page("intake", f"/referrals/{receipt['referral_number']}")
    assert MARK in page
    assert "本人の同意がないため、この機関には何も届けていません。" in page
    assert "支援会議で扱えます。" in page
    for user in ("kaigo", "jiritsu"):
        assert line.documents_of(receipt, user) == []
        assert line.notices_of(receipt, user, "all") == []
    rows = [row for document in line.case(receipt)["documents"] for row in document["receipts"]]
    assert {row["agency"] for row in rows if row["channels"]} == {"social-welfare", "welfare-desk"}
    assert set(line.mailed_about(receipt)) == {"social-welfare@example.jp", "welfare-desk@example.jp"}


def test_papers_without_consent_are_marked(line: Line, handed: Handed) -> None:
    """支援会議限り stands on every paper of a referral without consent, and on none of one with it."""
    for name, marked in (("without", True), ("with", False)):
        for document in line.documents_of(handed[name], "tsunagu"):
            address = f"/documents/{document['id']}/versions/1"
            visitor = line.visitor("tsunagu")
            assert (MARK in text_of_word(visitor.file(f"{address}/docx"))) is marked
            assert (MARK in text_of_pdf(visitor.file(f"{address}/pdf"))) is marked
            assert (MARK in visitor.page("documents", f"/documents/{document['id']}")) is marked


def test_the_household_is_shown_to_nobody_it_did_not_agree_to(line: Line, handed: Handed) -> None:
    """The consent of 本人 opens nothing of the others: a destination reads none of their names, not even of the one who came
    as the client; who knows them by their role reads them."""
    names = [row["name"] for row in referral()["household"]]
    assert len(set(names)) == 2
    for user in ("kaigo", "jiritsu", "mado", "tsunagu", "kacho"):
        visitor = line.visitor(user)
        sheet = next(found for found in line.documents_of(handed["with"], user) if found["kind"] == "referral_sheet")
        address = f"/documents/{sheet['id']}/versions/1"
        papers = [text_of_word(visitor.file(f"{address}/docx")), text_of_pdf(visitor.file(f"{address}/pdf"))]
        page = visitor.page("intake", f"/cases/{handed['with']['case_number']}")
        is_summary = sheet["view"] == "summary"
        for text in (*papers, page):
            assert {name for name in names if name in text} == (set() if is_summary else set(names)), user
        assert [WITHHELD in paper for paper in papers] == [is_summary] * 2, user


def test_rare_characters_come_through_unchanged(line: Line, handed: Handed) -> None:
    """髙 﨑 𠮷 邉󠄏 and U+FA10 of a name are in the Word files as typed, and readable in the PDFs."""
    for document in line.documents_of(handed["with"], "tsunagu"):
        visitor = line.visitor("tsunagu")
        address = f"/documents/{document['id']}/versions/1"
        assert RARE_PERSON in text_of_word(visitor.file(f"{address}/docx"))
        text = text_of_pdf(visitor.file(f"{address}/pdf"))
        for rare in "髙﨑𠮷邉":
            assert rare in text, rare
        # the glyph is the one of the compatibility character; what a PDF names it in its text is the font's choice
        assert COMPATIBILITY in text or "塚" in text
