"""Mail programs that log in with their certificate (EXTERNAL)."""

import pytest

import messages
import receiver as receivers
from mail_programs import PROGRAMS, Order

CONFIGURATION = 'SmtpPlugin auth/auth_certificate\nSSLVerifyClient optional\nSSLCACertificateFile "@root@/ca.pem"'
HOW = pytest.mark.parametrize("program", ["smtplib", "curl", "msmtp"])
IMPLICIT = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])


@pytest.fixture(scope="module")
def shared_receiver():
    with receivers.running(CONFIGURATION) as shared:
        yield shared


def send(receiver, folder, program, implicit, emails):
    own = receiver.authority.issue(subject="/CN=Jane Doe", emails=emails)
    order = Order(receiver.host(implicit).port, receiver.authority.certificate, folder, messages.ORDINARY, implicit=implicit, mechanism="EXTERNAL",
                  recipients=(*receivers.RECIPIENTS, receivers.ELSEWHERE), certificate=own)
    return (order, *PROGRAMS[program](order))


@HOW
@IMPLICIT
def test_who_has_a_certificate_may_write_to_everybody(receiver, tmp_path, program, implicit):
    order, status, printed = send(receiver, tmp_path, program, implicit, [receivers.USER])
    assert status == 0, printed
    arrived, = receiver.arrived(implicit)
    receivers.check_envelope(arrived, recipients=order.recipients, login=("EXTERNAL", order.user))


@HOW
def test_somebody_elses_certificate_is_no_login(receiver, tmp_path, program):
    _, status, printed = send(receiver, tmp_path, program, True, ["ann@example.com"])
    assert status != 0 and "535" in printed, printed
    assert not receiver.implicit.maildir.new()
