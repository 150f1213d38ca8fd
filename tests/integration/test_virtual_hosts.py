"""Several virtual hosts in one server: SMTP with different plugins, HTTP next to it, inherited settings, and other
modules of httpd."""

import contextlib
import html
import re
import time
import urllib.request

import pytest

from maildir import check_stored
from smtp_client import Client, Closed, BadReply
from smtpd_env import SLOWDOWN, wait_until

HEADER = b"From: sender@example.net\r\nSubject: hosts\r\n\r\n"


def fetch(port, path="/"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.read().decode()


@pytest.fixture
def three(make_server, mpm):
    """(server, SMTP for example.com, SMTP for example.org, HTTP)"""
    server = make_server(mpm, modules=("authz_core",))
    (server.work / "htdocs").mkdir()
    (server.work / "htdocs" / "page").write_text("a page\n")
    (server.work / "htdocs").chmod(0o755)
    (server.work / "htdocs" / "page").chmod(0o644)
    com = server.smtp(name="mx.example.com")
    org = server.smtp('SmtpPlugin count_unrecognized_commands 1\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" newline=lf', name="mx.example.org",
                      lines="SmtpGreeting \"mx.example.org ESMTP hello\"\nSmtpMaxRecipients 1", control={"rcpthosts": "example.org\n"})
    web = server.http(f'DocumentRoot "{server.work}/htdocs"')
    server.start()
    return server, com, org, web


def test_a_port_without_a_protocol_greets_at_once(make_server, mpm):
    """`Listen 25` alone means HTTP to httpd, and the kernel would keep the connection until the client has sent
    something."""
    server = make_server(mpm)
    plain = server.http("SmtpEngine on", name="mx.example.com", protocol="")
    server.expect_log("no plugin accepts recipients: ")
    server.allow_log("there is no queue plugin: ")
    server.start()
    began = time.monotonic()
    with Client(plain.port, timeout=20) as client:
        client.ehlo()
    assert time.monotonic() - began < 0.9 * SLOWDOWN


def test_each_has_its_own_plugins_and_settings(three):
    _, com, org, web = three
    with Client(com.port) as client:
        assert client.greeting.text.startswith("mx.example.com ESMTP")
        client.ehlo()
        client.command("BOGUS", 500)
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@example.org>", 550, "5.7.1")
        client.command("RCPT TO:<user@example.com>", 250)
        client.command("RCPT TO:<user2@example.com>", 250)
        client.data(HEADER + b"com\r\n").expect(250)
        client.quit()
    with Client(org.port) as client:
        assert client.greeting.text.startswith("mx.example.org ESMTP hello ")
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@example.com>", 550, "5.7.1")
        client.command("RCPT TO:<user@example.org>", 250)
        client.command("RCPT TO:<user2@example.org>", 452, "4.5.3")
        client.data(HEADER + b"org\r\n").expect(250)
        client.command("BOGUS", 521)
        client.expect_close()
    check_stored(com.maildir.only(), HEADER + b"com\r\n", recipients=("user@example.com", "user2@example.com"))
    assert org.maildir.only().raw.endswith(HEADER.replace(b"\r\n", b"\n") + b"org\n")
    assert b"by mx.example.org" in org.maildir.only().raw
    assert fetch(web.port, "/page") == "a page\n"


def test_http_host_never_speaks_smtp(three):
    _, _, _, web = three
    with Client(web.port, greet=False) as client:
        assert client.is_silent_for(0.5), "the HTTP host speaks first"
        client.send(b"EHLO client.example.net\r\n\r\n")
        with pytest.raises((BadReply, Closed)):
            raise AssertionError(f"the HTTP host speaks SMTP: {client.reply()!r}")


def test_smtp_host_never_speaks_http(three):
    _, com, _, _ = three
    for request in (b"GET /page HTTP/1.1\r\nHost: www.example.com\r\n\r\n", b"HEAD / HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n"):
        with Client(com.port) as client:
            client.send(request)
            replies = client.remaining_replies()
            assert [reply.code for reply in replies] == [554]


def test_http_works_while_smtp_sessions_wait(three):
    server, com, _, web = three
    waiting = [Client(com.port) for _ in range(8)]
    for client in waiting:
        client.ehlo()
    assert fetch(web.port, "/page") == "a page\n"
    for client in waiting:
        client.quit()


def test_settings_of_the_main_server_are_inherited(make_server):
    server = make_server("event", main='SmtpMaxRecipients 2\nSmtpMaxMessageSize 1000\nSmtpUnknownParameters ignore\nSmtpPluginDir "@plugins@"\nSmtpPlugin rcpt_ok\n'
                                       "SmtpPlugin count_unrecognized_commands 2\n")
    heir = server.smtp('SmtpPlugin queue/maildir "@maildir@"')
    own = server.smtp('SmtpPluginInherit off\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"', "SmtpMaxRecipients 3\nSmtpMaxMessageSize 2000\nSmtpUnknownParameters refuse")
    changed = server.smtp('SmtpPlugin count_unrecognized_commands 3\nSmtpPlugin queue/maildir "@maildir@"')
    server.start()

    def facts(host):
        with Client(host.port) as client:
            size = next(line for line in client.ehlo().lines if line.startswith("SIZE"))
            parameter = client.command("MAIL FROM:<a@example.net> X-UNKNOWN=1").code
            client.command("RSET", 250)
            client.command("MAIL FROM:<a@example.net>", 250)
            recipients = 0
            while client.command(f"RCPT TO:<user{recipients}@example.com>").code == 250:
                recipients += 1
            client.data(HEADER).expect(250)
            unknown = []
            for _ in range(3):
                unknown.append(client.command("BOGUS").code)
                if unknown[-1] == 521:
                    break
        return size, parameter, recipients, unknown

    assert facts(heir) == ("SIZE 1000", 250, 2, [500, 521])
    assert facts(own) == ("SIZE 2000", 555, 3, [500, 500, 500])
    assert facts(changed) == ("SIZE 1000", 250, 2, [500, 500, 521])


def test_engine_of_the_main_server(make_server):
    """On for the main server: virtual hosts inherit it unless they say off."""
    server = make_server("event", modules=("authz_core",), main='SmtpEngine on\nSmtpPluginDir "@plugins@"\n')
    inherits = server.http("", name="mx.example.com", protocol="smtp")
    refuses = server.http("SmtpEngine off")
    server.expect_log("no plugin accepts recipients: ")
    server.allow_log("there is no queue plugin: ")
    server.start()
    with Client(inherits.port) as client:
        assert client.greeting.text.startswith("mx.example.com ")
        client.quit()
    with Client(refuses.port, greet=False) as client:
        assert client.is_silent_for(0.5)


def test_several_addresses_of_one_host(make_server, needs_ipv6):
    server = make_server("event")
    smtp = server.smtp()
    server.start()
    for host in ("127.0.0.1", "::1"):
        with Client(smtp.port, host=host) as client:
            client.ehlo()
            client.deliver(HEADER).expect(250)
    literals = sorted(re.search(r"\[[^]]*\]", stored.field("Received"))[0] for stored in smtp.maildir.stored())
    assert literals == ["[127.0.0.1]", "[IPv6:::1]"]


# --- other modules

STATUS = '<Location "/server-status">\nSetHandler server-status\n</Location>'


def test_server_status_shows_sessions(make_server, mpm):
    server = make_server(mpm, modules=("authz_core", "status"), main="ExtendedStatus On")
    smtp = server.smtp()
    web = server.http(STATUS)
    server.start()
    with Client(smtp.port) as idle, Client(smtp.port, source="127.0.0.44") as receiving:
        idle.ehlo()
        receiving.ehlo()
        receiving.envelope()
        receiving.command("DATA", 354)
        receiving.send(HEADER)
        time.sleep(0.2)
        page = html.unescape(re.sub(r"<[^>]+>", " ", fetch(web.port, "/server-status")))
        rows = [row for row in page.splitlines() if "127.0.0.44" in row]
        assert rows, page
        assert re.search(r"127\.0\.0\.44.*receiving.*DATA|DATA.*receiving", page, re.S), page
        assert re.search(r"EHLO", page), page
        auto = fetch(web.port, "/server-status?auto")
        assert re.search(r"^Smtp\w*: 2$", auto, re.M), auto
        receiving.send(b".\r\n")
        receiving.reply().expect(250)
    deadline = time.monotonic() + 10 * SLOWDOWN
    while not re.search(r"^Smtp\w*: 0$", fetch(web.port, "/server-status?auto"), re.M):
        assert time.monotonic() < deadline, "sessions that ended are still shown"
        time.sleep(0.1)


def test_server_status_shows_a_session_that_has_not_said_anything(make_server):
    server = make_server("event", modules=("authz_core", "status"), main="ExtendedStatus On")
    smtp = server.smtp('SmtpPlugin earlytalker wait=3\nSmtpPlugin rcpt_ok')
    web = server.http(STATUS)
    server.start()
    with Client(smtp.port, greet=False, source="127.0.0.45"):
        time.sleep(0.3)
        for path in ("/server-status", "/server-status?auto"):
            assert re.search(r"127\.0\.0\.45.*waiting", fetch(web.port, path), re.S)


def test_server_status_shows_no_octets_of_the_client_as_html(make_server):
    server = make_server("event", modules=("authz_core", "status"), main="ExtendedStatus On")
    smtp = server.smtp()
    web = server.http(STATUS)
    server.start()
    with Client(smtp.port) as client:
        client.command("EHLO <script>alert(1)</script>", (250, 501))
        client.command("<script>alert(2)</script>", 500)
        assert "<script>alert" not in fetch(web.port, "/server-status")


def test_reqtimeout_does_not_cut_sessions(make_server, mpm):
    server = make_server(mpm, modules=("reqtimeout",), main="RequestReadTimeout handshake=1 header=1,MinRate=5000 body=1,MinRate=5000")
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        time.sleep(1.3)
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(HEADER)
        time.sleep(1.3)
        client.send(b"text\r\n.\r\n")
        client.reply().expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), HEADER + b"text\r\n")


