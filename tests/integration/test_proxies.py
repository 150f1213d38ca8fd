"""Clients behind a proxy: their own address counts, in limits, plugins, logs and the Received field, and only for
trusted proxies."""

import ssl
import struct

import pytest

from certificates import client_context
from smtp_client import Client, encrypted
from smtpd_env import SLOWDOWN, wait_until

HEADER = b"From: sender@example.net\r\nSubject: proxied\r\n\r\n"
PROXY = "SmtpTrustedProxies 127.0.0.1\nSmtpProxyProtocol on"


def version_1(client="192.0.2.7", server="198.51.100.1"):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {server} 4660 25\r\n".encode()


def version_2(client=(192, 0, 2, 7), extensions=b""):
    body = bytes(client) + bytes((198, 51, 100, 1)) + struct.pack("!HH", 4660, 25) + extensions
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body)) + body


LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


def proxied(port, header, **options):
    """A client behind a proxy that has sent this header."""
    client = Client(port, greet=False, **options)
    client.send(header)
    return client


def greeted(port, header, **options):
    client = proxied(port, header, **options)
    client.reply().expect(220)
    return client


@pytest.mark.parametrize("header", [version_1(), version_2(), version_2(extensions=b"\x02\x00\x03abc")], ids=["v1", "v2", "v2 with extensions"])
def test_client_of_a_proxy(make_server, mpm, header):
    server = make_server(mpm)
    smtp = server.smtp(lines=PROXY)
    server.start()
    with greeted(smtp.port, header) as client:
        client.ehlo()
        client.deliver(HEADER + b"hello\r\n").expect(250)
        client.quit()
    assert "[192.0.2.7]" in smtp.maildir.only().field("Received")
    server.wait_log(r"\[client 192\.0\.2\.7:4660\] .*\] connect(?: \(host\.example\.net\))?$")


def test_header_in_pieces_and_commands_behind_it(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines=PROXY)
    server.start()
    for header in (version_1("2001:db8::7", "2001:db8::1"), version_2()):
        client = Client(smtp.port, greet=False)
        client.send_slowly(header, pause=0.01, size=5)
        client.reply().expect(220)
        client.ehlo()
        client.quit()
    with proxied(smtp.port, version_1() + b"NOOP\r\nQUIT\r\n") as eager:
        eager.reply().expect(220)
        eager.reply().expect(250)
        eager.reply().expect(221)


def test_header_that_does_not_come_holds_no_thread(make_server):
    server = make_server("event", threads=4)
    smtp = server.smtp(lines=PROXY)
    server.start()
    silent = [Client(smtp.port, greet=False) for _ in range(20)]
    for _ in range(3):
        with greeted(smtp.port, version_1()) as client:
            client.quit()
    for client in silent:
        assert client.is_silent_for(0.01)
        client.send(version_2())
        client.reply().expect(220)
        client.quit()


def test_header_that_never_comes(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines=PROXY + "\nTimeout 2")
    server.start()
    with Client(smtp.port, greet=False) as client:
        client.send(b"PROXY TCP4 ")
        client.expect_close()


