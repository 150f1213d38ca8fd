"""AUTH on a running server: real clients, TLS from mod_ssl on a separate port, refusals, waits, and logs without
passwords."""

import base64
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

import sanitizers
import smtpd_env
from certificates import SESSION_CACHE, Authority, client_context, lines as ssl_lines, needs_mod_ssl
from smtp_client import Client, Closed

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
SECRET = "correct horse battery"
HIDDEN = "hidden-from-everybody"
KNOWS = f'SmtpPlugin knows_passwords account=joe:{HIDDEN} account="jane@example.com:{SECRET}"'
PLUGINS = smtpd_env.DEFAULT_PLUGINS
HEADER = "From: jane@example.com\r\nSubject: auth\r\n\r\n"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def plain(user, password):
    return "AUTH PLAIN " + encoded(f"\0{user}\0{password}")


def make_tls_server(make_server, mpm, options="", lines=""):
    """A server like one on port 465: (server, virtual host, TLS context of a client)."""
    needs_mod_ssl()
    server = make_server(mpm, modules=("ssl", "socache_shmcb"), main=SESSION_CACHE, log_level="notice smtpd:trace1")
    authority = Authority(server.root)
    ssl_config = ssl_lines(authority.issue("localhost", "mx.example.com"))
    smtp = server.smtp(f"{KNOWS} {options}\n{PLUGINS}", f'SmtpPluginDir "{HELPERS}"\nSmtpAuthMechanisms +CRAM-MD5\n{ssl_config}\n{lines}')
    server.start()
    return server, smtp, client_context(authority)


def make_clear_server(make_server, mpm="event", options="", lines="SmtpAuthWithoutTLS on"):
    server = make_server(mpm, log_level="notice smtpd:trace1")
    smtp = server.smtp(f"{KNOWS} {options}\n{PLUGINS}", f'SmtpPluginDir "{HELPERS}"\n{lines}')
    server.start()
    return server, smtp


def check_log_is_clean(server):
    """No log line has a password, neither clear nor in any base64."""
    text = server.log_text()
    for secret in (SECRET, HIDDEN):
        assert secret not in text
        for shift in range(3):  # base64 of the same octets at each of its three positions, without its ends
            inside = base64.b64encode(b"x" * shift + secret.encode())[4:-4].decode()
            assert inside not in text, inside


def only_message(smtp):
    return smtp.maildir.only().raw.decode().replace("\r\n", "\n")


def test_smtplib_logs_in_over_tls(make_server, mpm):
    server, smtp, context = make_tls_server(make_server, mpm, "cram=yes")
    for mechanism in ("auth_plain", "auth_login", "auth_cram_md5"):
        with smtplib.SMTP_SSL("localhost", smtp.port, context=context, timeout=20 * smtpd_env.SLOWDOWN) as client:
            client.ehlo()
            assert client.esmtp_features["auth"].split() == ["CRAM-MD5", "LOGIN", "PLAIN"]
            client.user, client.password = "jane@example.com", SECRET
            code, _ = client.auth(mechanism.removeprefix("auth_").replace("_", "-").upper(), getattr(client, mechanism))
            assert code == 235
    with smtplib.SMTP_SSL("localhost", smtp.port, context=context, timeout=20 * smtpd_env.SLOWDOWN) as client:
        client.login("jane@example.com", SECRET)
        client.sendmail("jane@example.com", ["someone@elsewhere.example"], HEADER + "text\r\n")
    message = only_message(smtp)
    assert "auth=pass (CRAM-MD5) smtp.auth=jane@example.com" in message
    assert "with ESMTPSA id" in message.replace("\n\t", " ")
    assert "(using TLSv1" in message
    check_log_is_clean(server)


