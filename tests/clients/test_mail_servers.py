"""Tests for all mail servers that deliver to ours."""

import pytest

import messages
from exim import Exim
from postfix_relay import Postfix
from receiver import ELSEWHERE, RECIPIENTS, SENDER

pytestmark = pytest.mark.parametrize("shared_mta", [Postfix, Exim], indirect=True, ids=["Postfix", "Exim"])


def test_addresses_in_utf_8(mta, receiver):
    sender, recipient = "jürgen@example.net", "почта@example.com"
    mta.submit(messages.ORDINARY, sender, [recipient], ["BODY=8BITMIME", "SMTPUTF8"])
    arrived, = receiver.arrived()
    mta.check_relayed(arrived, messages.ORDINARY, sender=sender, recipients=[recipient], protocol="UTF8SMTPS")


def test_a_refused_recipient_is_returned_and_the_others_get_the_message(mta, receiver):
    mta.submit(messages.ORDINARY, SENDER, [*RECIPIENTS, ELSEWHERE])
    bounce, message = sorted(receiver.arrived(count=2), key=lambda arrived: arrived.sender)
    mta.check_relayed(message, messages.ORDINARY)
    assert (bounce.sender, bounce.recipients) == ("", [SENDER])
    assert b"550 5.7.1" in bounce.message and ELSEWHERE.encode() in bounce.message
