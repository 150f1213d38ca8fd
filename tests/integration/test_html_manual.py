"""make html: the manual as web pages. Every link works; each directive, plugin and command has a page."""

import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest
import smtpd_env

SOURCE = pathlib.Path(os.environ.get("SMTPD_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.anchors = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.found.add(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not shutil.which("mkdocs") or not shutil.which("groff"):
        pytest.skip("mkdocs or groff is not installed")
    build = pathlib.Path(smtpd_env.BUILD["build_dir"])
    if not (build / "docs/made/plugins.md").exists():
        pytest.skip("this build has no plugin reference")
    folder = tmp_path_factory.mktemp("html")
    done = subprocess.run(
        [SOURCE / "docs/html", SOURCE, build / "docs/made", folder], text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_link_leads_somewhere(site):
    pages = {
        page.relative_to(site).as_posix(): Links(page.read_text())
        for page in site.rglob("*.html")
        if page.name != "404.html"
    }
    dead = []
    for name, page in pages.items():
        for link in page.found:
            target = urllib.parse.urlsplit(link)
            if target.scheme or target.netloc or target.path.startswith("/"):
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(name), target.path)) if target.path else name
            if path in pages:
                if target.fragment and target.fragment not in pages[path].anchors:
                    dead.append(f"{name}: {link}")
            elif not (site / path).exists():
                dead.append(f"{name}: {link}")
    assert not dead, "\n".join(sorted(dead))


def test_each_thing_has_a_page(site):
    table = re.findall(r'AP_INIT_\w+\(\s*"<?(Smtp\w+)"', (SOURCE / "mod_smtpd/httpd/directives.cc").read_text())
    for name in table:
        assert list((site / "directives").glob(f"{name}*.html")), name
    for plugin in (SOURCE / "plugins").rglob("*.cc"):
        assert (site / "plugins" / plugin.relative_to(SOURCE / "plugins")).with_suffix(".html").exists(), plugin
    for page in (SOURCE / "docs").glob("*.1"):
        assert (site / "commands" / f"{page.stem}.html").exists()
    assert "greylisting" in (site / "search/search_index.json").read_text()
