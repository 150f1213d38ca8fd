"""Attacks on TLS: commands injected before it, and false ends of data, in records of all shapes; each on a port with
STARTTLS and on one with TLS from the first octet, if it applies."""

import shutil
import subprocess

import pytest

from certificates import client_context
from maildir import check_stored
from raw_tls import begin, client_hello, rest_of
from smtp_client import Client, encrypted
from smtpd_env import SLOWDOWN
from test_smuggling import POLICIES, SEQUENCES, attack, check_outcome, has_bare_newline, is_clean
from test_tls import check_one_line_each, check_still_serving

HEADER = b"From: sender@example.net\r\nSubject: probe\r\n\r\n"
HOW = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])

#: What is sent in the clear, in one packet or more, and the codes of the answers in the clear. (A lone LF ends no line, but the session.)
INJECTIONS = {
    "a command": ([b"STARTTLS\r\nNOOP injected\r\n"], [554]),
    "half a command": ([b"STARTTLS\r\nRCPT TO:<inj"], [554]),
    "a transaction": ([b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<injected@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"], [554]),
    "a login": ([b"STARTTLS\r\nAUTH PLAIN AGluamVjdGVkAHg=\r\n"], [554]),
    "in a group": ([b"NOOP\r\nRSET\r\nSTARTTLS\r\nEHLO injected\r\n"], [250, 250, 554]),
    "in a transaction": ([b"MAIL FROM:<injected@example.net>\r\nRCPT TO:<user@example.com>\r\nSTARTTLS\r\nDATA\r\n"], [250, 250, 554]),
    "two packets": ([b"STARTTLS\r", b"\nNOOP injected\r\n"], [554]),
    "a lower-case command": ([b"starttls\r\nnoop injected\r\n"], [554]),
    "blanks": ([b"STARTTLS  \r\nNOOP injected\r\n"], [554]),
    "a line end": ([b"STARTTLS\r\n\r\n"], [554]),
    "a second one": ([b"STARTTLS\r\nSTARTTLS\r\n"], [554]),
    "an answer": ([b"STARTTLS\r\n220 2.0.0 injected\r\n"], [554]),
    "a record": ([b"STARTTLS\r\n\x16\x03\x01\x00\x05"], [554]),
    "a bare LF": ([b"STARTTLS\nNOOP injected\r\n"], [500]),
    "a command and a bare LF": ([b"NOOP\nSTARTTLS\r\n"], [500]),
    "a bare CR": ([b"STARTTLS\rNOOP injected\r\n"], [500]),
    "an argument": ([b"STARTTLS NOOP injected\r\n"], [501]),
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_injected_commands(tls_server, name):
    server, smtp, authority = tls_server()
    server.start()
    packets, codes = INJECTIONS[name]
    with Client(smtp.port) as client:
        client.ehlo()
        for packet in packets:
            client.send(packet)
        assert [reply.code for reply in client.replies(len(codes))] == codes
        if codes[-1] == 554:
            client.expect_close()
            check_one_line_each(server, 1)
        elif any(b"\n" in packet.replace(b"\r\n", b"") for packet in packets):
            client.expect_close()
        else:  # no STARTTLS was seen, so the session goes on, and TLS begins with nothing that was injected
            assert client.is_silent_for(0.1)
            client.start_tls(client_context(authority))
            assert client.is_silent_for(0.1)
            client.ehlo()
            client.quit()
    assert not smtp.maildir.new()


def test_nothing_that_was_said_in_the_clear_counts_under_tls(tls_server):
    server, smtp, authority = tls_server()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo("injected.example.net")
        client.envelope("injected@example.net")
        client.start_tls(client_context(authority))
        client.command("DATA", 503)
        client.command("MAIL FROM:<sender@example.net>", 503)  # EHLO has to be said again
        client.ehlo()
        client.command("DATA", 503)
        client.deliver(HEADER).expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), HEADER)
    assert "injected" not in smtp.maildir.only().field("received")


def cuts(wire, shape, sequence):
    """The octets, cut into the contents of TLS records, in all ways of that shape."""
    if shape == "one record":
        return [[wire]]
    if shape == "octet by octet":
        return [[wire[at : at + 1] for at in range(len(wire))]]
    begin = wire.index(sequence)
    return [[wire[:at], wire[at:]] for at in range(begin - 1, begin + len(sequence) + 2)]


@pytest.mark.parametrize("shape", ["one record", "cut at every place of the sequence", "octet by octet"])
@pytest.mark.parametrize("policy", POLICIES)
@HOW
def test_smuggling(tls_server, implicit, policy, shape):
    """The server refuses the message, or stores exactly one: as in the clear."""
    server, smtp, authority = tls_server(implicit=implicit, more=f"SmtpBareNewline {policy}\nSmtpMaxErrors 0")
    server.start()
    for sequence in SEQUENCES.values():
        wire, message = attack(sequence)
        for cut in cuts(wire, shape, sequence):
            smtp.maildir.clear()
            with encrypted(smtp.port, client_context(authority), implicit) as client:
                client.envelope()
                client.command("DATA", 354)
                for record in cut:
                    client.send(record)
                final = client.reply()
                if policy == "reject" and has_bare_newline(wire):
                    client.expect_close()
                else:
                    client.command("NOOP", 250)
                    client.quit()
                check_outcome(smtp, policy, wire, message, final, policy == "reject" and not is_clean(wire))


@HOW
def test_the_end_of_a_message_and_the_next_in_one_record(tls_server, implicit):
    server, smtp, authority = tls_server(implicit=implicit)
    server.start()
    with encrypted(smtp.port, client_context(authority), implicit) as client:
        envelope = b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\n"
        first, second = HEADER + b"first\r\n", HEADER + b"second\r\n"
        client.send(envelope + b"DATA\r\n")
        client.replies(3)
        client.send(first + b".\r\n" + envelope + b"BDAT %d LAST\r\n" % len(second) + second + b"QUIT\r\n")
        assert [reply.code for reply in client.remaining_replies()] == [250, 250, 250, 250, 221]
    assert sorted(stored.split_behind_ours()[1] for stored in smtp.maildir.stored()) == [first, second]


#: In the place of mx.example.com in a client's first octets. (The handshake that follows cannot come to an end: the client knows of nothing.)
NAMES = {"a backslash at the end": b"mx.example.co\\", "NUL": b"mx.\0xample.com", "a line": b"\r\n[core:emerg]", "quotes": b'"mx.example.c"',
         "no ASCII": b"\xff" * 14, "dots": b"." * 14, "a format": b"%s%n%x%s%n%x%s", "a path": b"../../../etc/a", "an expansion": b"${ENV:PATH}%{a"}


@pytest.mark.parametrize("name", NAMES)
@HOW
def test_names_that_are_none(tls_server, implicit, name):
    """CVE-2019-15846 was a name of this kind."""
    server, smtp, authority = tls_server(implicit=implicit)
    server.start()
    octets = client_hello()
    assert octets.count(b"mx.example.com") == 1 and len(NAMES[name]) == len("mx.example.com")
    with begin(smtp, implicit) as client:
        client.send(octets.replace(b"mx.example.com", NAMES[name]))
        client.half_close()
        rest_of(client)
    server.wait_log("disconnect after" if not implicit else "tls handshake failed")
    check_one_line_each(server, 1)
    assert "emerg" not in "".join(line.level for line in server.log_lines())
    check_still_serving(smtp, authority, implicit)


@HOW
def test_no_client_begins_a_second_handshake(tls_server, implicit):
    """Renegotiation, which TLS 1.2 still has, costs the server more than the client, so it ends the connection."""
    server, smtp, authority = tls_server(implicit=implicit)
    server.start()
    command = [shutil.which("openssl") or pytest.skip("openssl is not installed"), "s_client", *([] if implicit else ["-starttls", "smtp"]), "-tls1_2",
               "-connect", f"127.0.0.1:{smtp.port}", "-CAfile", authority.certificate]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        server.wait_log("tls protocol=")
        client.stdin.write("R\n")  # its word for it
        client.stdin.flush()
        try:
            client.wait(20 * SLOWDOWN)  # for the server, as nothing else ends it
        finally:
            client.kill()
        printed = client.stdout.read()
    assert "RENEGOTIATING" in printed and "250 " not in printed.partition("RENEGOTIATING")[2], printed
    server.wait_log("disconnect after")
    check_still_serving(smtp, authority, implicit)
