"""Reads a page as a browser would post it, without a browser."""

from __future__ import annotations

from html.parser import HTMLParser


class Inputs(HTMLParser):
    """What a browser would post from the page's last form, and every id and reference in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self._area: list[str] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.ids.append(found["id"])
        self.references += [*found.get("for", "").split(), *found.get("aria-describedby", "").split()]
        if found.get("href", "").startswith("#"):
            self.references.append(found["href"][1:])
        if tag == "form":
            self.pairs = []
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option" and "selected" in found:
            self.pairs.append((self._select, found["value"]))
        elif tag == "textarea":
            self.pairs.append((found["name"], ""))
            self._area = []
        elif tag == "input" and (found.get("type") not in ("checkbox", "radio") or "checked" in found):
            self.pairs.append((found["name"], found.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            # as a browser does: the first line feed belongs to the tag; line feeds are posted as CRLF
            text = "".join(self._area).removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
            self.pairs[-1] = (self.pairs[-1][0], text)
            self._area = None


def inputs_of(page: str) -> Inputs:
    """What is in a page's last form."""
    parser = Inputs()
    parser.feed(page)
    parser.close()
    return parser
