"""httpd accepts the configurations in the manual, the README and the samples unchanged, except for ports and
folders."""

import pathlib
import re

import pytest

import sanitizers
import smtpd_env
from documents import SOURCE, adapted, fenced, indented
from smtpd_env import Httpd


def configurations():
    pages = sorted((SOURCE / "docs").glob("*.md"))
    found = [(f"{page.name} {number}", block) for page in pages for number, block in enumerate(fenced(page), 1)]
    found += [(f"README {number}", block) for number, block in enumerate(indented(SOURCE / "README"), 1)]
    found.append(("smtpd.conf", (sanitizers.build_dir() / "conf" / "smtpd.conf").read_text()))
    # The plugin that the manual lets its readers build is tested with its build.
    return [(name, block) for name, block in found if "closed_mailbox" not in block]


CONFIGURATIONS = configurations() if smtpd_env.BUILD else []


NOT_IN_EXAMPLES = ("no plugin uses a namespace of that name|no plugin accepts recipients|there is no queue plugin|which is not loaded, so it never refuses a client|SMTPD0073|"
                   "clients cannot log in")


def prepare_files(server, text):
    """Creates what the pages tell readers to create: directories of the server's user, and lists in the control
    directory."""
    for folder in re.findall(r'queue/maildir\S* "?([^"\s]+)', text):
        if folder.startswith(str(server.root)):
            server.give_to_user(folder)
    for folder in re.findall(r'SmtpControlDir\s+"?([^"\s]+)', text):
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for name, content in (("rcpthosts", "example.com\n"), ("flat_auth_pw", "joe@example.com:{PLAIN}secret\n")):
            (path / name).write_text(content)
            (path / name).chmod(0o640)
            server.give_to_user(path / name)


def test_there_are_some():
    assert len(CONFIGURATIONS) > 8, [name for name, _ in CONFIGURATIONS]


@pytest.mark.parametrize("block", [block for _, block in CONFIGURATIONS], ids=[name for name, _ in CONFIGURATIONS])
def test_configuration_is_accepted(block):
    is_whole = "<VirtualHost" in block or "<IfModule" in block
    modules = re.findall(r"LoadModule (\w+)_module", block) + (["ssl", "socache_shmcb"] if "SSLEngine" in block else [])
    needed = [name for name in modules if name != "smtpd"]
    missing = [name for name in needed if not (pathlib.Path(smtpd_env.BUILD["httpd_modules"]) / f"mod_{name}.so").is_file()]
    if missing:
        pytest.skip(f"this httpd has no {' and no '.join(missing)}")
    server = Httpd("event", modules=["watchdog", *needed])  # which mod_md needs, and which may be built in
    try:
        text = adapted(block, server.root)
        if is_whole:
            server._main = text
        else:
            server.smtp(plugins=text)
        prepare_files(server, text)
        good, output = server.configtest()
        assert good, f"{output}\n{server.config_file.read_text()}"
        # An example of one directive is without the plugins that it is for.
        warnings = [line for line in output.splitlines() if not re.search(NOT_IN_EXAMPLES, line)]
        assert warnings == ["Syntax OK"], output
    finally:
        server.finish()
