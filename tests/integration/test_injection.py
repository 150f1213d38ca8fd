"""Client texts that would have an effect in a shell, a template, an expression or a format have none. The server
stores and logs them as text, for a message that it accepts, for one that it refuses, and for one that it cannot
store (CVE-2019-10149 and CVE-2020-7247 were of this kind)."""

import pathlib
import secrets

import pytest

from smtp_client import Client
from smtpd_env import DEFAULT_PLUGINS, wait_until
from test_auth import plain

#: In the environment of the server. Nobody outside may learn it.
SECRET = "sesame4711"

#: {mark} is a file that must not come to be.
HOSTILE = {
    "a substitution": "$(touch {mark})",
    "backquotes": "`touch {mark}`",
    "a separator": ";touch {mark};",
    "a pipe": "|touch {mark}",
    "two and": "&&touch {mark}",
    "an option": "-oQ{mark}",
    "an expansion that runs": "${{run{{/bin/touch {mark}}}}}",
    "a variable": "$OPEN ${{OPEN}}",
    "a define": "${{env{{OPEN}}}} ${{OPEN}}",
    "an expression": "%{{ENV:OPEN}} %{{reqenv:OPEN}} %{{osenv:OPEN}}",
    "a function": "%{{file:/proc/self/environ}}",
    "a format of Python": "%(OPEN)s {{OPEN}}",
    "a format of C": "%s%s%n%n%*d",
    "an inclusion": "<!--#exec cmd=\"touch {mark}\"-->",
    "SQL": "x' OR '1'='1'; DROP TABLE users; --",
    "a filter of LDAP": "*)(uid=*))(|(uid=*",
    "a path": "../../../../../../etc/passwd",
    "an include of a control file": "$include /etc/passwd",
    "a log line": "] [core:emerg] [pid 1] AH00000: gone",
}

PROGRAM = "#!/bin/sh\nuser=$(tr '\\0' '\\n' <&3 | head -n 1)\n[ \"$user\" = joe ] && exec \"$@\"\nexit 1\n"


@pytest.fixture
def site(make_server):
    """(server, a virtual host that accepts mail, one that cannot store it, the file that must not appear)"""
    server = make_server("event", environment={"OPEN": SECRET}, log_level="notice smtpd:debug")
    mark = pathlib.Path("/tmp", secrets.token_hex(6))  # short, wherever TMPDIR is: a local part has 64 octets
    checker = server.root / "checkpw"
    checker.write_text(PROGRAM)
    checker.chmod(0o755)
    (server.root / "readonly").mkdir(mode=0o555)
    (server.root / "map").write_text("me@mapped.example OK\n")
    log = f'SmtpPlugin logging/file loglevel=debug "|cat >>{server.work}/lines"'
    plugins = f"""
        SmtpPlugin rcpt_map domain=mapped.example file="{server.root}/map"
        SmtpPlugin rcpt_regexp
        SmtpPlugin badmailfrom
        SmtpPlugin auth/auth_checkpassword checkpw="{checker}" true=/bin/true
        SmtpPlugin auth/auth_flat_file
    """
    control = {"flat_auth_pw": "joe@example.com:{PLAIN}secret\n", "badmailfrom": "@bad.example\n", "rcpt_regexp": "/^nobody@/ DENY no\n"}
    lines = "SmtpAuthWithoutTLS on\nSmtpMaxErrors 0"
    good = server.smtp(log + plugins + DEFAULT_PLUGINS, lines, control=control)
    bad = server.smtp(plugins + f'SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "{server.root}/readonly" %d/%l', lines, control=control)
    server.start()
    return server, good, bad, mark


def quoted(text):
    """As a local part."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def talk(smtp, text, code):
    """Everything that a client can say, with that text in it; returns all replies."""
    message = f"From: <sender@example.net>\r\nSubject: {text}\r\n{text.split()[0].replace(':', '')[:40]}: x\r\nX-Text: {text}\r\n\r\n{text}\r\n".encode()
    said = b""
    with Client(smtp.port) as client:
        for line in (f"HELO {text}", f"EHLO {text}", "EHLO client.example.net", f"VRFY {text}", f"HELP {text}", text, f"AUTH {text}", plain(text, text),
                     plain("joe@example.com", text), plain(text, "secret"), f"MAIL FROM:<{text}@bad.example>", f"MAIL FROM:<{quoted(text)}@bad.example>",
                     "RSET", f"MAIL FROM:<a@example.net> {text}", f"MAIL FROM:<{quoted(text)}@example.net>",
                     f"RCPT TO:<{quoted(text)}@mapped.example>", f"RCPT TO:<{quoted(text)}@elsewhere.example>", f"RCPT TO:<{text}>",
                     f"RCPT TO:<{quoted(text)}@example.com>"):
            said += client.command(line).raw
        said += client.data(message).expect(code).raw
        client.quit()
    return said, message


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_made_of_what_clients_say(site, name):
    server, good, bad, mark = site
    text = HOSTILE[name].format(mark=mark)
    said, message = talk(good, text, 250)
    stored = good.maildir.only()
    stored.split(message)
    for field, domain in (("Return-Path", "example.net"), ("Delivered-To", "example.com")):  # without quotes where it needs none
        assert stored.field(field).strip("<>") in (f"{text}@{domain}", f"{quoted(text)}@{domain}")
    assert sum(path.is_file() for path in good.maildir.path.rglob("*")) == 1
    server.expect_log("cannot make .*/readonly/")
    server.allow_log("cannot create files in .*/readonly: ")
    more, _ = talk(bad, text, 451)
    server.wait_log("disconnect after")
    lines = server.work / "lines"  # the log of the other
    wait_until(lambda: b"disconnect after" in lines.read_bytes(), 10, "the command does not get the log")
    learnt = said + more + stored.raw + server.log_file.read_bytes() + lines.read_bytes()
    assert SECRET.encode() not in learnt and b"root:x:0" not in learnt
    assert not mark.exists() and not any(line.level == "emerg" for line in server.log_lines())