@pytest.mark.parametrize("sent", [b"EHLO client.example.net\r\n", b"PROXY TCP4 192.0.2.7\r\n", version_2()[:-1] + b"", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x04abcd",
                                  b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
                         ids=["SMTP", "half a line", "cut off", "too short", "TLS"])
def test_trusted_proxy_that_sends_something_else(make_server, mpm, sent):
    server = make_server(mpm)
    smtp = server.smtp(lines=PROXY)
    server.start()
    with proxied(smtp.port, sent) as client:
        client.half_close()
        client.expect_close()  # and not a word
    server.wait_log(r"refused: no PROXY header from the trusted proxy: ")


def test_health_check_is_a_client_like_others(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines=PROXY)
    server.start()
    for header in (LOCAL, b"PROXY UNKNOWN\r\n"):
        with greeted(smtp.port, header) as client:
            client.quit()
    server.wait_log(r"\[client 127\.0\.0\.1:\d+\] .*\] connect$", count=2)


def test_header_of_somebody_who_is_not_trusted(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1\nSmtpProxyProtocol on")
    server.start()
    with Client(smtp.port, source="127.0.0.2") as client:  # is greeted at once: it speaks for itself
        client.send(version_1("10.1.2.3"))
        client.reply().expect(500)
        client.quit()
    server.wait_log(r"\[client 127\.0\.0\.2:\d+\] .*\] connect$")
    assert "[client 10.1.2.3" not in server.log_text()


def test_header_where_none_is_expected(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1")
    server.start()
    with Client(smtp.port) as client:
        client.send(version_1())
        client.reply().expect(500)
        client.quit()


def test_limits_count_the_client_and_not_the_proxy(make_server, mpm):
    server = make_server(mpm, threads=16)
    smtp = server.smtp(lines=PROXY + "\nSmtpMaxConnectionsPerClient 2")
    server.start()
    clients = [greeted(smtp.port, version_1(f"192.0.2.{number}")) for number in (7, 7, 8, 8, 9)]
    with proxied(smtp.port, version_1("192.0.2.7")) as third:
        third.reply().expect(421, "4.7.0")
    clients.pop(0).quit()
    def attempt():
        client = proxied(smtp.port, version_1("192.0.2.7"))
        is_greeted = client.reply().code == 220
        client.close()
        return is_greeted
    wait_until(attempt, 10, "the session did not become free", interval=0.1)
    checks = [greeted(smtp.port, LOCAL) for _ in range(4)]  # the proxy itself is not limited
    for client in clients + checks:
        client.quit()


def test_plugins_see_the_client(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp("SmtpPlugin hosts_allow", lines=PROXY, control={"hosts_allow": "192.0.2.0/24 DENY not you\n"})
    server.start()
    with proxied(smtp.port, version_2()) as client:
        client.reply().expect(550)
    with greeted(smtp.port, version_2((203, 0, 113, 5))) as client:
        client.quit()


# --- XCLIENT and XFORWARD

def test_client_of_a_mail_server(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1")
    server.start()
    with Client(smtp.port) as client:
        assert "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT" in client.ehlo().text
        client.command("XCLIENT NAME=host.example.net ADDR=192.0.2.7 PORT=4660", 220)
        client.ehlo("client.example.net")
        client.deliver(HEADER + b"hello\r\n").expect(250)
        client.command("XCLIENT ADDR=IPV6:2001:db8::7", 220)
        client.quit()
    received = smtp.maildir.only().field("Received")
    assert "host.example.net [192.0.2.7]" in received and "127.0.0.1" not in received
    server.wait_log(r"\[client 192\.0\.2\.7:4660\] .*\] connect(?: \(host\.example\.net\))?$")
    server.wait_log(r"\[client 2001:db8::7.*\] connect$")


def test_mail_server_that_is_not_trusted(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1")
    server.start()
    with Client(smtp.port, source="127.0.0.2") as client:
        assert "XCLIENT" not in client.ehlo().text
        client.command("XCLIENT ADDR=192.0.2.7", 550, "5.7.0")
        client.command("XFORWARD ADDR=192.0.2.7", 550, "5.7.0")
        client.quit()
    assert "[client 192.0.2.7" not in server.log_text()


def test_limits_count_the_client_of_xclient(make_server, mpm):
    server = make_server(mpm, threads=16)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1\nSmtpMaxConnectionsPerClient 2")
    server.start()
    clients = [Client(smtp.port) for _ in range(5)]
    for client, number in zip(clients, (7, 7, 8, 8, 9)):
        client.command(f"XCLIENT ADDR=192.0.2.{number}", 220)
    with Client(smtp.port) as third:
        third.command("XCLIENT ADDR=192.0.2.7", 421, "4.7.0")
        third.expect_close()
    clients[0].command("XCLIENT ADDR=192.0.2.9", 220)
    with Client(smtp.port) as third:
        third.command("XCLIENT ADDR=192.0.2.7", 220)
        third.quit()
    for client in clients:
        client.quit()


def test_xclient_behind_a_balancer(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1 192.0.2.7\nSmtpProxyProtocol on")
    server.start()
    with greeted(smtp.port, version_1()) as client:  # the mail server, through the balancer
        client.command("XCLIENT ADDR=203.0.113.5", 220)
        client.quit()
    with greeted(smtp.port, version_1("192.0.2.8")) as client:
        client.command("XCLIENT ADDR=203.0.113.6", 550)
        client.quit()
    server.wait_log(r"\[client 203\.0\.113\.5:\d+\] .*\] connect$")


def test_origin_of_a_message(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpTrustedProxies 127.0.0.1")
    server.start()
    with Client(smtp.port) as client:
        assert "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE" in client.ehlo().text
        client.command("XFORWARD NAME=host.example.net ADDR=192.0.2.7 IDENT=4B0F8+2Ex", 250)
        client.deliver(HEADER + b"hello\r\n").expect(250)
        client.quit()
    server.wait_log(r"forwarded for host\.example\.net \[192\.0\.2\.7\].* ident=4B0F8\.x")
    assert "127.0.0.1" in smtp.maildir.only().field("Received")


@pytest.mark.parametrize("lines, complaint", [
    ("SmtpProxyProtocol on", "SmtpProxyProtocol needs SmtpTrustedProxies"),
    ("SmtpTrustedProxies none\nSmtpProxyProtocol on", "SmtpProxyProtocol needs SmtpTrustedProxies"),
    ("SmtpTrustedProxies 192.0.2.0/33", '"192.0.2.0/33" is not an address or network'),
    ("SmtpTrustedProxies none 192.0.2.1", '"none" is not an address or network'),
    ("SmtpTrustedProxies", "SmtpTrustedProxies takes the addresses"),
    ("SmtpProxyProtocol maybe", "SmtpProxyProtocol must be On or Off"),
])
def test_mistakes_in_the_configuration(make_server, lines, complaint):
    server = make_server("event")
    server.smtp(lines=lines)
    good, printed = server.configtest()
    assert not good
    assert complaint in printed
    assert "httpd.conf" in printed


# --- and TLS

HOW = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])


@pytest.mark.parametrize("header", [version_1(), version_2(), version_2(extensions=b"\x20\x00\x05\x07\0\0\0\0")], ids=["v1", "v2", "v2 that tells of TLS"])
@HOW
def test_tls_behind_a_proxy(tls_server, mpm, implicit, header):
    """The header comes in the clear, before the handshake; the server ignores the header's information about TLS on
    the other side of the proxy."""
    server, smtp, authority = tls_server(mpm, implicit=implicit, more=PROXY)
    server.start()
    with encrypted(smtp.port, client_context(authority), implicit, header=header) as client:
        client.deliver(HEADER + b"hello\r\n").expect(250)
        client.quit()
    received = smtp.maildir.only().field("Received")
    assert "[192.0.2.7]" in received and "ESMTPS" in received and "(using TLSv1.3" in received
    server.wait_log(r"client 192\.0\.2\.7:4660\] \[\w+\] tls protocol=TLSv1\.3")


def test_a_proxy_that_speaks_of_tls_makes_none(make_server):
    server = make_server("event")
    smtp = server.smtp(lines=PROXY)
    server.start()
    with greeted(smtp.port, version_2(extensions=b"\x20\x00\x05\x07\0\0\0\0")) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)
        client.quit()
    received = smtp.maildir.only().field("Received")
    assert "with ESMTP id" in received.replace("\t", " ") and "TLS" not in received


@pytest.mark.parametrize("size", [1, 40, 100_000])
@HOW
def test_header_and_handshake_in_one_packet_and_in_pieces(tls_server, implicit, size):
    """(With STARTTLS they cannot be in one packet: the greeting is in between.)"""
    server, smtp, authority = tls_server(implicit=implicit, more=PROXY)
    server.start()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(authority).wrap_bio(incoming, outgoing, server_hostname="mx.example.com")
    with Client(smtp.port, greet=False) as client:
        if implicit:
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            client.send_slowly(version_2() + outgoing.read(), pause=0.001, size=size)
        else:
            client.send_slowly(version_2(), pause=0.001, size=size)
            client.reply().expect(220)
            client.ehlo()
            client.command("STARTTLS", 220)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send_slowly(outgoing.read(), pause=0.001, size=size)
                incoming.write(client.socket.recv(1 << 16))
        tls.write(b"EHLO client.example.net\r\nQUIT\r\n")
        client.send_slowly(outgoing.read(), pause=0.001, size=size)
        server.wait_log("disconnect after")
    server.wait_log(r"client 192\.0\.2\.7:4660\] \[\w+\] tls protocol=TLSv1\.3")


def test_without_a_header_there_is_no_handshake(tls_server, mpm):
    """Neither with a client that begins with TLS, nor with one that sends something else and then waits: mod_ssl
    would wait as well."""
    server, smtp, authority = tls_server(mpm, implicit=True, threads=4, more=PROXY)
    server.start()
    with Client(smtp.port, greet=False) as client, pytest.raises((ssl.SSLError, ConnectionError)):
        client_context(authority).wrap_socket(client.socket, server_hostname="mx.example.com")
    for _ in range(12):
        with Client(smtp.port, greet=False) as silent:
            silent.send(b"NO")
            try:
                assert silent.socket.recv(100) == b""
            except ConnectionResetError:
                pass
    server.wait_log("refused: no PROXY header", count=13)
    assert "tls protocol" not in server.log_text()
    with encrypted(smtp.port, client_context(authority), True, header=version_2()) as client:
        client.quit()


@HOW
def test_a_failed_handshake_is_told_with_the_address_of_the_client(tls_server, implicit):
    server, smtp, authority = tls_server(implicit=implicit, more=PROXY)
    server.start()
    with proxied(smtp.port, version_2()) as client:
        if not implicit:
            client.reply().expect(220)
            client.ehlo()
            client.command("STARTTLS", 220)
        client.send(b"EHLO client.example.net\r\n")
        server.wait_log(r"client 192\.0\.2\.7:4660\] \[\w+\] tls handshake failed: the client does not speak TLS")


def test_a_header_that_does_not_come_is_not_waited_for_by_mod_ssl(tls_server, mpm):
    """When httpd's Timeout is over, httpd closes the connection, closing writes, and writing would make the
    handshake."""
    server, smtp, authority = tls_server(mpm, implicit=True, threads=12, main="Timeout 1", more=PROXY)
    server.start()
    silent = [Client(smtp.port, greet=False, timeout=10 * SLOWDOWN) for _ in range(12)]
    for client in silent:
        assert client.socket.recv(100) == b""
        client.close()
