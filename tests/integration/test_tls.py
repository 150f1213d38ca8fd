"""STARTTLS and TLS from the first octet, on a running server: normal and hostile clients, changing certificates, and
mistakes in the configuration."""

import contextlib
import re
import shutil
import smtplib
import ssl
import subprocess
import time

import pytest

from certificates import Authority, client_context, lines
from load import Load
from maildir import check_stored
from raw_tls import PLAIN_TEXT, begin, client_hello, rest_of
from smtp_client import Client, Closed, encrypted, stuffed
from smtpd_env import SLOWDOWN, process_exists, wait_until

HEADER = b"From: sender@example.net\r\nSubject: tls\r\n\r\n"
TIMEOUT = 20 * SLOWDOWN


def run(*command, octets="", timeout=30, check=True):
    """Runs a client and returns its output."""
    program = shutil.which(command[0]) or pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([program, *map(str, command[1:])], input=octets, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="backslashreplace", timeout=timeout * SLOWDOWN)
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def s_client(smtp, authority, *arguments, octets="QUIT\n", check=True):
    how = [] if "-tls" in arguments else ["-starttls", "smtp"]
    return run("openssl", "s_client", *how, "-connect", f"127.0.0.1:{smtp.port}", "-CAfile", authority.certificate, "-verify_return_error", "-crlf", "-ign_eof",
               *(argument for argument in arguments if argument != "-tls"), octets=octets, check=check)


def certificate_of(smtp, authority, name):
    """The subject of the certificate for a client that asks for `name`."""
    context = client_context(authority)
    with Client(smtp.port) as client:
        client.ehlo()
        client.start_tls(context, name)
        return dict(part[0] for part in client.socket.getpeercert()["subject"])["commonName"]


def failures(server, count=1, why=""):
    """The lines about failed handshakes, as soon as there are so many."""
    return server.wait_log(f"tls handshake failed: {why}", count=count)


def check_one_line_each(server, count):
    """Sessions that fail leave one line about it."""
    found = [line for line in server.log_lines() if "handshake" in line.text or "octets after STARTTLS" in line.text]
    assert len(found) == count, "\n".join(map(repr, found))


def encrypt(client, authority, implicit):
    """TLS from the first octet, on a connection from which nothing was read, or by STARTTLS."""
    if implicit:
        client.socket = client_context(authority).wrap_socket(client.socket, server_hostname="mx.example.com")
        client.reply().expect(220)
    else:
        client.ehlo()
        client.start_tls(client_context(authority))


def encrypted_client(smtp, authority):
    """A client that has sent EHLO for the second time, and accepts little data at once."""
    client = Client(smtp.port, receive_buffer=4096, timeout=TIMEOUT)
    encrypt(client, authority, implicit=False)
    client.ehlo()
    return client


def check_still_serving(smtp, authority, implicit=False):
    smtp.maildir.clear()
    message = HEADER + b"still here\r\n"
    with Client(smtp.port, greet=not implicit) as client:
        encrypt(client, authority, implicit)
        client.ehlo()
        client.deliver(message).expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), message)


# --- it works

def test_a_message_over_starttls(tls_server, mpm):
    server, smtp, authority = tls_server(mpm)
    server.start()
    with smtplib.SMTP("localhost", smtp.port, timeout=TIMEOUT) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=client_context(authority))
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 503
        client.sendmail("sender@example.net", ["user@example.com"], (HEADER + b"x" * 70 + b"\r\n") * 1)
    received = smtp.maildir.only().field("received")
    assert "with ESMTPS id" in received.replace("\t", " ")
    assert re.search(r"\(using TLSv1\.3 with cipher TLS_\w+, \d+ bits\)", received)
    server.wait_log(r"\[\w+\] tls protocol=TLSv1\.3 cipher=TLS_\w+ bits=\d+ sni=\"localhost\"")


