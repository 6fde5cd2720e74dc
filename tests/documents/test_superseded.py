"""旧版 on what is served: on every page, found by search, and nothing else of the file changed."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from tests.documents.sample_referrals import LONG_FORM, submitted
from tsunagi_documents import versions
from tsunagi_documents.sheets import sheet_context
from tsunagi_documents.superseded import MARK, marked
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import View

SIZE = (595, 842)


def word() -> bytes:
    """A sheet as the engine leaves it."""
    template = (Path(versions.__file__).parent / "word" / "referral_sheet.docx").read_bytes()
    context = sheet_context(submitted(LONG_FORM), "referral_sheet", View.FULL, (), (), support_meeting_only=False)
    return render_word(template, context, marks=("取扱注意",), title="共通様式")


def pdf(pages: int) -> bytes:
    """A PDF with so many empty pages, the first without any content or resources at all."""
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(*SIZE)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def test_a_word_file_gets_the_mark_in_its_headers_alone() -> None:
    """Above the marks that are there; every other part keeps its bytes."""
    before, after = (zipfile.ZipFile(io.BytesIO(content)) for content in (word(), marked(word(), "docx")))
    assert before.namelist() == after.namelist()
    changed = [name for name in before.namelist() if before.read(name) != after.read(name)]
    assert changed
    assert all(name.startswith("word/header") for name in changed)
    header = after.read(changed[0]).decode()
    assert header.index(MARK) < header.index("取扱注意")
    assert after.testzip() is None


@pytest.mark.parametrize("pages", [1, 3])
def test_every_page_of_a_pdf_says_it(pages: int) -> None:
    """As text that search and screen readers find; the pages keep their number and size."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = PdfReader(io.BytesIO(marked(pdf(pages), "pdf")))
    assert [page.extract_text().strip() for page in found.pages] == [MARK] * pages
    assert {(float(page.mediabox.width), float(page.mediabox.height)) for page in found.pages} == {SIZE}


def test_a_page_keeps_what_it_shows() -> None:
    """Marked twice, the first mark is content like any other, and is still there."""
    found = PdfReader(io.BytesIO(marked(marked(pdf(1), "pdf"), "pdf")))
    assert found.pages[0].extract_text().count(MARK) == 2
