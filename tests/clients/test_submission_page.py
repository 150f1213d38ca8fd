"""Follows docs/submission.md as a new user would: runs its commands and starts its configuration unchanged, except
for folders, ports, the certificate and the name of the server's user. Then mail programs send."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import types

import pytest

import messages
import smtpd_env
from certificates import needs_mod_ssl
from documents import SOURCE, adapted, adapted_commands, fenced
from maildir import Maildir
from mail_programs import PROGRAMS, Order
from receiver import Arrived

PAGE = SOURCE / "docs/submission.md"
TIMEOUT = 60 * smtpd_env.SLOWDOWN

#: What the commands of the page make: users, who log in with these passwords.
USERS = {"joe@example.com": "secret", "ann@example.com": "secret2"}


def commands(word):
    """The block of commands that has this word."""
    return next(block for block in fenced(PAGE, "sh") if word in block)


def starttls_host(block):
    """The virtual host of port 587, derived from that of port 465 as the page says."""
    host = block[block.index("Listen 465"):].replace("465", "587")
    host, count = re.subn(r"SSLEngine .*\n *SSLCertificateFile .*\n *SSLCertificateKeyFile .*", "SmtpStartTLS required", host)
    assert count == 1 and "SmtpStartTLS required" in PAGE.read_text(), host
    return host


@contextlib.contextmanager
def running():
    """The server of the page, on 465 and 587."""
    needs_mod_ssl()
    with smtpd_env.Httpd("event", modules=("ssl", "socache_shmcb"), log_level="notice smtpd:debug") as server:
        for folder in ("etc", "var/spool"):  # there are these everywhere; what is in them is made by the user
            (server.root / folder).mkdir(parents=True)
        for word in ("echo", "htpasswd", "outgoing"):
            block = adapted_commands(commands(word), server.root, server.user and server.user[0])
            done = subprocess.run(["sh", "-euxc", block], capture_output=True, text=True, timeout=TIMEOUT)
            assert done.returncode == 0, done.stderr
        block = "".join(fenced(PAGE))
        # The store is for all virtual hosts of a machine: no test writes to the real one.
        server._main = "SmtpStore memory:1m\n" + adapted(block + starttls_host(block), server.root, make_folders=False)
        good, printed = server.configtest()
        assert good and printed.splitlines() == ["Syntax OK"], printed
        server.start()
        implicit, starttls = re.findall(r"^Listen 127\.0\.0\.1:(\d+) smtp$", server._main, re.M)
        yield types.SimpleNamespace(server=server, ports={True: int(implicit), False: int(starttls)}, authority=server.root / "authority/ca.pem",
                                    outgoing=Maildir(server.root / "var/spool/smtpd/outgoing"))


@pytest.fixture(scope="module")
def shared_site():
    if not shutil.which("htpasswd"):
        pytest.skip("htpasswd is not installed (bootstrap check does it)")
    with running() as site:
        yield site


@pytest.fixture
def site(shared_site):
    shared_site.outgoing.clear()
    return shared_site


def order(site, tmp_path, implicit, user="joe@example.com", **more):
    values = {"password": USERS.get(user), "sender": user, "mechanism": "PLAIN", "message": messages.ORDINARY, **more}
    return Order(site.ports[implicit], site.authority, tmp_path, implicit=implicit, user=user, recipients=("you@example.net",), **values)


HOW = pytest.mark.parametrize("implicit", [False, True], ids=["587", "465"])


@HOW
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("program", ["mutt", "msmtp"])
def test_a_mail_program_sends(site, tmp_path, program, user, implicit):
    wanted = order(site, tmp_path, implicit, user)
    status, printed = PROGRAMS[program](wanted)
    assert status == 0, printed
    arrived = Arrived(site.outgoing.only())
    assert (arrived.sender, arrived.recipients, arrived.protocol, arrived.login) == (user, ["you@example.net"], "ESMTPSA", ("PLAIN", user))
    if program == "msmtp":
        assert arrived.message == wanted.message


def test_the_command_that_the_page_has_for_a_try(site, tmp_path):
    program = shutil.which("swaks") or pytest.skip("swaks is not installed (bootstrap check does it)")
    words = shlex.split(commands("swaks").replace("--server mail.example.com", "--server localhost").replace("465", str(site.ports[True])))
    done = subprocess.run([program, *words[1:], "--tls-verify", "--tls-ca-path", site.authority], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT,
                          env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert Arrived(site.outgoing.only()).login is not None


@HOW
@pytest.mark.parametrize("what, code", [({"password": "guess"}, "535"), ({"sender": "ann@example.com"}, "550"), ({"mechanism": ""}, "530")],
                         ids=["a wrong password", "somebody else's address", "no login"])
def test_what_is_refused(site, tmp_path, what, code, implicit):
    status, printed = PROGRAMS["msmtp"](order(site, tmp_path, implicit, **what))
    assert status != 0 and re.search(rf"\b{code}\b", printed), printed
    assert not site.outgoing.new()


def test_a_new_user_needs_no_restart(site, tmp_path):
    line = re.search(r"^echo .*\n", commands("echo"), re.M)[0].replace("joe@", "sue@")
    subprocess.run(["sh", "-euc", adapted_commands(line, site.server.root, None)], check=True, timeout=TIMEOUT)

    def is_known():
        status, printed = PROGRAMS["msmtp"](order(site, tmp_path, True, user="sue@example.com", password="secret"))
        assert status == 0 or "535" in printed, printed
        return status == 0
    smtpd_env.wait_until(is_known, 20, "the new user is not known", interval=0.5)
    assert Arrived(site.outgoing.only()).sender == "sue@example.com"


def test_the_sample_is_that_of_the_page():
    def lines(text):
        return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    page, = fenced(PAGE)
    assert lines(page[page.index("Listen"):]) == lines((SOURCE / "conf/submission.conf").read_text())
