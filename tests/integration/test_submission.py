"""A submission server as in docs/submission.md, and Fail2Ban's own program with its log."""

import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import sys

import pytest

import smtpd_env
from certificates import Authority, client_context, lines as ssl_lines, needs_mod_ssl
from smtp_client import Client
from test_auth import encoded, plain

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CONTROL = {"flat_auth_pw": "joe@example.com:{PLAIN}secret\nann@example.com:{PLAIN}secret2\n", "senderlogins": "sales@example.com joe@example.com\n"}
PLUGINS = """
    SmtpPlugin limit:passwords failed_logins max=20 time=1h reject_type=temp_disconnect
    SmtpPlugin auth/auth_delay first=10ms max=50ms
    SmtpPlugin auth/auth_flat_file
    SmtpPlugin sender_login unlisted=refuse
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


@pytest.mark.parametrize("start_tls", [False, True], ids=["465", "587"])
def test_a_submission_server(make_server, mpm, start_tls):
    needs_mod_ssl()
    server = make_server(mpm, modules=("ssl", "socache_shmcb"), main='SSLSessionCache "shmcb:@root@/cache(512000)"\nSmtpStore memory:1m')
    authority = Authority(server.root)
    certificate = ssl_lines(authority.issue("localhost", "mx.example.com"))
    smtp = server.smtp(PLUGINS, f"SmtpSubmission on\n{'SmtpStartTLS required' if start_tls else certificate}", control=CONTROL)
    if start_tls:
        server.http(certificate, name="mx.example.com", protocol="https")
    server.start()
    context = client_context(authority)

    def connect():
        timeout = 20 * smtpd_env.SLOWDOWN
        if not start_tls:
            return smtplib.SMTP_SSL("localhost", smtp.port, context=context, timeout=timeout)
        client = smtplib.SMTP("localhost", smtp.port, timeout=timeout)
        assert client.docmd("EHLO x")[0] == 250
        assert client.docmd("MAIL FROM:<joe@example.com>") == (530, b"5.7.0 Send STARTTLS first")
        client.starttls(context=context)
        return client

    with connect() as client:
        client.ehlo()
        assert client.docmd("MAIL FROM:<joe@example.com>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("joe@example.com", "wrong")
        client.login("joe@example.com", "secret")
        assert client.docmd("MAIL FROM:<ann@example.com>")[0] == 550
        client.sendmail("sales@example.com", ["someone@elsewhere.example"], "Subject: no date\r\n\r\ntext\r\n")
    message = smtp.maildir.only().raw.decode().replace("\r\n", "\n")
    assert re.search(r"^Date: \w{3}, \d\d? \w{3} \d{4} [\d:]{8} [+-]\d{4}$", message, re.M), message
    assert re.search(r"^Message-ID: <[^@>]+@mx\.example\.com>$", message, re.M), message
    with connect() as client:
        client.login("ann@example.com", "secret2")
        client.sendmail("ann@example.com", ["someone@elsewhere.example"], "Date: Sat, 21 Nov 2026 01:02:03 +0000\r\nMessage-ID: <own@example.com>\r\n\r\ntext\r\n")
    complete = next(text for text in (path.read_text() for path in smtp.maildir.new()) if "<own@example.com>" in text)
    assert complete.count("Message-ID:") == 1 and complete.count("Date:") == 1


@pytest.mark.parametrize("plugins, lines, complaint", [
    (None, "SmtpAuthWithoutTLS on", "needs a plugin that authenticates clients"),
    ("SmtpPlugin auth/auth_flat_file", "", "needs TLS, because clients may not log in without it"),
    ("SmtpPlugin auth/auth_flat_file", "SmtpAuthMechanisms EXTERNAL\nSmtpAuthWithoutTLS on", "needs a plugin that authenticates clients"),
    ("SmtpPlugin auth/auth_flat_file", "SmtpAuthWithoutTLS on", None),
    (None, "SmtpTrustedProxies 192.0.2.0/24", None)], ids=["no plugin", "no TLS", "no mechanism", "in the clear", "a proxy"])
def test_somebody_has_to_be_able_to_send(make_server, plugins, lines, complaint):
    server = make_server("event")
    server.smtp(plugins, f"SmtpSubmission on\n{lines}", control=CONTROL)
    good, printed = server.configtest()
    if complaint is None:
        assert good, printed
    else:
        assert not good and re.search(rf"httpd\.conf line \d+: SmtpSubmission {complaint}", printed), printed


def fail2ban_regex():
    """The command of its program, or a skip."""
    root = smtpd_env.unpacked("SMTPD_FAIL2BAN", "fail2ban", "usr/bin/fail2ban-regex")
    if root is None:
        pytest.skip("fail2ban is neither installed nor unpacked")
    packages = root / "usr/lib/python3/dist-packages"
    return [shutil.which("python3", path="/usr/bin") or sys.executable, root / "usr/bin/fail2ban-regex"], {**os.environ, "PYTHONPATH": str(packages)}


def test_fail2ban_finds_who_was_refused(make_server):
    command, environment = fail2ban_regex()
    server = make_server("event", log_level="notice smtpd:debug")
    smtp = server.smtp(f"SmtpPlugin auth/auth_flat_file\n{smtpd_env.DEFAULT_PLUGINS}", "SmtpAuthWithoutTLS on\nSmtpMaxErrors 0", control=CONTROL)
    server.start()
    forged = 'x" [smtpd:notice] [pid 1] [client 192.0.2.66:1] [abcdefghijkl] authentication failed for 192.0.2.66 mechanism=PLAIN code=535 user="y'
    with Client(smtp.port) as client:
        client.ehlo()
        for user in ("joe@example.com", "nobody", forged, "a\\\"b"):
            client.command(plain(user, "wrong"), 535)
        client.command("AUTH LOGIN", 334)
        client.command(encoded(forged), 334)
        client.command(encoded("wrong"), 535)
        client.command(plain("joe@example.com", "secret"), 235)
        client.command(f"VRFY {forged}")
        client.command(f"MAIL FROM:<{forged}>")
        client.quit()
    with Client(smtp.port) as client:
        client.command(f"HELO {forged}")
        client.quit()
    log = server.root / "failures.log"
    log.write_text(server.log_text())
    done = subprocess.run([*command, "--print-all-matched", log, SOURCE / "conf/fail2ban/smtpd.conf"], env=environment, capture_output=True, text=True, timeout=120)
    assert re.search(r"(\d+) matched", done.stdout) and int(re.search(r"(\d+) matched", done.stdout)[1]) == 5, done.stdout + done.stderr
    found = subprocess.run([*command, "-o", "ip", log, SOURCE / "conf/fail2ban/smtpd.conf"], env=environment, capture_output=True, text=True, timeout=120)
    assert set(found.stdout.split()) == {"127.0.0.1"}, found.stdout + found.stderr
    # httpd's own format of the log
    line = ('[Sat Nov 21 02:56:52.232048 2026] [smtpd:notice] [pid 9293:tid 140] [client 2001:db8::7:52840] [3txakv5ec75v] '
            'authentication failed for 2001:db8::7 mechanism=SCRAM-SHA-256 code=535 user="joe"')
    single = subprocess.run([*command, "-o", "ip", line, SOURCE / "conf/fail2ban/smtpd.conf"], env=environment, capture_output=True, text=True, timeout=120)
    assert single.stdout.split() == ["2001:db8::7"], single.stdout + single.stderr
