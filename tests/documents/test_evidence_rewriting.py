"""What comes out of a scan: its pages and nothing else; and what is not taken."""

from __future__ import annotations

import asyncio
import io
import time

import pypdf
import pytest
from PIL import Image, ImageStat

from tests.documents import hostile_files as files
from tsunagi_documents import evidence
from tsunagi_documents.evidence_rewriting import (
    ANNOTATED,
    ENCRYPTED,
    MOST_BYTES,
    TOO_HEAVY,
    TOO_MANY_PAGES,
    UNREADABLE,
    WRONG_TYPE,
    ScanRefused,
    rewrite,
)

# Of none of these may a name stand in what is kept.
ACTIVE = (
    b"/JavaScript",
    b"/JS",
    b"/OpenAction",
    b"/AA",
    b"/Annots",
    b"/URI",
    b"/Launch",
    b"/EmbeddedFile",
    b"/AcroForm",
    b"/Metadata",
    b"/PieceInfo",
    b"/Author",
    b"/Producer",
)


def pictures_of(pdf: bytes) -> list[Image.Image]:
    """The pictures on the pages, as a reader sees them."""
    found = [each.image for page in pypdf.PdfReader(io.BytesIO(pdf)).pages for each in page.images]
    return [picture for picture in found if picture is not None]


def shows_the_bar(seen: Image.Image) -> bool:
    """Whether the picture is the one that went in: a dark bar on white paper."""
    bar, paper = (ImageStat.Stat(seen.convert("L").crop(box)).mean[0] for box in ((160, 205, 290, 260), (5, 5, 99, 99)))
    return bar < 80 and paper > 240


def code_of(content: bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(ScanRefused) as refused:
        rewrite(content)
    return refused.value.code


@pytest.mark.parametrize(
    "content",
    [files.jpeg(), files.png(), files.scanned_pdf(), files.scripted_pdf(), files.annotated_pdf("/Link")],
    ids=["jpeg", "png", "pdf", "scripted", "linked"],
)
def test_only_the_pages_come_through(content: bytes) -> None:
    """EXIF, comments, texts, scripts, actions, attachments, links and names of authors stay behind; the picture is there."""
    kept = rewrite(content)
    assert kept.pages == 1
    assert kept.pdf.startswith(b"%PDF-")
    assert files.SECRET not in kept.pdf
    assert [name for name in ACTIVE if name in kept.pdf] == []
    (seen,) = pictures_of(kept.pdf)
    assert files.SECRET not in b"".join(str(value).encode() for value in seen.info.values())
    assert dict(seen.getexif()) == {}
    assert shows_the_bar(seen)


def test_the_same_file_gives_the_same_bytes() -> None:
    """Nothing of the time or the machine goes in."""
    for content in (files.jpeg(), files.png(), files.scanned_pdf(3)):
        assert rewrite(content).pdf == rewrite(content).pdf


def test_a_photo_stands_upright_and_fits_on_a_sheet() -> None:
    """The camera's turn is carried out, as its note of it goes; the page is no larger than A4."""
    kept = rewrite(files.jpeg(orientation=6))
    (seen,) = pictures_of(kept.pdf)
    assert seen.size == (800, 600)
    box = pypdf.PdfReader(io.BytesIO(kept.pdf)).pages[0].mediabox
    assert box.width > box.height
    assert max(box.width, box.height) <= 842


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P"])
def test_pictures_of_every_depth_are_taken(mode: str) -> None:
    """Black and white, grey, with a palette, see-through: each shows the bar."""
    (seen,) = pictures_of(rewrite(files.png(files.picture(mode=mode))).pdf)
    assert shows_the_bar(seen)


def test_pages_keep_their_size_and_turn() -> None:
    """A page laid on its side stays so."""
    reader = pypdf.PdfReader(io.BytesIO(files.scanned_pdf(2)))
    writer = pypdf.PdfWriter()
    for page in reader.pages:
        writer.add_page(page)
    writer.pages[1].rotate(90)
    pages = pypdf.PdfReader(io.BytesIO(rewrite(files.written_with(writer)).pdf)).pages
    assert [page.get("/Rotate", 0) for page in pages] == [0, 90]
    assert [page.mediabox.height for page in pages] == [842, 842]


def test_what_hangs_behind_a_file_is_gone() -> None:
    """A file that is two things at once comes out as one."""
    for content in (files.png(), files.jpeg(), files.scanned_pdf()):
        kept = rewrite(files.with_zip_behind(content)).pdf
        assert b"PK\x03\x04" not in kept
        assert files.SECRET not in kept


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", WRONG_TYPE),
        (b"PK\x03\x04" + bytes(200), WRONG_TYPE),
        (b"<html><script>" + files.scanned_pdf(), WRONG_TYPE),
        (b"GIF89a" + files.scanned_pdf(), WRONG_TYPE),
        (b"%PDF-1.7\n", UNREADABLE),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), UNREADABLE),
        (b"\xff\xd8\xff\xe0", UNREADABLE),
        (files.scanned_pdf()[:3000], UNREADABLE),
        (files.jpeg()[:2000], UNREADABLE),
        (files.png()[:600], UNREADABLE),
        (files.encrypted_pdf(), ENCRYPTED),
        (files.encrypted_pdf("himitsu"), ENCRYPTED),
        (files.scanned_pdf(31), TOO_MANY_PAGES),
        (files.huge_picture_pdf(), TOO_HEAVY),
        (files.png_bomb(), TOO_HEAVY),
        (b"%PDF-" + bytes(MOST_BYTES), TOO_HEAVY),
        (files.annotated_pdf("/Ink"), ANNOTATED),
        (files.annotated_pdf("/Widget"), ANNOTATED),
        (files.annotated_pdf("/Stamp"), ANNOTATED),
    ],
)
def test_what_is_not_taken_is_refused_with_its_reason(content: bytes, code: str) -> None:
    """Wrong, broken, protected, too long, too heavy; and what was written on it later, which could not be kept."""
    assert code_of(content) == code