@pytest.mark.parametrize("modules, main", [
    (("authz_core", "ratelimit", "deflate", "filter"), "SetOutputFilter DEFLATE"),
    (("authz_core", "dumpio"), "DumpIOInput On\nDumpIOOutput On"),
    (("authz_core", "logio", "log_config"), 'CustomLog "@root@/access.log" "%h %I %O"'),
    (("authz_core", "remoteip"), "RemoteIPHeader X-Client-IP"),
    (("authz_core", "http2"), "Protocols h2 h2c http/1.1"),
    (("authz_core", "md", "ssl", "socache_shmcb"), 'SSLSessionCache "shmcb:@root@/cache(512000)"'),
], ids=lambda value: "+".join(value) if isinstance(value, tuple) else "")
def test_other_modules_do_not_interfere(make_server, modules, main):
    server = make_server("event", modules=modules, main=main)
    smtp = server.smtp()
    server.start()
    message = HEADER + b"x" * 70_000 + b"\r\n"
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(message).expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), message)


def test_keep_alive_and_request_settings_of_http_do_not_matter(make_server):
    server = make_server("event", main="KeepAlive Off\nMaxKeepAliveRequests 1\nLimitRequestLine 20\nLimitRequestBody 10\nMaxConnectionsPerChild 0")
    smtp = server.smtp()
    server.start()
    message = HEADER + b"y" * 500 + b"\r\n"
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(3):
            client.deliver(message).expect(250)
        client.quit()
    assert len(smtp.maildir.new()) == 3


