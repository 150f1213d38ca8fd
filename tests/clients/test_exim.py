"""A real Exim delivers to our server: with CHUNKING, unless the test switches it off, and with PIPELINING."""

import pytest

import messages
from certificates import Authority
from exim import AUTHENTICATORS, Exim
from receiver import ELSEWHERE, RECIPIENTS, SENDER, USER, running, speaking_lmtp

MTA = Exim


def deliveries(mta):
    """The lines of its log about recipients that got the one message."""
    mta.wait_log("Completed")
    return [line for line in mta.log_text().splitlines() if " => " in line or " -> " in line]


@pytest.mark.parametrize("size", [0, 10_000_000], ids=["strange", "large"])
def test_a_message_arrives_octet_for_octet(mta, receiver, size):
    message = messages.large(size) if size else messages.message()
    mta.submit(message, SENDER, RECIPIENTS)
    arrived, = receiver.arrived()
    mta.check_relayed(arrived, message)


@pytest.mark.parametrize("lines, flags", [([], " L K "), (["hosts_try_chunking ="], " L "), (["hosts_avoid_pipelining = *"], " K ")],
                         ids=["both", "no chunking", "no pipelining"])
def test_extensions_that_exim_uses(receiver, lines, flags):
    with Exim(receiver.starttls.port, receiver.authority, *lines) as mta:
        mta.submit(messages.message(), SENDER, RECIPIENTS)
        arrived, = receiver.arrived()
        mta.check_relayed(arrived, messages.message())
        assert len(deliveries(mta)) == len(RECIPIENTS)
        for line in deliveries(mta):
            assert " CV=yes" + flags + 'C="250 2.0.0 Queued!' in line, line


def test_tls_from_the_first_octet(receiver):
    with Exim(receiver.implicit.port, receiver.authority, "protocol = smtps") as mta:
        mta.submit(messages.message(), SENDER, RECIPIENTS)
        arrived, = receiver.arrived(implicit=True)
        mta.check_relayed(arrived, messages.message())


@pytest.mark.parametrize("mechanism", AUTHENTICATORS)
def test_exim_logs_in(receiver, mechanism):
    with Exim(receiver.starttls.port, receiver.authority, mechanism=mechanism) as mta:
        mta.submit(messages.ORDINARY, SENDER, [*RECIPIENTS, ELSEWHERE])
        arrived, = receiver.arrived()
        mta.check_relayed(arrived, messages.ORDINARY, recipients=[*RECIPIENTS, ELSEWHERE], login=(mechanism, USER))


def test_exim_sees_a_certificate_that_it_does_not_trust(receiver, tmp_path):
    with Exim(receiver.starttls.port, Authority(tmp_path, "Somebody Else")) as mta:
        mta.submit(messages.ORDINARY, SENDER, RECIPIENTS)
        mta.wait_log("defer (-37)", count=len(RECIPIENTS))
        assert "certificate verification failed" in mta.log_text()
    assert not receiver.starttls.maildir.new()


def test_prdr():
    """Exim asks for a reply for each recipient if the server offers that."""
    with running("SmtpPlugin judges_recipients") as receiver, Exim(receiver.starttls.port, receiver.authority) as mta:
        mta.submit(messages.message(), SENDER, [*RECIPIENTS, "full@example.com"])
        message, bounce = sorted(receiver.arrived(count=2), key=lambda arrived: arrived.sender == "")
        mta.check_relayed(message, messages.message())
        assert bounce.sender == "" and b"full@example.com" in bounce.message
        relayed = [line for line in deliveries(mta) if any(f"> {recipient} " in line for recipient in RECIPIENTS) and "<>" not in line]
        assert [line for line in relayed if " PRDR " in line], mta.log_text()
        mta.wait_log("** full@example.com")
        refused, = [line for line in mta.log_text().splitlines() if "** full@example.com" in line]
        assert "PRDR error" in refused and " 552 5.2.2 " in refused, refused


def test_lmtp():
    with speaking_lmtp() as receiver:
        lines = ["protocol = lmtp", f"port = {receiver.starttls.port}"]  # without it, Exim looks for a service of that name
        with Exim(receiver.starttls.port, receiver.authority, *lines) as mta:
            mta.submit(messages.message(), SENDER, RECIPIENTS)
            arrived, = receiver.arrived()
            mta.check_relayed(arrived, messages.message(), protocol="LMTPS")
            assert len(deliveries(mta)) == len(RECIPIENTS)