def test_swaks_logs_in(make_server):
    swaks = shutil.which("swaks") or pytest.skip("swaks is not installed")
    server, smtp = make_clear_server(make_server, options="cram=yes", lines="SmtpAuthWithoutTLS on\nSmtpAuthMechanisms +CRAM-MD5")
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        command = [swaks, "--server", "127.0.0.1", "--port", str(smtp.port), "--from", "jane@example.com", "--to", "someone@elsewhere.example",
                   "--auth", mechanism]
        done = subprocess.run([*command, "--auth-user", "jane@example.com", "--auth-password", SECRET], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        wrong = subprocess.run([*command, "--auth-user", "jane@example.com", "--auth-password", "wrong"], capture_output=True, text=True, timeout=60)
        assert wrong.returncode == 28 and "535 5.7.8" in wrong.stdout, wrong.stdout + wrong.stderr
    assert len(smtp.maildir.new()) == 3
    check_log_is_clean(server)


def test_without_encryption_nothing_is_offered(make_server):
    server, smtp = make_clear_server(make_server, lines="")
    server.allow_log("clients cannot log in, because AUTH requires TLS")
    with Client(smtp.port) as client:
        assert "AUTH" not in client.ehlo().text
        client.command(plain("joe", HIDDEN), 538, "5.7.11")
        client.command("AUTH LOGIN", 538, "5.7.11")
        client.command("MAIL FROM:<joe@example.com> AUTH=<>", 555)
        client.quit()
    check_log_is_clean(server)


def test_the_directive_is_one_of_virtual_hosts(make_server):
    server = make_server("event", main="SmtpAuthWithoutTLS on")
    server.allow_log("clients cannot log in, because AUTH requires TLS")
    inherits = server.smtp(f"{KNOWS}\n{PLUGINS}", f'SmtpPluginDir "{HELPERS}"')
    own = server.smtp(f"{KNOWS}\n{PLUGINS}", f'SmtpPluginDir "{HELPERS}"\nSmtpAuthWithoutTLS off', name="other.example.com")
    nobody = server.smtp(name="third.example.com")
    server.start()
    for host, offered in ((inherits, True), (own, False), (nobody, False)):
        with Client(host.port) as client:
            assert ("AUTH LOGIN PLAIN" in client.ehlo().text) == offered
            client.command(plain("joe", HIDDEN), 235 if offered else 538 if host is own else 502)
            client.quit()


def test_only_who_authenticated_may_relay(make_server, mpm):
    server, smtp = make_clear_server(make_server, mpm)
    with Client(smtp.port) as client:
        client.ehlo()
        client.command(plain("joe", "wrong"), 535, "5.7.8")
        client.command(plain("stranger", HIDDEN), 535, "5.7.8")
        client.command(plain("down", HIDDEN), 454, "4.7.0")
        client.command("MAIL FROM:<joe@example.com>", 250)
        client.command("RCPT TO:<someone@elsewhere.example>", 550)
        client.command("RSET", 250)
        client.command("AUTH LOGIN", 334)
        client.command(encoded("joe"), 334)
        client.command(encoded(HIDDEN), 235, "2.7.0")
        client.command("MAIL FROM:<joe@example.com> AUTH=<>", 250)
        client.command("RCPT TO:<someone@elsewhere.example>", 250)
        client.quit()
    check_log_is_clean(server)
    log = server.log_text()
    assert 'authentication failed for 127.0.0.1 mechanism=PLAIN code=535 user="joe"' in log
    assert 'authenticated mechanism=LOGIN user="joe"' in log


def test_a_client_that_authenticates_is_forgiven(make_server):
    options = "\nSmtpPlugin earlytalker wait=1s reject=naughty\nSmtpPlugin naughty reject=rcpt reject_type=perm"
    server, smtp = make_clear_server(make_server, options=options)
    for login, code in ((False, 550), (True, 250)):
        with Client(smtp.port, greet=False) as client:
            client.send("EHLO client.example.net\r\n")
            client.reply().expect(220)
            client.reply().expect(250)
            if login:
                client.command(plain("joe", HIDDEN), 235)
            client.command("MAIL FROM:<joe@example.com>", 250)
            client.command("RCPT TO:<user@example.com>", code)
            client.quit()


def test_failures_end_the_session(make_server):
    server, smtp = make_clear_server(make_server, lines="SmtpAuthWithoutTLS on\nSmtpMaxErrors 3")
    with Client(smtp.port) as client:
        client.ehlo()
        client.command(plain("joe", "1"), 535)
        client.command(plain("joe", "2"), 535)
        client.send(plain("joe", "3") + "\r\n")
        client.reply().expect(535)
        client.reply().expect(421, "4.7.0")
        client.expect_close()


def test_a_delayed_answer_holds_nobody_up(make_server):
    """More clients wait than there are threads."""
    server = make_server("event", threads=4, log_level="notice smtpd:info")
    smtp = server.smtp(f"{KNOWS} delay=1s\n{PLUGINS}", f'SmtpPluginDir "{HELPERS}"\nSmtpAuthWithoutTLS on')
    server.start()
    clients = [Client(smtp.port) for _ in range(12)]
    try:
        for client in clients:
            client.ehlo()
        before = time.monotonic()
        for client in clients:
            client.send(plain("joe", HIDDEN) + "\r\nNOOP\r\n")
        for client in clients:
            client.reply().expect(235)
            client.reply().expect(250)
        took = time.monotonic() - before
        assert 0.9 <= took < 2.5 * smtpd_env.SLOWDOWN, took
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("step", ["after the command", "after the user", "inside a line", "while it is decided"])
def test_clients_that_vanish_leave_nothing(make_server, mpm, step):
    server, smtp = make_clear_server(make_server, mpm, "delay=300ms" if step == "while it is decided" else "")
    with Client(smtp.port) as client:
        client.ehlo()
        if step == "while it is decided":
            client.send(plain("joe", HIDDEN) + "\r\n")
        else:
            client.command("AUTH LOGIN", 334)
        if step == "after the user":
            client.command(encoded("joe"), 334)
        if step == "inside a line":
            client.send(encoded("joe"))
        client.reset()
    smtpd_env.wait_until(lambda: "disconnect after" in server.log_text(), 15, "the session did not end")
    with Client(smtp.port) as client:
        client.ehlo()
        client.command(plain("joe", HIDDEN), 235)
        client.quit()
    check_log_is_clean(server)


def test_a_client_in_the_clear_on_the_tls_port_is_turned_away(make_server, mpm):
    server, smtp, context = make_tls_server(make_server, mpm)
    with Client(smtp.port, greet=False) as client:
        client.send("EHLO client.example.net\r\n")
        try:
            raw = client.socket.recv(1000)
        except ConnectionResetError:
            raw = b""
        assert not raw.startswith(b"2"), raw
    with smtplib.SMTP_SSL("localhost", smtp.port, context=context, timeout=20 * smtpd_env.SLOWDOWN) as client:
        client.login("joe", HIDDEN)
    check_log_is_clean(server)


def test_a_broken_handshake_costs_one_connection(make_server):
    server, smtp, context = make_tls_server(make_server, "event")
    with Client(smtp.port, greet=False) as client:
        client.send(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03")
        client.half_close()
        with pytest.raises((Closed, AssertionError)):
            client.reply()
    untrusting = ssl.create_default_context()
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", smtp.port), timeout=20) as raw:
        untrusting.wrap_socket(raw, server_hostname="localhost")
    with smtplib.SMTP_SSL("localhost", smtp.port, context=context, timeout=20 * smtpd_env.SLOWDOWN) as client:
        client.login("joe", HIDDEN)
