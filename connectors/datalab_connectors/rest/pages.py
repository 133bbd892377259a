"""Walking through the pages of a search: by cursor, by offset, by page number, or by the link to the next page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from datalab.errors import ProtocolError
from datalab.ports.reach import shown
from datalab_connectors.rest.pointer import first, values
from datalab_connectors.rest.profile import Profile

_MOST_PAGES = 10_000


def hits(profile: Profile, url: str, words: str, limit: int, ask: Callable[[str], Any]) -> Iterator[tuple[Any, str]]:
    """Yield the items of a search with the address of their page; ``ask`` fetches a page as JSON.

    No page is asked for twice; a page that is not what the profile says raises ``ProtocolError``.
    """
    search, page = profile["search"], profile["page"]
    size = min(search["most"] or 100, max(1, limit))
    asked = {key: str(value) for key, value in search["parameters"].items()}
    if search["text"] and (words or search["any"]):
        asked[search["text"]] = words or search["any"]
    if search["size"]:
        asked[search["size"]] = str(size)
    if page["parameter"] and page["start"]:
        asked[page["parameter"]] = page["start"]
    here, seen, count = _with(urljoin(f"{url}/", search["path"].lstrip("/")), asked), set[str](), 0
    while here and here not in seen and len(seen) < _MOST_PAGES:
        seen.add(here)
        body = ask(here)
        items = next(values(body, search["items"]), None)
        if not isinstance(items, list):
            raise ProtocolError(f"the search answered without {search['items']}", where=shown(here))
        for item in items:
            yield item, here
        count += len(items)
        if not items:
            return
        here = _next(profile, body, here, count)


def _next(profile: Profile, body: Any, here: str, count: int) -> str:
    page = profile["page"]
    if page["style"] == "link":
        for link in values(body, (page["links"] or "/links") + "/*"):
            if isinstance(link, dict) and link.get("rel") == "next" and str(link.get("method", "GET")).upper() == "GET":
                return _joined(here, str(link.get("href", "")))
        return ""
    if page["style"] == "cursor":
        cursor = first(body, [page["next"]])
        return _with(here, {page["parameter"]: cursor}) if cursor else ""
    total = first(body, [page["next"]]) if page["next"] else ""
    if re.fullmatch(r"[0-9]{1,18}", total) and count >= int(total):
        return ""
    current = dict(parse_qsl(urlsplit(here).query)).get(page["parameter"], page["start"] or "0")
    step = count if page["style"] == "offset" else int(current) + 1
    start = int(page["start"] or 0) if page["style"] == "offset" else 0
    return _with(here, {page["parameter"]: str(start + step)})


def _joined(here: str, href: str) -> str:
    """Return the address of a link; one that leads to another server is not followed: it would be told the query."""
    try:
        there = urljoin(here, href)
        same = urlsplit(there)[:2] == urlsplit(here)[:2]
    except ValueError:
        same, there = False, ""
    if not same:
        raise ProtocolError("the next page is said to be on another server", where=f"{shown(here)} -> {shown(there)}")
    return there


def _with(url: str, parameters: dict[str, str]) -> str:
    """Return ``url`` with parameters set; those it has keep their place and may come again."""
    parts = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in parameters]
    return parts._replace(query=urlencode([*kept, *parameters.items()])).geturl()
