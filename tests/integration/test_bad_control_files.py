"""Invalid control files, for each plugin and setting that has one: an error with file and line when the server reads
the configuration; if a file becomes invalid while the server runs, a warning, and the earlier content stays.

All files are damaged at once, so that one run tests all of them.
"""

import re
import time

import pytest

from smtp_client import Client
from smtpd_env import SLOWDOWN
from test_control_files import make_cdb

#: File -> (good content, a content with a mistake in its second line or None where every text is right).
FILES = {
    "badmailfrom": ("bad@example.net\n", "bad@example.net\n/unclosed(/\n"),
    "badmailfromto": ("a@example.net b@example.com\n", "a@example.net b@example.com\nonlyone@example.net\n"),
    "badrcptto": ("closed@example.com\n", "closed@example.com\n[*?\n"),
    "relayclients": ("192.0.2.1\n", "192.0.2.1\n192.0.2.0/99\n"),
    "norelayclients": ("192.0.2.9\n", "192.0.2.9\nnobody\n"),
    "rcpthosts": ("example.com\n", "example.com\nuser@example.com\n"),
    "hosts_allow": ("192.0.2.1 DENY no\n", "192.0.2.1 DENY no\n192.0.2.2 EXPLODE\n"),
    "badhelo": ("bad.example\n", "bad.example\n^spam(\n"),
    "dnsbl_allow": ("192.0.2.7\n", "192.0.2.7\n300.1.2.3\n"),
    "dnsbl_zones": ("bl.test\n", "bl.test\nbl2.test=127.0.0.999\n"),
    "rhsbl_zones": ("dbl.test\n", "dbl.test\n..\n"),
    "whitelist_zones": ("wl.test\n", "wl.test\nwl2.test=localhost\n"),
    "whitelisthosts": ("192.0.2.1\n", "192.0.2.1\n10.1\n"),
    "whitelisthelo": ("mx.example.com\n", None),
    "whitelistsenders": ("friend@example.net\n", None),
    "whitelistrcpt": ("open@example.com\n", None),
    "invalid_resolvable_fromhost": ("10.0.0.0/8\n", "10.0.0.0/8\n10.0.0.0/33\n"),
    "rcpt_regexp": ("/^no@example.com$/ DENY no\n", "/^no@example.com$/ DENY no\n/a(/ DENY\n"),
    "map": ("no@example.org DENY\n", "no@example.org DENY\nyes@example.org PERHAPS\n"),
    "smtproutes": ("example.net:127.0.0.1\n", "example.net:127.0.0.1\nnonsense\n"),
    "p0f_blocked_operating_systems": ("Windows XP\n", "Windows XP\n/windows (/\n"),
    "karma_tlds": ("info:-4\n", "info:-4\npw:many\n"),
    "denysoft_greylist": ("black_timeout 60\n", "black_timeout 60\nmode testonly\n"),
    "spared": ("192.0.2.1\n", "192.0.2.1\n/a(/\n"),
    "databytes": ("100000\n", None),
    "smtpgreeting": ("mail.example.com hello\n", None),
    "content_log_enabled": ("1\n", None),
    "content_log_file": ("@spool@/content\n", None),
}

#: What is read when the server starts only.
READ_ONCE = {"denysoft_greylist", "me", "me-auth-results"}

