"""A member of staff at a browser or a program, as demo and stories move through the three services over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from deploy.local.stack import Stack

WAIT_SECONDS = 120.0
LOOK_SECONDS = 0.05


class VisitError(RuntimeError):
    """A service did not answer as it should; the text says which, and what it said."""


class Answer:
    """What a service answered, whatever it was."""

    def __init__(self, asked: str, response: httpx.Response) -> None:
        self.asked = asked
        self.response = response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def code(self) -> str:
        """The code of a refusal (RFC 9457); empty for any other answer."""
        return str(self._problem().get("code", ""))

    @property
    def errors(self) -> list[tuple[str, str]]:
        """(path, code) of each thing that a refused form has to put right."""
        return [(error["path"], error["code"]) for error in self._problem().get("errors", [])]

    def _problem(self) -> dict[str, Any]:
        kind = self.response.headers.get("content-type", "")
        found = self.response.json() if self.status >= 400 and "json" in kind else {}
        return found if isinstance(found, dict) else {}

    def json(self) -> Any:
        """The body of a JSON answer."""
        return self.response.json()

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def content(self) -> bytes:
        return self.response.content

    def expect(self, status: int, code: str = "") -> Answer:
        """This answer, when it has the status and, of a refusal, the code; else VisitError."""
        if (self.status, self.code) != (status, code):
            wanted = f"{status} {code}".strip()
            raise VisitError(f"{self.asked}：{wanted} のはずが {self.status} {self.code} でした：{self.text[:500]}")
        return self

    def made(self) -> Any:
        """The body of a 2xx answer; VisitError for any other."""
        if self.status // 100 != 2:
            raise VisitError(f"{self.asked}：{self.status} が返りました：{self.text[:500]}")
        return self.json()


class Visitor:
    """Signed in once for all three services, at intake. The requests never raise for what a service answers."""

    def __init__(self, stack: Stack, user: str, password: str) -> None:
        self._stack = stack
        self.user = user
        self._password = password
        self._client = httpx.AsyncClient(trust_env=False, timeout=30.0)

    async def __aenter__(self) -> Visitor:
        await self.sign_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def sign_in(self) -> None:
        """Sign in, also again: after the clock was moved, or the account's sessions were ended. VisitError when refused."""
        self._client.cookies.clear()
        fields = {"user": self.user, "password": self._password, "next": "/cases"}
        (await self.post_page("intake", "/sign-in", fields)).expect(303)

    async def get(self, service: str, path: str, **headers: str) -> Answer:
        """GET, as a program does: JSON, or a file."""
        return await self._ask("GET", service, path, headers=headers)

    async def page(self, service: str, path: str) -> Answer:
        """GET as a browser does."""
        return await self.get(service, path, Accept="text/html")

    async def post(self, service: str, path: str, body: Any, **headers: str) -> Answer:
        """POST JSON."""
        return await self._ask("POST", service, path, json=body, headers=headers)

    async def put(self, service: str, path: str, body: Any, **headers: str) -> Answer:
        """PUT JSON."""
        return await self._ask("PUT", service, path, json=body, headers=headers)

    async def delete(self, service: str, path: str) -> Answer:
        """DELETE."""
        return await self._ask("DELETE", service, path)

    async def post_page(self, service: str, path: str, fields: dict[str, str]) -> Answer:
        """POST a page's form, without its token: the caller adds `_csrf` where the route wants one."""
        return await self._ask("POST", service, path, data=fields, headers={"Accept": "text/html"})

    async def upload(self, service: str, path: str, name: str, content: bytes, kind: str, **fields: str) -> Answer:
        """POST a file (multipart, field `file`) with further fields."""
        return await self._ask("POST", service, path, files={"file": (name, content, kind)}, data=fields)

    async def _ask(self, method: str, service: str, path: str, **content: Any) -> Answer:
        origin = self._stack.url_of(service)
        headers = {"Origin": origin, **content.pop("headers", {})}
        response = await self._client.request(method, f"{origin}{path}", headers=headers, **content)
        return Answer(f"{self.user} {method} {service} {path.partition('?')[0]}", response)

    async def until(
        self, service: str, path: str, reached: Callable[[Any], Any], *, seconds: float = WAIT_SECONDS
    ) -> Any:
        """GET again and again until `reached` holds of the JSON of a 200; VisitError when it never does."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            found = (await self.get(service, path)).expect(200).json()
            if reached(found):
                return found
            await asyncio.sleep(LOOK_SECONDS)
        raise VisitError(f"{seconds:.0f}秒待っても {service} の処理が終わりませんでした。")

    async def until_answer(
        self, service: str, path: str, status: int, code: str = "", *, seconds: float = WAIT_SECONDS
    ) -> float:
        """GET again and again until the answer has that status and code; how many seconds that took. VisitError when never."""
        begun = time.perf_counter()
        while (waited := time.perf_counter() - begun) < seconds:
            answer = await self.get(service, path)
            if (answer.status, answer.code) == (status, code):
                return waited
            await asyncio.sleep(LOOK_SECONDS)
        raise VisitError(
            f"{seconds:.0f}秒待っても {service} は {status} {code} になりませんでした。".replace("  ", " ")
        )