@pytest.mark.parametrize("mpm", ["event", "worker"])
def test_sessions_go_on_in_a_child_that_ends_by_itself(make_server, mpm):
    """No restart, so no session gets a 421: the session goes on, and the child ends with it."""
    server = make_server(mpm, children=2, threads=4, main="MaxConnectionsPerChild 5")
    smtp = server.smtp()
    server.start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(smtp.port)) for _ in range(4)]
        before = set(server.children())
        for _ in range(40):  # more than both children may have
            with contextlib.suppress(Closed), Client(smtp.port, greet=False) as client:
                client.reply()
                client.command("QUIT")
            if len(set(server.children()) - before) >= 2:
                break
        wait_until(lambda: len(set(server.children()) - before) >= 2, 10, "no child was replaced")
        time.sleep(2.5)  # the look of every second
        for number, client in enumerate(clients):
            client.ehlo()
            client.deliver(HEADER + b"%d\r\n" % number).expect(250)
            client.quit()
    assert len(smtp.maildir.new()) == 4
    wait_until(lambda: not before & set(server.children()), 15, "the old children do not end")


def test_children_that_end_after_some_connections_lose_nothing(make_server, mpm):
    server = make_server(mpm, children=2, threads=4, main="MaxConnectionsPerChild 5")
    smtp = server.smtp()
    server.start()
    delivered = turned_away = 0
    while delivered < 40 and turned_away < 40:
        with Client(smtp.port) as client:
            if client.command("EHLO client.example.net").code == 421 or (mail := client.command("MAIL FROM:<sender@example.net>")).code == 421:
                turned_away += 1
                continue
            mail.expect(250)
            client.command("RCPT TO:<user@example.com>", 250)
            client.data(HEADER + b"%d\r\n" % delivered).expect(250)
            delivered += 1
            client.send("QUIT\r\n")
            client.reply().expect((221, 421))
    # The last sessions of a child may be turned away for now; most clients notice nothing.
    assert turned_away <= 20
    assert len(smtp.maildir.new()) == 40