def test_large_messages_both_ways_of_tls(tls_server, mpm):
    """Many records, and replies of pipelined groups."""
    message = HEADER + b"".join(b"%07d %s\r\n" % (number, b"y" * 60) for number in range(20_000))
    for implicit in (False, True):
        server, smtp, authority = tls_server(mpm, implicit=implicit)
        server.start()
        with Client(smtp.port, greet=not implicit) as client:
            encrypt(client, authority, implicit)
            client.ehlo()
            client.send(b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
            assert [reply.code for reply in client.replies(3)] == [250, 250, 354]
            client.send(stuffed(message))
            client.reply().expect(250)
            client.send(b"NOOP\r\n" * 500 + b"QUIT\r\n")
            assert [reply.code for reply in client.remaining_replies()][-1] in (221, 421)
        check_stored(smtp.maildir.only(), message)


def test_many_clients_at_once(tls_server, mpm):
    """Under event, one thread serves the sessions that are in the middle of a dialogue."""
    server, smtp, authority = tls_server(mpm)
    server.start()
    with Load(smtp.port, clients=8, context=client_context(authority)) as load:
        time.sleep(3 * SLOWDOWN)
        load.finish()
    assert not load.surprises and not load.cut and not load.refusals, (load.surprises, load.cut, load.refusals)
    assert set(load.check(smtp.maildir)) == load.accepted == set(load.sent)
    assert len(load.accepted) > 20


def test_clients_that_never_read_do_not_stop_the_server(tls_server):
    """More clients than threads."""
    server, smtp, authority = tls_server(main="Timeout 2", more="SmtpMaxErrors 0", threads=4)
    server.start()
    clients = [encrypted_client(smtp, authority) for _ in range(8)]
    for client in clients:
        client.socket.setblocking(False)
        with contextlib.suppress(ssl.SSLWantWriteError):
            for _ in range(2000):
                client.socket.send(b"HELP\r\n" * 1000)
    check_still_serving(smtp, authority)
    for client in clients:
        client.close()


def test_swaks_delivers(tls_server):
    server, smtp, authority = tls_server(start_tls="required")
    server.start()
    printed = run("swaks", "--server", "localhost", "--port", smtp.port, "--tls", "--tls-verify", "--tls-ca-path", authority.certificate,
                  "--from", "sender@example.net", "--to", "user@example.com", "--helo", "client.example.net")
    assert "~> QUIT" in printed and "TLS started" in printed, printed
    assert len(smtp.maildir.new()) == 1


def test_required_refuses_what_is_not_encrypted(tls_server):
    server, smtp, authority = tls_server(start_tls="required")
    server.start()
    with Client(smtp.port) as client:
        for line in ("HELO x", "MAIL FROM:<a@example.net>", "RSET", "VRFY x", "WHAT"):
            client.command(line, 530, "5.7.0")
        assert "STARTTLS" in client.ehlo().lines
        client.command("MAIL FROM:<a@example.net>", 530, "5.7.0")
        client.command("NOOP", 250)
        client.start_tls(client_context(authority))
        client.command("MAIL FROM:<a@example.net>", 503)
        client.ehlo()
        client.deliver(HEADER).expect(250)
        client.quit()


def test_other_modules_in_between(tls_server):
    """mod_dumpio sees the octets before TLS; mod_reqtimeout would cut the handshake."""
    server, smtp, authority = tls_server(modules=("dumpio", "reqtimeout"),
                                         main="DumpIOInput On\nDumpIOOutput On\nRequestReadTimeout handshake=1 header=1 body=1")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        time.sleep(2.5)
        client.start_tls(client_context(authority))
        client.ehlo()
        time.sleep(2.5)
        client.deliver(HEADER + b"dumped\r\n").expect(250)
        client.quit()
    with Client(smtp.port) as client:
        client.send("STARTTLS\r\nEHLO injected\r\n")
        client.reply().expect(554)
        client.expect_close()
    check_stored(smtp.maildir.only(), HEADER + b"dumped\r\n")


# --- names, certificates of clients, resumption

def test_the_client_chooses_the_certificate_by_name(tls_server):
    server, smtp, authority = tls_server()
    https = server.hosts[1]
    other = authority.issue("mail.example.org", file="other")
    https_port = https.port
    server.start()
    assert certificate_of(smtp, authority, "mx.example.com") == "mx.example.com"
    server.stop()
    https._lines += f"""
</VirtualHost>
<VirtualHost 127.0.0.1:{https_port} [::1]:{https_port}>
    ServerName mail.example.org
    {lines(other)}"""
    server.log_file.unlink()
    server.start()
    assert certificate_of(smtp, authority, "mx.example.com") == "mx.example.com"
    assert certificate_of(smtp, authority, "mail.example.org") == "mail.example.org"
    assert certificate_of(smtp, authority, "localhost") == "mx.example.com"  # nobody's name: that of the lender
    server.wait_log('sni="mail.example.org"')


def test_odd_names_do_no_harm(tls_server):
    server, smtp, authority = tls_server()
    server.start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("a\\", "x" * 63 + ".example", "b\"c", "-", "mx.example.com\\", "%2e", "a..b", "127.0.0.1"):
        with Client(smtp.port) as client:
            client.ehlo()
            try:
                client.start_tls(context, name)
                client.ehlo()
                client.quit()
            except (ssl.SSLError, ValueError, UnicodeError):
                pass  # either side may refuse it
    check_still_serving(smtp, authority)


@pytest.mark.parametrize("name", ["mx.example.com", "localhost"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_certificates_of_clients(tls_server, name, implicit):
    """With the name of the virtual host for SMTP as well: the handshake must use the lender's settings, not the
    (missing) ones of this host."""
    server, smtp, authority = tls_server(https=f'SSLVerifyClient optional\nSSLCACertificateFile "@root@/ca.pem"', implicit=implicit)
    mine = authority.issue(subject="/O=Example (Ltd)/CN=client.example.net")
    (server.root / "foreign").mkdir()
    stranger = Authority(server.root / "foreign", "Somebody Else").issue(subject="/CN=stranger.example.net")
    server.expect_log("AH02039: Certificate Verification: Error")
    server.start()

    def deliver(own):
        smtp.maildir.clear()
        with encrypted(smtp.port, client_context(authority, own), implicit, name=name) as client:
            client.deliver(HEADER).expect(250)
            client.quit()
        return smtp.maildir.only().field("received")

    assert "client certificate" not in deliver(None)
    received = deliver(mine)
    assert "(client certificate CN=client.example.net,O=Example \\(Ltd\\), verified)" in received.replace("\t", " "), received
    server.wait_log(r'tls protocol=.* verified certificate=\\?"CN=client\.example\.net,O=Example \(Ltd\)\\?" issuer=\\?"CN=Test Authority')
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        deliver(stranger)
    failures(server)
    check_one_line_each(server, 1)


def test_odd_subjects_of_certificates_forge_nothing(tls_server):
    """The content of a certificate is its owner's word, whatever the authority: in the log and the header it can
    only be quoted text."""
    server, smtp, authority = tls_server(https='SSLVerifyClient optional\nSSLCACertificateFile "@root@/ca.pem"')
    server.start()
    names = ["back\\", 'quo"te', "brackets) (and", "line\r\nX-Forged: x", "line\n[core:emerg] gone", "tab\tescape\x1b[31m", "Grüße", "=/+,;<>#", "%s%n", "x" * 60]
    for number, name in enumerate(names, 1):
        smtp.maildir.clear()
        subject = "/CN=" + name.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")
        with encrypted(smtp.port, client_context(authority, authority.issue(subject=subject)), False) as client:
            client.deliver(HEADER).expect(250)
            client.quit()
        stored = smtp.maildir.only()
        fields = check_stored(stored, HEADER)  # ours and no other
        received = fields["received"].replace("\t", " ")
        assert re.search(r"\(client certificate CN=(?:[^()\\]|\\.)+, verified\)\s+for <user@example\.com>; ", received), received
        assert all(0x20 <= octet < 0x7f or octet in b"\r\n\t" for octet in stored.raw), stored.raw
        server.wait_log("disconnect after", count=number)
    raw = server.log_file.read_bytes()
    assert all(octet == 10 or 0x20 <= octet < 0x7f for octet in raw), re.search(rb"[^\n\x20-\x7e].{0,60}", raw)
    assert "emerg" not in [line.level for line in server.log_lines()] and not any(line.raw.startswith("X-Forged") for line in server.log_lines())


def test_a_certificate_that_is_required(tls_server):
    server, smtp, authority = tls_server(https='SSLVerifyClient require\nSSLCACertificateFile "@root@/ca.pem"')
    mine = authority.issue(subject="/CN=client.example.net")
    server.start()
    with Client(smtp.port) as client, pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        client.ehlo()
        client.start_tls(client_context(authority))
        client.ehlo()
    failures(server, why="client and server did not agree")
    with Client(smtp.port) as client:
        client.ehlo()
        client.start_tls(client_context(authority, mine))
        client.ehlo()
        client.quit()


@pytest.mark.parametrize("protocol", ["-tls1_3", "-tls1_2"])
def test_sessions_are_resumed(tls_server, mpm, protocol):
    server, smtp, authority = tls_server(mpm)
    server.start()
    session = server.root / "session.pem"
    first = s_client(smtp, authority, protocol, "-servername", "mx.example.com", "-sess_out", session)
    assert "New, TLS" in first and "Verify return code: 0" in first, first
    again = s_client(smtp, authority, protocol, "-servername", "mx.example.com", "-sess_in", session)
    assert "Reused, TLS" in again, again
    server.wait_log(r"tls protocol=TLSv1\.[23] cipher=\S+ bits=\d+ resumed")


@pytest.mark.parametrize("settings, count", [("", 1), ("SSLOpenSSLConfCmd NumTickets 3", 3)])
def test_tickets(tls_server, settings, count):
    """One ticket for each session, unless the configuration says otherwise."""
    server, smtp, authority = tls_server(https=settings)
    server.start()
    assert s_client(smtp, authority, "-tls1_3").count("New Session Ticket arrived") == count


def test_settings_of_the_lender_hold(tls_server):
    server, smtp, authority = tls_server(https="SSLProtocol -all +TLSv1.2\nSSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256")
    server.start()
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(smtp, authority)
    s_client(smtp, authority, "-tls1_3", check=False)
    failures(server, why="client and server did not agree")


# --- what must not follow STARTTLS

@pytest.mark.parametrize("behind", ["EHLO injected\r\n", "RSET\r\nMAIL FROM:<injected@example.net>\r\n", "NOOP\r\n", "\r\n", "X", "STARTTLS\r\n"])
def test_commands_behind_starttls_end_the_session(tls_server, behind):
    server, smtp, authority = tls_server()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.send("STARTTLS\r\n" + behind)
        client.reply().expect(554, "5.5.1")
        client.expect_close()
    server.wait_log("octets after STARTTLS")
    check_one_line_each(server, 1)
    check_still_serving(smtp, authority)


def test_commands_that_follow_at_any_moment_are_not_used(tls_server, mpm):
    """Before the answer, with it, after it: in the clear there is no second reply, and under TLS none to the octets
    in the clear."""
    server, smtp, authority = tls_server(mpm)
    server.start()
    for number in range(40):
        with Client(smtp.port) as client:
            client.ehlo()
            client.send("STARTTLS\r\n")
            time.sleep(number % 8 * 0.0002)
            try:
                client.send("NOOP injected\r\nRSET\r\nQUIT\r\n")
                replies = client.remaining_replies()
            except (ConnectionError, Closed, AssertionError):
                continue  # an alert of TLS is no SMTP reply, a reset none at all
            assert [reply.code for reply in replies] in ([220], [554], [554, 554]), replies
    assert "NOOP" not in "".join(line.text for line in server.log_lines() if "injected" in line.text)
    check_still_serving(smtp, authority)


# --- handshakes that fail

@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_failed_handshakes_leave_one_line_and_nothing_else(tls_server, mpm, implicit):
    server, smtp, authority = tls_server(mpm, implicit=implicit, more="SmtpHandshakeTimeout 2s")
    server.start()
    hello = client_hello()
    attempts = {"plain text": (PLAIN_TEXT, "the client does not speak TLS"), "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "the client does not speak TLS"),
                "nothing": (b"", "the client has closed the connection"), "half a hello": (hello[: len(hello) // 2], "the client has closed the connection"),
                "a hello": (hello, "the client has closed the connection"), "no hello": (b"\x16\x03\x01\x00\x05hello", "client and server did not agree"),
                "an alert": (b"\x15\x03\x01\x00\x02\x02\x28", "")}
    for number, (name, (octets, why)) in enumerate(attempts.items(), 1):
        client = begin(smtp, implicit)
        client.send(octets)
        if not why.startswith("the client has closed"):
            answer = rest_of(client)
            assert b"HTTP" not in answer and b"250" not in answer, (name, answer)
        client.close()
        lines_now = failures(server, count=number)
        assert why in lines_now[-1].text, (name, lines_now[-1])
        check_one_line_each(server, number)
    # One that stalls is given up.
    for octets in (b"", hello[:10], hello):
        client = begin(smtp, implicit)
        began = time.monotonic()
        client.send(octets)
        client.socket.settimeout(30 * SLOWDOWN)
        rest_of(client)
        assert 1.5 < time.monotonic() - began < 10 * SLOWDOWN
        client.close()
    failures(server, 3, "it took longer than 2 seconds")
    check_one_line_each(server, len(attempts) + 3)
    check_still_serving(smtp, authority, implicit)


def test_a_handshake_in_small_pieces(tls_server, mpm):
    server, smtp, authority = tls_server(mpm)
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("STARTTLS", 220)
        context = client_context(authority)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="mx.example.com")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send_slowly(outgoing.read(), pause=0.05, size=40)
                incoming.write(client.socket.recv(1 << 16))
        tls.write(b"EHLO client.example.net\r\nQUIT\r\n")
        client.send_slowly(outgoing.read(), pause=0.01, size=7)
        answer = b""
        while octets := client.socket.recv(1 << 16):
            incoming.write(octets)
        try:
            while more := tls.read(1 << 16):
                answer += more
        except ssl.SSLError:
            pass
        assert answer.startswith(b"250-") and b"\r\n221 " in answer, answer


def test_stalled_handshakes_keep_no_thread(tls_server):
    """Many more handshakes than threads; the server serves a new client as if they did not exist."""
    server, smtp, authority = tls_server(threads=16, more="SmtpHandshakeTimeout 60s")
    server.start()
    hello = client_hello()
    stalled = [begin(smtp, False) for _ in range(100)]
    for number, client in enumerate(stalled):
        client.send((b"", hello[:20], hello)[number % 3])
    time.sleep(0.5)
    began = time.monotonic()
    for _ in range(5):
        check_still_serving(smtp, authority)
    assert time.monotonic() - began < 5 * SLOWDOWN
    for client in stalled:
        client.close()
    failures(server, count=len(stalled))
    check_one_line_each(server, len(stalled))


# --- the end of TLS; ends that nobody expects are in test_tls_ends.py

@pytest.mark.parametrize("implicit", [False, True])
def test_quit_ends_tls_as_it_should(tls_server, mpm, implicit):
    """With close_notify after the reply; without it the client would suspect a cut connection."""
    server, smtp, authority = tls_server(mpm, implicit=implicit)
    server.start()
    context = client_context(authority)
    with Client(smtp.port, greet=not implicit) as client:
        if not implicit:
            client.ehlo()
            client.command("STARTTLS", 220)
        client.socket = context.wrap_socket(client.socket, server_hostname="mx.example.com", suppress_ragged_eofs=False)
        if implicit:
            client.reply().expect(220)
        client.ehlo()
        client.command("QUIT", 221)
        client.expect_close()


# --- certificates that change

def serial_number(port, authority):
    """The serial number of the certificate for a new client; None from a child that is about to end."""
    with Client(port) as client:
        if client.command("EHLO client.example.net").code == 421:
            return None
        client.start_tls(client_context(authority))
        number = client.socket.getpeercert()["serialNumber"]
        client.ehlo()
        client.quit()
    return number


def test_a_renewed_certificate_is_served_after_a_graceful_restart(tls_server, mpm):
    server, smtp, authority = tls_server(mpm, more="SmtpMinDataRate 0")  # old children may go on for some seconds
    server.start()
    old = server.children()
    before = authority.issue  # the authority stays, the certificate changes
    with Client(smtp.port) as slow:
        slow.ehlo()
        slow.start_tls(client_context(authority))
        first = slow.socket.getpeercert()["serialNumber"]
        assert serial_number(smtp.port, authority) == first
        slow.ehlo()
        slow.envelope()
        slow.command("DATA", 354)
        slow.send(HEADER + b"first half\r\n")
        before("mx.example.com", "web.example.com", "localhost", file="mx")  # in place of the old one, as mod_md does
        server.graceful()
        wait_until(lambda: serial_number(smtp.port, authority) not in (first, None), 20, "the old certificate is still served")
        time.sleep(1.2)
        slow.send(b"second half\r\n.\r\n")
        slow.reply().expect(250)
        slow.reply().expect(421, "4.3.2")
    check_stored(smtp.maildir.only(), HEADER + b"first half\r\nsecond half\r\n")
    wait_until(lambda: not any(process_exists(pid) for pid in old), 20, "old children stay")


# --- mistakes in the configuration

def check_refused(server, *patterns):
    good, printed = server.configtest()
    assert not good, printed
    for pattern in patterns:
        assert re.search(pattern, printed), printed


def test_without_mod_ssl_configtest_says_so(make_server):
    server = make_server()
    server.smtp(lines="SmtpStartTLS on")
    check_refused(server, r"httpd\.conf line \d+: SmtpStartTLS needs mod_ssl")


def test_without_a_certificate_configtest_says_so(tls_server):
    server, _, _ = tls_server()
    server.hosts[1]._lines = server.hosts[1]._lines.replace("SSLEngine on", "SSLEngine off")
    check_refused(server, r"httpd\.conf line \d+: SmtpStartTLS of mx\.example\.com:\d+ needs the certificate of a virtual host with SSLEngine on and the ServerName "
                          r"mx\.example\.com; there is none with SSLEngine on")


@pytest.mark.parametrize("words, message", [
    ("on www.example.net", r"line \d+: .* the ServerName www\.example\.net; there is mx\.example\.com, which SmtpStartTLS can name"),
    ("maybe", r"SmtpStartTLS takes off, on or required.*\"maybe\""),
    ("off mx.example.com", r"SmtpStartTLS off takes no ServerName"),
    ("", r"SmtpStartTLS takes"),
    ("on a b", r"SmtpStartTLS takes"),
    ("on\nSmtpHandshakeTimeout 0", r"SmtpHandshakeTimeout takes a time from 1s to 10min"),
    ("on\nSmtpHandshakeTimeout never", r"SmtpHandshakeTimeout takes a time"),
])
def test_mistakes_are_found_by_configtest(tls_server, words, message):
    server, _, _ = tls_server(start_tls=words)
    check_refused(server, message)


def test_a_certificate_can_be_named_and_the_choice_is_inherited(tls_server):
    server, smtp, authority = tls_server(start_tls="off", main="SmtpStartTLS required web.example.com\nSSLEngine off")
    server.hosts[1].name = "web.example.com"
    inheriting = server.smtp(name="mx2.example.com")
    implicit = server.smtp(name="smtps.example.com", lines=lines(authority.issue("smtps.example.com", "mx.example.com", file="smtps")))
    server.start()
    with Client(smtp.port) as client:
        assert "STARTTLS" not in client.ehlo().lines
        client.command("STARTTLS", 502)
        client.quit()
    with Client(inheriting.port) as client:
        client.command("MAIL FROM:<a@example.net>", 530)
        client.ehlo()
        client.start_tls(client_context(authority))
        client.ehlo()
        client.quit()
    check_still_serving(implicit, authority, implicit=True)


QPSMTPD_PLUGINS = 'rcpt_ok\ntls /etc/ssl/a.crt /etc/ssl/a.key\nqueue/maildir @maildir@\n'


def test_the_tls_line_of_qpsmtpd_is_refused_with_what_to_write(make_server):
    server = make_server()
    smtp = server.smtp(plugins="")
    smtp.set_control("plugins", smtp.fill_in(QPSMTPD_PLUGINS))
    check_refused(server, r'plugins:2: tls: mod_ssl provides TLS here: write "SmtpStartTLS on".*"SSLCertificateFile /etc/ssl/a\.crt", '
                          r'"SSLCertificateKeyFile /etc/ssl/a\.key", "SSLCACertificateFile config/ssl/qpsmtpd-ca\.crt"')
    smtp._lines = "SmtpStartTLS off"
    good, printed = server.configtest()
    assert good and "plugins:2: tls: the files named here are not used" in printed, printed


def test_the_tls_line_of_qpsmtpd_is_understood(tls_server):
    server, smtp, authority = tls_server(plugins="")
    smtp.set_control("plugins", smtp.fill_in(QPSMTPD_PLUGINS.replace(" /etc/ssl/a.crt /etc/ssl/a.key", "")))
    smtp.set_control("tls_ciphers", "HIGH\n")
    smtp.set_control("tls_protocols", "TLSv1_2\n")
    good, printed = server.configtest()
    assert good and "plugins:2" not in printed, printed
    assert re.search(r"tls_ciphers is not used; set SSLCipherSuite .*\n.*tls_protocols is not used; set SSLProtocol", printed), printed
    for name in ("tls_ciphers", "tls_protocols"):
        (smtp.control / name).unlink()
    server.start()
    check_still_serving(smtp, authority)


def test_tls_before_auth_of_qpsmtpd(tls_server):
    plugins = 'SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"'
    server, smtp, authority = tls_server(more="SmtpAuthWithoutTLS on", plugins=plugins)
    smtp.set_control("tls_before_auth", "0\n")
    good, printed = server.configtest()
    assert good and "tls_before_auth" not in printed, printed
    smtp._lines = smtp._lines.replace("SmtpAuthWithoutTLS on", "")
    good, printed = server.configtest()
    assert good and re.search(r"tls_before_auth allows AUTH .*SmtpAuthWithoutTLS on", printed), printed


# --- connections that are turned away before their handshake

def test_who_is_turned_away_before_a_handshake_holds_no_thread(tls_server, mpm):
    """Otherwise mod_ssl would first make the handshake, for as long as the client wants, only to report that there
    is no room."""
    server, smtp, authority = tls_server(mpm, implicit=True, threads=4, more="SmtpMaxConnections 1")
    server.start()
    with encrypted(smtp.port, client_context(authority), True) as first:
        for _ in range(12):
            with Client(smtp.port, greet=False) as silent:
                assert silent.socket.recv(100) == b""
        first.quit()

    def is_served():
        try:
            encrypted(smtp.port, client_context(authority), True).quit()
            return True
        except (ssl.SSLError, ConnectionError):
            return False
    wait_until(is_served, 10, "the session did not become free", interval=0.1)
