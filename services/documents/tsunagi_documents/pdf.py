"""Word to PDF by LibreOffice: one process at a time, in a process group that can be killed, for all that wait for it.

Its start takes longer than a sheet: what waits when it starts goes in together; when that fails, each file goes again alone,
so that a bad one fails by itself.

LibreOffice runs with a profile of its own in a private folder: macros off, nothing linked is loaded or updated, and its
own fetches are sent to a proxy address where nobody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import shutil
import signal
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

import pypdf
from pypdf.errors import PyPdfError

FILTER = (
    "pdf:writer_pdf_Export:"
    '{"UseTaggedPDF":{"type":"boolean","value":"true"},'
    '"ExportFormFields":{"type":"boolean","value":"false"},'
    '"ExportBookmarks":{"type":"boolean","value":"false"}}'
)
TOGETHER = 8  # files of one start
VERSION_SECONDS = 30.0
SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - where LibreOffice puts its socket; no setting moves it
RESTART_STATUS = 81  # LibreOffice asks to be started again after it has written a new profile

# (path in the registry, property, value)
SETTINGS: tuple[tuple[str, str, str], ...] = (
    ("/org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableActiveContent", "true"),
    ("/org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "0"),
    ("/org.openoffice.Office.Common/Misc", "FirstRun", "false"),
    ("/org.openoffice.Office.Common/Misc", "CrashReport", "false"),
    ("/org.openoffice.Office.Common/Misc", "CollectUsageInformation", "false"),
    ("/org.openoffice.Office.Common/Save/Document", "UseUserData", "false"),
    ("/org.openoffice.Inet/Settings", "ooInetProxyType", "2"),
    ("/org.openoffice.Inet/Settings", "ooInetHTTPProxyName", "127.0.0.1"),
    ("/org.openoffice.Inet/Settings", "ooInetHTTPProxyPort", "9"),
    ("/org.openoffice.Inet/Settings", "ooInetHTTPSProxyName", "127.0.0.1"),
    ("/org.openoffice.Inet/Settings", "ooInetHTTPSProxyPort", "9"),
    ("/org.openoffice.Inet/Settings", "ooInetFTPProxyName", "127.0.0.1"),
    ("/org.openoffice.Inet/Settings", "ooInetFTPProxyPort", "9"),
    ("/org.openoffice.Setup/L10N", "ooSetupSystemLocale", "ja-JP"),
    ("/org.openoffice.Office.Linguistic/General", "DefaultLocale_CJK", "ja-JP"),
    ("/org.openoffice.Office.Linguistic/General", "DefaultLocale", "ja-JP"),
)


class ConversionFailed(Exception):
    """No PDF came out.

    `code`: pdf-timeout, pdf-crashed, pdf-missing (no LibreOffice, or no file from it), pdf-empty (no page in it).
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Order:
    """A file that waits for its PDF."""

    def __init__(self, word: bytes, done: asyncio.Future[bytes]) -> None:
        self.word = word
        self.done = done

    def answer(self, pdf: bytes) -> None:
        """Hand it over, unless nobody waits any more."""
        if not self.done.done():
            self.done.set_result(pdf)

    def fail(self, error: ConversionFailed) -> None:
        """Say that there is none."""
        if not self.done.done():
            self.done.set_exception(error)


