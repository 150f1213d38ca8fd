"""Common mail programs send mail to our server, with STARTTLS and with TLS from the first octet, and log in in all
ways that they support."""

import email
import re

import pytest

import messages
import receiver as receivers
from certificates import Authority
from mail_programs import BREAKING_LINES, COMPOSING, EXACT, MECHANISMS, MODEST, PROGRAMS, Order

HOW = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])


def order(receiver, tmp_path, implicit, **more):
    more.setdefault("message", messages.message())
    return Order(receiver.host(implicit).port, receiver.authority.certificate, tmp_path, implicit=implicit, **more)


def check(arrived, wanted, program):
    protocol = "SMTP" if program in MODEST and not wanted.mechanism else None
    receivers.check_envelope(arrived, wanted.sender, wanted.recipients, (wanted.mechanism, wanted.user) if wanted.mechanism else None, protocol)


@HOW
@pytest.mark.parametrize("program", EXACT)
def test_a_message_arrives_octet_for_octet(receiver, tmp_path, program, implicit):
    wanted = order(receiver, tmp_path, implicit, message=messages.message(long_lines=program not in BREAKING_LINES))
    status, printed = PROGRAMS[program](wanted)
    assert status == 0, printed
    arrived, = receiver.arrived(implicit)
    assert arrived.message == wanted.message
    check(arrived, wanted, program)


@HOW
def test_a_patch_arrives_octet_for_octet(receiver, tmp_path, implicit):
    """git makes a header of its own."""
    wanted = order(receiver, tmp_path, implicit, message=messages.message(latin_1=False))
    status, printed = PROGRAMS["git"](wanted)
    assert status == 0, printed
    arrived, = receiver.arrived(implicit)
    check(arrived, wanted, "git")
    assert arrived.message.partition(b"\r\n\r\n")[2] == wanted.message.partition(b"\r\n\r\n")[2], printed


@HOW
@pytest.mark.parametrize("program", COMPOSING)
def test_a_text_arrives(receiver, tmp_path, program, implicit):
    """These programs change the message; the text must arrive."""
    wanted = order(receiver, tmp_path, implicit, message=messages.message(latin_1=False))
    status, printed = PROGRAMS[program](wanted)
    assert status == 0, printed
    arrived, = receiver.arrived(implicit)
    check(arrived, wanted, program)
    decoded = email.message_from_bytes(arrived.message).get_payload(decode=True)
    assert decoded.replace(b"\r\n", b"\n") == wanted.message.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")


@HOW
@pytest.mark.parametrize("program, mechanism", [(program, mechanism) for program in PROGRAMS for mechanism in MECHANISMS[program]])
def test_who_logs_in_may_write_to_everybody(receiver, tmp_path, program, mechanism, implicit):
    recipients = (*receivers.RECIPIENTS, receivers.ELSEWHERE)
    wanted = order(receiver, tmp_path, implicit, mechanism=mechanism, recipients=recipients, message=messages.ORDINARY)
    status, printed = PROGRAMS[program](wanted)
    assert status == 0, printed
    arrived, = receiver.arrived(implicit)
    check(arrived, wanted, program)


@pytest.mark.parametrize("program, mechanism", [(program, MECHANISMS[program][0]) for program in PROGRAMS])
def test_a_wrong_password_is_told(receiver, tmp_path, program, mechanism):
    wanted = order(receiver, tmp_path, False, mechanism=mechanism, password="wrong", message=messages.ORDINARY)
    status, printed = PROGRAMS[program](wanted)
    assert status != 0 and ("535" in printed or "Login denied" in printed), printed
    assert not receiver.starttls.maildir.new()


@HOW
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_see_a_certificate_that_they_do_not_trust(receiver, tmp_path, program, implicit):
    """Verifies the tests themselves: these programs check the certificate."""
    (tmp_path / "foreign").mkdir()
    wanted = order(receiver, tmp_path, implicit, message=messages.ORDINARY)
    wanted.authority = Authority(tmp_path / "foreign", "Somebody Else").certificate
    status, printed = PROGRAMS[program](wanted)
    assert status != 0 and re.search("certificate", printed, re.I), printed
    assert not receiver.host(implicit).maildir.new()


@HOW
@pytest.mark.parametrize("program", [program for program in PROGRAMS if program not in ("git", "s-nail")])
def test_a_refused_recipient_is_told(receiver, tmp_path, program, implicit):
    wanted = order(receiver, tmp_path, implicit, recipients=(receivers.ELSEWHERE,))
    status, printed = PROGRAMS[program](wanted)
    assert status != 0 and "550" in printed, printed
    assert not receiver.host(implicit).maildir.new()


ENDS = ("--proxy-source", "192.0.2.7", "--proxy-source-port", "4660", "--proxy-dest", "198.51.100.1", "--proxy-dest-port", "25")
PROXY_1 = ("--proxy-version", "1", "--proxy-family", "TCP4", *ENDS)
PROXY_2 = ("--proxy-version", "2", "--proxy-family", "AF_INET", *ENDS)
XCLIENT = ("--xclient-addr", "192.0.2.7", "--xclient-port", "4660", "--xclient-name", "host.example.net")


@HOW
@pytest.mark.parametrize("lines, words", [("SmtpProxyProtocol on", PROXY_1), ("SmtpProxyProtocol on", PROXY_2), ("", XCLIENT)],
                         ids=["PROXY v1", "PROXY v2", "XCLIENT"])
def test_swaks_speaks_for_others(tmp_path, lines, words, implicit):
    with receivers.running(f"SmtpTrustedProxies 127.0.0.1 ::1\n{lines}") as receiver:
        wanted = order(receiver, tmp_path, implicit, more=words)
        status, printed = PROGRAMS["swaks"](wanted)
        assert status == 0, printed
        arrived, = receiver.arrived(implicit)
        assert arrived.message == wanted.message
        check(arrived, wanted, "swaks")
        assert "[192.0.2.7]" in arrived.received