PLUGINS = """
    SmtpPlugin content_log
    SmtpPlugin relay
    SmtpPlugin hosts_allow
    SmtpPlugin whitelist
    SmtpPlugin karma reject=0 recipients=0
    SmtpPlugin ident/p0f @root@/no.sock
    SmtpPlugin dnsbl self_test=0
    SmtpPlugin rhsbl self_test=0
    SmtpPlugin dns_whitelist_soft self_test=0
    SmtpPlugin helo
    SmtpPlugin resolvable_fromhost
    SmtpPlugin badmailfrom
    SmtpPlugin badmailfromto
    SmtpPlugin greylisting reject=0
    SmtpPlugin badrcptto
    SmtpPlugin rcpt_regexp
    SmtpPlugin rcpt_map domain=example.org file=map
    SmtpPlugin qmail_deliverable server=smtproutes:9
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def good_files():
    return {**{name: good for name, (good, _) in FILES.items()}, "greylist_exclude_files": "spared\n"}


def add_host(server, files):
    smtp = server.smtp(PLUGINS, f"SmtpResolver 127.0.0.1:9 timeout=100ms tries=1\nSmtpStore file:{server.work}/store", control=files)
    for name, text in files.items():
        smtp.set_control(name, smtp.fill_in(text))
    return smtp


def spoil_unreadable(path):
    path.unlink()
    path.symlink_to(path.name)  # a circle: nobody can read it, root included


def spoil_directory_of_nothing(path):
    """An $include of a missing file."""
    path.write_text("# one\n$include /no/such/file\n")


def spoil_binary(path):
    path.write_bytes(b"# one\n\x7fELF\0\1\2\3\n")


def spoil_huge(path):
    with open(path, "wb") as file:
        file.truncate(65 * 1024 * 1024)


WAYS = {"unreadable": (spoil_unreadable, "symbolic links"), "included": (spoil_directory_of_nothing, "no/such/file"), "binary": (spoil_binary, "NUL octet"),
        "huge": (spoil_huge, "larger|too large|more than")}


@pytest.mark.parametrize("way", WAYS)
def test_each_file_that_is_no_text_is_an_error_of_configtest(make_server, way):
    spoil, words = WAYS[way]
    server = make_server("event")
    smtp = add_host(server, {**good_files(), "me": "mx.example.com\n", "me-auth-results": "mx.example.com\n"})
    assert server.configtest()[0], server.configtest()[1]
    names = [*FILES, "me", "me-auth-results", "greylist_exclude_files"]
    for name in names:
        if name != "spared":
            spoil(smtp.control / name)
    good, output = server.configtest()
    assert not good
    unnamed = [name for name in names if name != "spared" and not any(f"/{name}" in line and "control" in line for line in output.splitlines())]
    assert not unnamed, f"{unnamed} are not named in\n{output}"
    assert len(re.findall(words, output)) >= len(names) - 1, output


def test_each_mistake_is_an_error_of_configtest_with_its_line(make_server):
    server = make_server("event")
    add_host(server, {**good_files(), **{name: bad for name, (_, bad) in FILES.items() if bad}})
    good, output = server.configtest()
    assert not good
    unnamed = [name for name, (_, bad) in FILES.items() if bad and f"/{name}:2:" not in output]
    assert not unnamed, f"{unnamed} are not named, with their line, in\n{output}"


def session(port, hello="mx.example.com", sender="sender@example.net"):
    """A session that uses every list: {command: code}, and the replies to EHLO and the greeting."""
    codes = {}
    with Client(port) as client:
        greeting, features = client.greeting.text, ""
        reply = client.command(f"EHLO {hello}")
        codes[hello], features = reply.code, reply.text
        if reply.code == 250:
            codes[sender] = client.command(f"MAIL FROM:<{sender}>").code
        if codes.get(sender) == 250:
            for recipient in ("closed@example.com", "no@example.com", "no@example.org", "user@example.com", "user@elsewhere.example"):
                codes[recipient] = client.command(f"RCPT TO:<{recipient}>").code
            client.data("Subject: x\r\n\r\nhello\r\n").expect(250)
            client.quit()
    return codes, greeting, features


@pytest.mark.parametrize("way", [*WAYS, "mistaken"])
def test_what_goes_bad_while_the_server_runs_leaves_what_was_read_before(make_server, way):
    server = make_server("event")
    smtp = add_host(server, good_files())
    server.allow_log("error: ")
    server.start()
    expected = {"mx.example.com": 250, "sender@example.net": 250, "closed@example.com": 550, "no@example.com": 550, "no@example.org": 550, "user@example.com": 250,
                "user@elsewhere.example": 550}

    def check():
        codes, greeting, features = session(smtp.port)
        assert codes == expected and "mail.example.com hello" in greeting and "SIZE 100000" in features
        assert session(smtp.port, sender="sender@[192.0.2.5]")[0]["sender@[192.0.2.5]"] == 250
        assert session(smtp.port, hello="bad.example")[0] == {"bad.example": 550}
        assert session(smtp.port, sender="bad@example.net")[0] == {"mx.example.com": 250, "bad@example.net": 550}
    check()
    names = [name for name, (_, bad) in FILES.items() if name not in READ_ONCE and (way != "mistaken" or bad)]
    for name in names:
        server.expect_log(rf":warn\].*{name}.*; the previous content stays in use")
        if way == "mistaken":
            smtp.set_control(name, FILES[name][1])
        else:
            WAYS[way][0](smtp.control / name)
    time.sleep(1.2)

    def unwarned():
        check()
        return [name for name in names if not re.search(rf":warn\].*{name}.*stays in use", server.log_text())]
    deadline = time.monotonic() + 10 * SLOWDOWN
    while (missing := unwarned()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not missing, f"no warning about {missing}"
    check()
    warnings = [line.raw for line in server.log_lines() if "stays in use" in line.raw]
    assert len(warnings) == len(names), "\n".join(warnings)


@pytest.mark.parametrize("octets", [b"rubbish", b"\xff" * 4096, b""], ids=["short", "offsets outside of the file", "empty"])
def test_a_damaged_cdb_leaves_the_one_before(make_server, octets):
    server = make_server("event")
    smtp = server.smtp()
    path = smtp.control / "morercpthosts.cdb"

    def write(content):
        fresh = path.with_suffix(".tmp")
        fresh.write_bytes(content)
        fresh.chmod(0o644)
        fresh.rename(path)

    def code():
        with Client(smtp.port) as client:
            client.ehlo()
            client.command("MAIL FROM:<sender@example.net>", 250)
            return client.command("RCPT TO:<user@many.example>").code
    write(octets)
    good, output = server.configtest()
    assert not good and str(path) in output, output
    write(make_cdb({b"many.example": b""}))
    server.expect_log(r":warn\].*morercpthosts\.cdb.*; the previous content stays in use")
    server.start()
    assert code() == 250
    write(octets)
    time.sleep(1.2)
    assert [code(), code()] == [250, 250]
    server.wait_log(r"morercpthosts\.cdb.*stays in use")
