"""Text that would be markup or script on a page that does not escape it, and a page's elements."""

from __future__ import annotations

import html.parser
from collections import defaultdict

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`${alert(3)}&amp;|<!--"


class Elements(html.parser.HTMLParser):
    """Attributes and texts of a page's elements, by their tag."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.attributes: dict[str, list[dict[str, str | None]]] = defaultdict(list)
        self.texts: dict[str, list[str]] = defaultdict(list)
        self._open = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes[tag].append(dict(attrs))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open].append(data)
