"""The end of data is CRLF.CRLF and nothing else. Whatever else is in a message, and however it is split over
packets, the server sees one message or refuses it; it never sees a second transaction in it."""

import re

import pytest

import smtpd_env
from maildir import check_stored
from smtp_client import Client, Closed

HEADER = b"From: sender@example.net\r\nSubject: first\r\nDate: Mon, 06 Nov 2023 10:00:00 +0000\r\n\r\n"

#: What some server or other has taken for an end of data.
SEQUENCES = {
    "LF . LF": b"\n.\n",
    "CR . CR": b"\r.\r",
    "CR . LF": b"\r.\n",
    "LF . CR": b"\n.\r",
    "LF . CRLF": b"\n.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CR . CRLF": b"\r.\r\n",
    "CRLF . CR": b"\r\n.\r",
    "CRLF NUL . CRLF": b"\r\n\0.\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n",
    "CRLF . CR CR LF": b"\r\n.\r\r\n",
    "CR CR LF . CR CR LF": b"\r\r\n.\r\r\n",
    "CR CR LF . LF": b"\r\r\n.\n",
    "LF . CR CR LF": b"\n.\r\r\n",
    "CR . CR CR LF": b"\r.\r\r\n",
    "CR CR LF . CR": b"\r\r\n.\r",
    "CR CR LF NUL . CR CR LF": b"\r\r\n\0.\r\r\n",
    "LF LF . CRLF": b"\n\n.\r\n",
    "LF CR . CRLF": b"\n\r.\r\n",
    "CRLF . LF CR LF": b"\r\n.\n\r\n",
    "CRLF CR . CRLF": b"\r\n\r.\r\n",
    "NEL . NEL": "\u0085.\u0085".encode(),
    "LS . LS": "\u2028.\u2028".encode(),
    "VT . FF": b"\v.\f",
    "CRLF . SP CRLF": b"\r\n. \r\n",
    "CRLF SP . CRLF": b"\r\n .\r\n",
    "CRLF .. CRLF": b"\r\n..\r\n",
}

SECOND = b"MAIL FROM:<smuggled@example.net>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nFrom: smuggled@example.net\r\nSubject: second\r\n\r\nsecond\r\n"

POLICIES = ("reject", "normalize", "accept")


def attack(sequence):
    """(the octets after DATA, the message in them)"""
    body = HEADER + b"first" + sequence + SECOND
    return body + b".\r\n", unstuff(body)


def unstuff(octets):
    return re.sub(rb"(^|\r\n)\.", rb"\1", octets, flags=re.S)


@pytest.fixture(scope="module", params=smtpd_env.MPMS)
def hosts(request):
    """For each MPM a server with a virtual host for each policy."""
    with smtpd_env.Httpd(request.param) as server:
        hosts = {policy: server.smtp(lines=f"SmtpBareNewline {policy}") for policy in POLICIES}
        server.start()
        yield hosts


def check_outcome(host, policy, wire, message, final, refused):
    stored = host.maildir.stored()
    if refused:
        final.expect(554, "5.6.0")
        assert stored == []
        return
    final.expect(250, "2.0.0")
    assert len(stored) == 1, f"{len(stored)} messages out of one"
    if policy == "normalize":
        raw = stored[0].raw
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", raw)
        assert b"\r\nDATA\r\n" in raw and raw.endswith(b"second\r\n")
    else:
        check_stored(stored[0], message)


def is_clean(wire):
    return not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", wire)


def has_bare_newline(wire):
    """The octets that end the session under the policy reject: the sending server may see the end of the message
    elsewhere."""
    return re.search(rb"(?<!\r)\n|\r(?!\n)", wire)


def run(host, policy, chunks, wire, message):
    host.maildir.clear()
    with Client(host.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        for chunk in chunks:
            client.send(chunk)
        final = client.reply()
        # One reply for all of it: nothing of the second transaction was taken for commands.
        if policy == "reject" and has_bare_newline(wire):
            client.expect_close()
        else:
            client.command("NOOP", 250)
            client.quit()
    check_outcome(host, policy, wire, message, final, policy == "reject" and not is_clean(wire))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SEQUENCES)
def test_one_message_or_none(hosts, name, policy):
    wire, message = attack(SEQUENCES[name])
    run(hosts[policy], policy, [wire], wire, message)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SEQUENCES)
def test_split_at_every_place_of_the_sequence(hosts, name, policy):
    wire, message = attack(SEQUENCES[name])
    begin = len(HEADER) + 5
    for at in range(begin - 1, begin + len(SEQUENCES[name]) + 2):
        run(hosts[policy], policy, [wire[:at], wire[at:]], wire, message)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SEQUENCES)
def test_octet_by_octet(hosts, name, policy):
    wire, message = attack(SEQUENCES[name])
    run(hosts[policy], policy, [wire[at:at + 1] for at in range(len(wire))], wire, message)


@pytest.mark.parametrize("policy", POLICIES)
def test_sequence_as_the_first_octets_of_data(hosts, policy):
    """A message may begin with anything but end there only with .CRLF."""
    for name, sequence in SEQUENCES.items():
        for first in {sequence, sequence.lstrip(b"\r\n")}:
            wire = first + SECOND + b".\r\n"
            if wire.startswith(b".\r\n") or b"\r\n.\r\n" in wire[:-3]:
                continue  # that is the end of data
            run(hosts[policy], policy, [wire], wire, unstuff(first + SECOND))


