"""The site: it is made without a warning, leads nowhere that isn't there, asks no other server, and names all that is public."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT
from public_names import public

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As made before, in FASTML_SITE; else it is made here."""
    if made := os.environ.get("FASTML_SITE"):
        return Path(made)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag == "link" and given.get("rel") not in ("index", "search", "next", "prev"):
            self.loads.add(given["href"])
        if "src" in given:
            self.loads.add(given["src"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_links_lead_to_pages_and_headings(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 25
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in ("https", "http", "s3"), (path.name, link)
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert there.exists(), (path.name, link)
            if parts.fragment and there.suffix == ".html":
                assert unquote(parts.fragment) in pages[there].anchors, (path.name, link)


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for source in page.loads:
            assert not urlsplit(source).netloc, (path.name, source)
            assert source.startswith("data:") or (path.parent / unquote(urlsplit(source).path)).exists(), source
    for style in site.rglob("*.css"):
        text = style.read_text()
        assert "@import" not in text
        assert "url(http" not in text.replace('"', "").replace("'", "")


def test_the_home_page_leads_to_every_page_and_to_the_search(site: Path, pages: dict[Path, Page]) -> None:
    home = pages[(site / "index.html").resolve()]
    led = {unquote(urlsplit(link).path) for link in home.links}
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.stem}.html" in led, page
    assert (site / "searchindex.js").stat().st_size > 10_000


def test_everything_public_has_its_entry(site: Path) -> None:
    inventory = (site / "objects.inv").read_bytes()
    entries = zlib.decompress(inventory.split(b"zlib.\n", 1)[1]).decode().splitlines()
    named = {line.split(" ")[0] for line in entries if " py:" in line}
    missing = [name for name, _ in public() if name not in named and ".errors." not in name]
    # FastmlError is the class of fastml.errors; planning's are named by fastml.
    assert missing == ["fastml.FastmlError"]
