"""Finds links that lead nowhere: in the tree's Markdown, and in built documentation.

    python3 links.py [FOLDER_OF_HTML...]

Links to other hosts are not followed. In built documentation, links to crates that are not built
with it lead to their pages, so only links to files beside it are looked at.
"""

import html
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    checked, dead = 0, []
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    pages = [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]
    for folder in sys.argv[1:]:
        built = Path(folder).resolve()
        # Highlighted source has no links of ours, nor have the pages of rustdoc itself.
        own = {"src", "help.html", "settings.html"}
        pages += [page for page in built.rglob("*.html") if not own & {*page.relative_to(built).parts}]
    for page in pages:
        for link in _links(page):
            checked += 1
            why = _dead(page, link)
            if why:
                dead.append(f"{page.relative_to(ROOT)}: {link}: {why}")
    for line in dead:
        print(f"FAILED {line}")
    print(f"{checked - len(dead)} passed, {len(dead)} failed")
    return 1 if dead or not checked else 0


def _dead(page: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = page if not parts.path else page.parent / unquote(parts.path)
    if page.suffix == ".md" and ROOT not in target.resolve().parents and target.resolve() != ROOT:
        return "it is outside the tree"
    if target.is_dir():
        return None
    if not target.is_file():
        return "no such file"
    # Line numbers of source are made by a script in the page.
    if parts.fragment and target.suffix == page.suffix and not re.fullmatch(r"[\d-]+", parts.fragment):
        if unquote(parts.fragment) not in _anchors(target):
            return "no such heading"
    return None


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.moved_to: str | None = None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("http-equiv") == "refresh":
            self.moved_to = given["content"].partition("URL=")[2]
        if given.get("id"):
            self.ids.add(unquote(given["id"]))
        # Below that are other crates' texts, with links from their pages.
        elif (link := given.get("href")) and "blanket-implementations-list" not in self.ids:
            if tag == "a" and not link.startswith("javascript:"):
                self.links.append(link)


@cache
def _parsed(page: Path) -> _Page:
    parsed = _Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    return parsed


def _links(page: Path) -> list[str]:
    if page.suffix == ".html":
        return _parsed(page).links
    text = _prose(page)
    inline = re.findall(r"\]\(<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\)", text)
    named = re.findall(r"^\[[^\]]+\]:\s+<?([^\s>]+)", text, re.M)
    embedded = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    return [html.unescape(link) for link in inline + named + embedded]


def _prose(page: Path) -> str:
    """The text without code."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^ *(`{3,}|~{3,}).*?^ *\1", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


@cache
def _anchors(page: Path) -> set[str]:
    if page.suffix == ".html":
        moved_to = _parsed(page).moved_to
        return _anchors(page.parent / unquote(moved_to)) if moved_to else _parsed(page).ids
    text = re.sub(
        r"^ *(`{3,}|~{3,}).*?^ *\1", "", page.read_text(encoding="utf-8"), flags=re.S | re.M
    )
    found: set[str] = set(re.findall(r"(?:id|name)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#+ +(.*?) *#*$", text, re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while (numbered := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(numbered)
    return found


if __name__ == "__main__":
    sys.exit(main())