def test_a_drawing_that_draws_itself_ends() -> None:
    """A loop in a file is copied as a loop."""
    assert rewrite(files.nested_pdf()).pages == 1


def test_any_byte_may_be_wrong() -> None:
    """A file damaged anywhere is taken or refused with a code, and nothing else happens."""
    sound = files.scripted_pdf()
    for place in range(0, len(sound), 97):
        broken = sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :]
        assert outcome_of(broken) in ("taken", WRONG_TYPE, UNREADABLE, ENCRYPTED, TOO_HEAVY, ANNOTATED)


def outcome_of(content: bytes) -> str:
    """`taken` when nothing of the secret came through, or the code of the refusal."""
    try:
        return "taken" if files.SECRET not in rewrite(content).pdf else "leaked"
    except ScanRefused as refused:
        return refused.code


async def test_the_process_answers_as_the_function_does() -> None:
    """What is refused inside comes out with its code, and what is made with its bytes."""
    assert await evidence.rewrite(files.scanned_pdf(2)) == rewrite(files.scanned_pdf(2))
    with pytest.raises(ScanRefused) as refused:
        await evidence.rewrite(files.encrypted_pdf())
    assert refused.value.code == ENCRYPTED


async def test_a_bomb_ends_in_its_process() -> None:
    """A page that unpacks to 200 MB is refused, and the next file is taken."""
    bomb = files.drawing_bomb_pdf()
    with pytest.raises(ScanRefused) as refused:
        await evidence.rewrite(bomb)
    assert refused.value.code == TOO_HEAVY
    assert (await evidence.rewrite(files.png())).pages == 1


async def test_a_file_that_takes_too_long_is_stopped() -> None:
    """The process is killed when its time is over, and nothing of it is left."""
    started = time.perf_counter()
    with pytest.raises(ScanRefused) as refused:
        await evidence.rewrite(files.png(), budget_seconds=0.01)
    assert refused.value.code == TOO_HEAVY
    assert time.perf_counter() - started < 5
    await asyncio.sleep(0)