@pytest.mark.parametrize("policy", POLICIES)
def test_empty_message_and_next_transaction_in_one_packet(hosts, policy):
    """After a real end of data, the next commands of the packet are commands."""
    host = hosts[policy]
    host.maildir.clear()
    with Client(host.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(b".\r\nMAIL FROM:<next@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
        first, mail, rcpt, data = client.replies(4)
        first.expect(250)
        mail.expect(250)
        rcpt.expect(250)
        data.expect(354)
        client.send(HEADER + b"next\r\n.\r\nQUIT\r\n")
        client.reply().expect(250)
        client.reply().expect(221)
        client.expect_close()
    senders = sorted(one.field("Return-Path") for one in host.maildir.stored())
    assert senders == ["<next@example.net>", "<sender@example.net>"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_stray_cr_in_front_of_the_end_of_data(hosts, policy):
    """CR CR LF . CR LF has CRLF.CRLF in it, so it is the end of data; the CR in front is part of the message, and a
    reason to refuse it. The sender may not have seen an end there, so the server does not take the following
    octets for commands."""
    host = hosts[policy]
    host.maildir.clear()
    with Client(host.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        if policy == "reject":
            client.send(HEADER + b"first\r\r\n.\r\n" + SECOND + b".\r\nNOOP\r\n")
            client.reply().expect(554, "5.6.0")
            client.expect_close()
        else:
            client.send(HEADER + b"first\r\r\n.\r\nNOOP\r\n")
            assert [reply.code for reply in client.replies(2)] == [250, 250]
    stored = host.maildir.stored()
    if policy == "accept":
        check_stored(stored[0], HEADER + b"first\r\r\n")
    assert len(stored) == (policy != "reject")


#: In a line that somebody else had a hand in: what he put there must not become a command.
INJECTED_COMMANDS = {
    "a command": b"NOOP%sNOOP\r\n",
    "a recipient": b"RCPT TO:<user@example.com>%sRCPT TO:<smuggled@example.com>\r\n",
    "a message": b"RCPT TO:<user@example.com>%sDATA\r\n" + HEADER + b"smuggled\r\n.\r\n",
    "a chunk": b"RCPT TO:<user@example.com>%sBDAT 8 LAST\r\nA: b\r\n\r\n",
    "behind a long line": b"NOOP " + b"x" * 3000 + b"%sNOOP\r\n",
}


@pytest.mark.parametrize("name", INJECTED_COMMANDS)
def test_a_bare_lf_in_a_command_ends_the_session(hosts, name):
    """RFC 5321 2.3.8: it does not end a line, so nothing after it is a command, and a client could not tell to which
    line the reply belongs."""
    host = hosts["reject"]
    host.maildir.clear()
    with Client(host.port) as client:
        client.ehlo()
        client.envelope()
        client.send(INJECTED_COMMANDS[name] % b"\n" + b"NOOP\r\n")
        client.reply().expect(500, "5.5.2")
        client.expect_close()
    assert host.maildir.new() == []


@pytest.mark.parametrize("octets", [b"NOOP\rNOOP\r\n", b"NOOP\r\r\n", b"RCPT TO:<user@example.com>\rDATA\r\n"])
def test_a_line_with_a_bare_cr_is_one_line(hosts, octets):
    with Client(hosts["reject"].port) as client:
        client.ehlo()
        client.envelope()
        client.send(octets + b"NOOP\r\n")
        client.reply().expect(500, "5.5.2")
        client.reply().expect(250)
        client.quit()


def test_commands_that_end_as_they_should(hosts):
    with Client(hosts["reject"].port) as client:
        client.ehlo()
        client.send(b"NOOP\r\n" * 3)
        for reply in client.replies(3):
            reply.expect(250)


def test_exempt_networks_may_send_bare_newlines(make_server):
    server = make_server("event")
    here = server.smtp(lines="SmtpBareNewline reject 127.0.0.0/8")
    elsewhere = server.smtp(lines="SmtpBareNewline reject 192.0.2.0/24 2001:db8::/32")
    server.start()
    wire, message = attack(b"\n.\n")
    for host, refused in ((here, False), (elsewhere, True)):
        with Client(host.port) as client:
            client.ehlo()
            client.envelope()
            client.command("DATA", 354)
            client.send(wire)
            check_outcome(host, "accept", wire, message, client.reply(), refused)


def test_log_names_the_octets(make_server):
    server = make_server("event")
    host = server.smtp()
    server.start()
    with Client(host.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(attack(b"\n.\n")[0])
        client.reply().expect(554)
    server.wait_log(r'bare LF in the message at octet \d+: ".*first\\+n\.\\+n')


@pytest.mark.parametrize("policy", POLICIES)
def test_a_client_that_ends_inside_the_sequence_has_delivered_nothing(hosts, policy):
    host = hosts[policy]
    host.maildir.clear()
    for ending in (b"\r\n.", b"\r\n.\r", b"\r\n.\n", b"\n.\r\n", b""):
        with Client(host.port) as client:
            client.ehlo()
            client.envelope()
            client.command("DATA", 354)
            client.send(HEADER + b"first" + ending)
            client.half_close()
            try:
                client.reply().expect(451, "4.4.2")
                client.expect_close()
            except Closed:
                raise AssertionError("no reply to an unfinished message")
    assert host.maildir.new() == [] and host.maildir.tmp() == []
