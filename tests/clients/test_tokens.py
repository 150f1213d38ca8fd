"""Common mail programs log in with a token of OAuth 2, and get an understandable reason if it is not valid (RFC 7628
3.2.2)."""

import base64
import contextlib
import json
import re
import time

import pytest

import messages
import receiver as receivers
from auth_peers import authorization_server
from mail_programs import PROGRAMS, TIMEOUT, TOKEN_MECHANISMS, Order

TOKENS = {"janes-token": {"active": True, "username": receivers.USER, "scope": "smtp"}, "anns-token": {"active": True, "username": "ann@example.com", "scope": "smtp"},
          "for-imap": {"active": True, "username": receivers.USER, "scope": "imap"}}
HOW = pytest.mark.parametrize("program, mechanism", [(program, mechanism) for program, mechanisms in TOKEN_MECHANISMS.items() for mechanism in mechanisms])


@contextlib.contextmanager
def token_receiver(folder, lines="", *, is_up=True):
    """A server that asks an authorization server about tokens, or one whose authorization server has just gone."""
    client = folder / "client"
    client.write_text("mail\nhidden\n")
    client.chmod(0o600)
    with contextlib.ExitStack() as ends:
        issuer = contextlib.ExitStack()
        url, _ = issuer.enter_context(authorization_server(TOKENS))
        (ends.push(issuer.pop_all()) if is_up else issuer.close())
        yield ends.enter_context(receivers.running(f'SmtpPlugin auth/auth_oauth {url} client_file="{client}" scope=smtp cache=0s\n{lines}',
                                                   "mod_smtpd was built without libcurl or jansson"))


@pytest.fixture(scope="module")
def shared_receivers(tmp_path_factory):
    """By mechanism. curl uses OAUTHBEARER whenever the server offers it."""
    folder = tmp_path_factory.mktemp("tokens")
    with token_receiver(folder) as usual, token_receiver(folder, "SmtpAuthMechanisms -OAUTHBEARER") as older:
        yield {"OAUTHBEARER": usual, "XOAUTH2": older}


@pytest.fixture
def receiver(shared_receivers, mechanism):
    shared_receivers[mechanism].clear()
    return shared_receivers[mechanism]


def send(receiver, folder, program, mechanism, token):
    """(the order, its result, its output)"""
    order = Order(receiver.starttls.port, receiver.authority.certificate, folder, mechanism=mechanism, password=token, message=messages.ORDINARY,
                  recipients=(*receivers.RECIPIENTS, receivers.ELSEWHERE))
    return (order, *PROGRAMS[program](order))


@HOW
def test_who_has_a_token_may_write_to_everybody(receiver, tmp_path, program, mechanism):
    order, status, printed = send(receiver, tmp_path, program, mechanism, "janes-token")
    assert status == 0, printed
    arrived, = receiver.arrived()
    receivers.check_envelope(arrived, recipients=order.recipients, login=(mechanism, order.user))


@HOW
@pytest.mark.parametrize("token", ["nobodys", "anns-token", "for-imap"])
def test_a_token_that_is_no_good_is_told(receiver, tmp_path, capfd, program, mechanism, token):
    count = len(re.findall(failure(mechanism, 535), receiver.server.log_text()))
    begun = time.monotonic()
    _, status, printed = send(receiver, tmp_path, program, mechanism, token)
    printed += capfd.readouterr().out  # for the one that is no program of its own
    assert status != 0 and ("535" in printed or "Login denied" in printed), printed
    reason = json.loads(base64.b64decode(re.search(r"334[ -]+(e[A-Za-z0-9+/=]+)", printed)[1]))
    assert reason["status"] == ("invalid_token" if mechanism == "OAUTHBEARER" else "401"), printed
    receiver.server.wait_log(failure(mechanism, 535), count=count + 1)
    assert not receiver.starttls.maildir.new()
    assert time.monotonic() - begun < TIMEOUT / 2


def failure(mechanism, code):
    return rf"authentication failed for \S+ mechanism={mechanism} code={code} "


def test_who_cannot_be_asked_refuses_nobody(tmp_path):
    with token_receiver(tmp_path, is_up=False) as receiver:
        receiver.server.expect_log("auth/auth_oauth: error: http://localhost:")
        receiver.server.expect_log(failure("OAUTHBEARER", 454))
        for program, mechanism in (("smtplib", "OAUTHBEARER"), ("curl", "OAUTHBEARER"), ("msmtp", "XOAUTH2"), ("nodemailer", "XOAUTH2")):
            _, status, printed = send(receiver, tmp_path, program, mechanism, "janes-token")
            assert status != 0 and "454" in printed, printed
        assert not receiver.starttls.maildir.new()
