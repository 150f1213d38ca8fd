"""A real Postfix delivers to our server."""

import re

import pytest

import messages
from certificates import Authority
from mail_server import NAME
from postfix_relay import Postfix
from receiver import ELSEWHERE, HOST, PASSWORD, RECIPIENTS, SENDER, USER, running, speaking_lmtp

MTA = Postfix


@pytest.mark.parametrize("size", [0, 10_000_000], ids=["strange", "large"])
def test_a_message_arrives_octet_for_octet(mta, receiver, size):
    message = messages.large(size) if size else messages.message()
    mta.submit(message, SENDER, RECIPIENTS)
    arrived, = receiver.arrived()
    mta.check_relayed(arrived, message)
    mta.wait_log("Verified TLS connection established to localhost")
    mta.wait_log("status=sent (250 2.0.0 Queued!")


def test_tls_from_the_first_octet(receiver):
    with Postfix(receiver.implicit.port, receiver.authority, smtp_tls_wrappermode="yes") as implicit:
        implicit.submit(messages.message(), SENDER, RECIPIENTS)
        arrived, = receiver.arrived(implicit=True)
        implicit.check_relayed(arrived, messages.message())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_postfix_logs_in(receiver, mechanism):
    login = {"smtp_sasl_auth_enable": "yes", "smtp_sasl_mechanism_filter": mechanism, "smtp_sasl_security_options": "noanonymous",
             "smtp_sasl_password_maps": f"inline:{{ {{[{HOST}]:{receiver.starttls.port}={USER}:{PASSWORD}}} }}"}
    with Postfix(receiver.starttls.port, receiver.authority, **login) as relay:
        relay.submit(messages.ORDINARY, SENDER, [*RECIPIENTS, ELSEWHERE])
        arrived, = receiver.arrived()
        relay.check_relayed(arrived, messages.ORDINARY, recipients=[*RECIPIENTS, ELSEWHERE], login=(mechanism, USER))


def test_many_messages_over_one_connection(receiver):
    """Postfix keeps connections under TLS for its next messages, and hands them from one of its processes to the next."""
    kept = {"smtp_connection_cache_destinations": "$relayhost", "smtp_tls_connection_reuse": "yes", "smtp_destination_concurrency_limit": "1"}
    with Postfix(receiver.starttls.port, receiver.authority, **kept) as relay:
        wanted = [messages.message(f"number-{number}") for number in range(20)]
        for message in wanted:
            relay.submit(message, SENDER, RECIPIENTS)
        arrived = receiver.arrived(count=len(wanted), seconds=60)
        assert sorted(one.behind(NAME) for one in arrived) == sorted(wanted)
        assert len({one.session for one in arrived}) < len(wanted) / 2


def test_postfix_sees_a_certificate_that_it_does_not_trust(receiver, tmp_path):
    with Postfix(receiver.starttls.port, Authority(tmp_path, "Somebody Else")) as distrustful:
        distrustful.submit(messages.ORDINARY, SENDER, RECIPIENTS)
        distrustful.wait_log("Server certificate not verified")
    assert not receiver.starttls.maildir.new()


def test_lmtp():
    with speaking_lmtp() as receiver:
        settings = {"relayhost": "", "default_transport": f"lmtp:inet:{HOST}:{receiver.starttls.port}", "lmtp_host_lookup": "native",
                    "lmtp_tls_security_level": "secure", "lmtp_tls_secure_cert_match": "hostname", "lmtp_tls_CAfile": receiver.authority.certificate,
                    "lmtp_line_length_limit": "0"}
        with Postfix(receiver.starttls.port, receiver.authority, **settings) as mta:
            mta.submit(messages.message(), SENDER, RECIPIENTS)
            arrived, = receiver.arrived()
            mta.check_relayed(arrived, messages.message(), protocol="LMTPS")
            mta.wait_log("status=sent (250 ", count=len(RECIPIENTS))


def test_xforward():
    """The origin of a message, from a trusted Postfix."""
    with (running("SmtpTrustedProxies 127.0.0.1 ::1") as receiver,
          Postfix(receiver.starttls.port, receiver.authority, smtp_send_xforward_command="yes") as mta):
        mta.submit(messages.message(), SENDER, RECIPIENTS)
        arrived, = receiver.arrived()
        mta.check_relayed(arrived, messages.message())
        queue_id = re.search(r"ESMTP id (\w+)", arrived.message.decode(errors="replace"))[1]
        receiver.server.wait_log(rf"forwarded for .*\[127\.0\.0\.1\]:\d+ helo=origin\.example\.net proto=ESMTP ident={queue_id} source=")