class Converter:
    """Converts Word files. Everything it writes lives under `private_folder` (made 0700, its own).

    `budget_seconds` is for one start of LibreOffice; the wait for its turn is not counted.
    """

    def __init__(self, soffice: str, private_folder: Path, *, budget_seconds: float = 60.0) -> None:
        self._command = _command(soffice)
        self._folder = private_folder.resolve()
        self._profile = self._folder / "profile"
        self._work = self._folder / "work"
        self._budget_seconds = budget_seconds
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: list[_Order] = []
        # A service that was killed in the middle leaves the papers of that conversion behind.
        shutil.rmtree(self._work, ignore_errors=True)
        self._drop_profile()

    @property
    def process_id(self) -> int | None:
        """The process (and group) id of the conversion under way, None between conversions."""
        return None if self._process is None else self._process.pid

    async def convert(self, word: bytes) -> bytes:
        """The PDF of the Word file. ConversionFailed with its code; the next call works again."""
        order = _Order(word, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        try:
            async with self._turn:
                if not order.done.done():  # nobody who was here before took it along
                    await self._convert_waiting(order)
            return await order.done
        finally:
            order.done.cancel()  # where it was given up
            if order in self._waiting:
                self._waiting.remove(order)

    async def _convert_waiting(self, first: _Order) -> None:
        """Convert that one and others that wait. What was not answered for when this one is cancelled waits again."""
        batch = [first, *(order for order in self._waiting if order is not first)][:TOGETHER]
        self._waiting = [order for order in self._waiting if order not in batch]
        try:
            if len(batch) > 1:
                with contextlib.suppress(ConversionFailed):
                    for order, pdf in zip(batch, await self._converted([order.word for order in batch]), strict=True):
                        order.answer(pdf)
            for order in batch:
                if not order.done.done():
                    try:
                        order.answer(*await self._converted([order.word]))
                    except ConversionFailed as error:
                        order.fail(error)
        finally:
            self._waiting[:0] = [order for order in batch if order is not first and not order.done.done()]

    async def _converted(self, words: list[bytes]) -> list[bytes]:
        """The PDFs, by one start of LibreOffice. ConversionFailed when one of them did not come out."""
        folder = await asyncio.to_thread(self._prepare, words)
        try:
            try:
                await asyncio.wait_for(self._run_until_done(folder, len(words)), self._budget_seconds)
            except TimeoutError:
                raise ConversionFailed("pdf-timeout") from None
            return [await asyncio.to_thread(_checked, folder / f"{number}.pdf") for number in range(len(words))]
        except BaseException:
            # A killed LibreOffice leaves a profile that may be half written.
            self._drop_profile()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def version(self) -> str:
        """What LibreOffice says it is ('LibreOffice 7.4.7.2 …'). ConversionFailed('pdf-missing') when there is none."""
        async with self._turn:
            folder = await asyncio.to_thread(self._prepare, [])
            try:
                output = await asyncio.wait_for(self._run(folder, "--version"), VERSION_SECONDS)
            except TimeoutError:
                raise ConversionFailed("pdf-timeout") from None
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return output[1].decode("utf-8", "replace").strip()

    def _drop_profile(self) -> None:
        shutil.rmtree(self._profile, ignore_errors=True)
        socket_of(self._profile).unlink(missing_ok=True)

    def _prepare(self, words: list[bytes]) -> Path:
        for folder in (self._folder, self._work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        if not self._profile.exists():
            _write_profile(self._profile)
        folder = Path(tempfile.mkdtemp(dir=self._work))  # mkdtemp makes it 0700
        for number, word in enumerate(words):
            (folder / f"{number}.docx").write_bytes(word)
        return folder

    async def _run_until_done(self, folder: Path, number: int) -> None:
        files = [str(folder / f"{position}.docx") for position in range(number)]
        arguments = ("--convert-to", FILTER, "--outdir", str(folder), *files)
        status, _ = await self._run(folder, *arguments)
        if status == RESTART_STATUS:
            status, _ = await self._run(folder, *arguments)
        if status != 0:
            raise ConversionFailed("pdf-crashed")

    async def _run(self, folder: Path, *arguments: str) -> tuple[int, bytes]:
        """Run LibreOffice to its end; whatever happens, nothing of its process group is left when this returns."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                f"-env:UserInstallation={self._profile.as_uri()}",
                "--headless",
                "--norestore",
                "--nologo",
                "--nodefault",
                "--nofirststartwizard",
                "--nolockcheck",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(folder),
                cwd=folder,
                start_new_session=True,
            )
        except OSError:
            raise ConversionFailed("pdf-missing") from None
        self._process = process
        try:
            output, _ = await process.communicate()
        finally:
            self._process = None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        assert process.returncode is not None
        return process.returncode, output


def _command(soffice: str) -> tuple[str, ...]:
    """The program itself instead of its start script: one process to wait for, and it ends with this one."""
    found = shutil.which(soffice)
    program = soffice
    if found is not None:
        binary = Path(found).resolve().with_name("soffice.bin")
        program = str(binary) if binary.is_file() else found
    tie = shutil.which("setpriv")  # util-linux
    return (tie, "--pdeathsig", "KILL", program) if tie and found else (program,)


def socket_of(profile: Path) -> Path:
    """The socket LibreOffice opens for a profile and leaves behind when killed (sal/osl/unx/pipe.cxx, officeipcthread.cxx).

    Named by the MD5 of the profile's address in UTF-16, each byte in hexadecimal without leading zeros.
    """
    digest = hashlib.md5(profile.as_uri().encode("utf-16-le"), usedforsecurity=False).digest()
    name = "".join(f"{byte:x}" for byte in digest)
    return SOCKET_FOLDER / f"OSL_PIPE_{os.getuid()}_SingleOfficeIPC_{name}"


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the service's own environment: it holds secrets."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "SAL_USE_VCLPLUGIN": "svp",
    }


def _write_profile(profile: Path) -> None:
    user = profile / "user"
    user.mkdir(mode=0o700, parents=True)
    profile.chmod(0o700)
    items = "".join(
        f'<item oor:path="{escape(path)}"><prop oor:name="{escape(name)}" oor:op="fuse">'
        f"<value>{escape(value)}</value></prop></item>\n"
        for path, name, value in SETTINGS
    )
    (user / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n{items}</oor:items>\n',
        encoding="utf-8",
    )


def _checked(path: Path) -> bytes:
    """The file, once it is a PDF with a page in it."""
    try:
        pdf = path.read_bytes()
    except FileNotFoundError:
        raise ConversionFailed("pdf-missing") from None
    if not pdf.startswith(b"%PDF"):
        raise ConversionFailed("pdf-empty")
    try:
        pages = len(pypdf.PdfReader(io.BytesIO(pdf), strict=True).pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        pages = 0
    if not pages:
        raise ConversionFailed("pdf-empty")
    return pdf
