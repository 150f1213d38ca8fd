"""The hook user_config in a running server: a recipient's own files change what plugins do for that recipient, and
for no other."""

import pytest

import smtpd_env
from smtp_client import Client

PLUGINS = """
    SmtpPlugin user_config "@control@/users/%h/%u"
    SmtpPlugin whitelist per_recipient=yes
    SmtpPlugin badrcptto
    SmtpPlugin greylisting per_recipient=yes recipient=yes black_timeout=1min
"""
NOT_KNOWN = "You are not known here yet, please try again later"


@pytest.fixture
def host(make_server, mpm):
    server = make_server(mpm, children=1, threads=4, log_level="notice smtpd:debug")
    files = {"badrcptto": "trap@example.com\n/-list@/ Lists are closed\n",
             "users/example.com/eager/denysoft_greylist": "# all who write to me are welcome\nreject 0\n",
             "users/example.com/friends-list/whitelistsenders": "friend@example.net\n",
             "users/example.com/mistaken/denysoft_greylist": "reject perhaps\nblack_timeout soon\n"}
    host = server.smtp(PLUGINS + smtpd_env.DEFAULT_PLUGINS, f'SmtpStore "file:{server.work / "state" / "store"}" timeout=5s', control=files)
    for folder in [host.control / "users", *(host.control / "users").rglob("*")]:  # which httpd's user has to look into
        if folder.is_dir():
            folder.chmod(0o755)
    host.server = server
    server.start()
    return host


def replies(host, recipients, sender="sender@example.net"):
    """The replies to a new client for each of them, in one transaction."""
    with Client(host.port) as client:
        client.ehlo()
        client.command(f"MAIL FROM:<{sender}>", 250)
        told = [client.command(f"RCPT TO:<{recipient}>") for recipient in recipients]
        client.quit()
    return told


def test_settings_hold_for_the_recipient_who_has_them(host):
    for order in (1, -1):  # whoever comes first
        told = replies(host, ["eager@example.com", "other@example.com"][::order])[::order]
        told[0].expect(250)
        told[1].expect(450, "4.7.1", NOT_KNOWN)
    assert host.server.wait_log("greylisting: skip: eager@example.com does not want greylisting")


def test_lists_of_a_recipient_exempt_that_recipient_only(host):
    friends, other = replies(host, ["friends-list@example.com", "other-list@example.com"], "friend@example.net")
    friends.expect(250)
    other.expect(550, "5.1.1", "Lists are closed")
    replies(host, ["friends-list@example.com"], "stranger@example.net")[0].expect(550, "5.1.1", "Lists are closed")
    assert host.server.wait_log("whitelist: pass: the sender is listed, for friends-list@example.com")


def test_a_message_for_several_recipients(host):
    with Client(host.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<friend@example.net>", 250)
        for recipient, code in (("trap", 550), ("eager", 250), ("friends-list", 250), ("other", 450)):
            client.command(f"RCPT TO:<{recipient}@example.com>", code)
        client.data(b"Subject: settings\r\n\r\ntext\r\n").expect(250)
        client.quit()
    assert len(host.maildir.new()) == 1


def test_changes_hold_for_the_next_command(host):
    replies(host, ["late@example.com"])[0].expect(450, "4.7.1")
    host.set_control("users/example.com/late/denysoft_greylist", "reject 0\n")
    (host.control / "users/example.com/late").chmod(0o755)
    replies(host, ["late@example.com"])[0].expect(250)
    (host.control / "users/example.com/late/denysoft_greylist").unlink()
    replies(host, ["late@example.com"])[0].expect(450, "4.7.1")


def test_mistakes_are_logged_and_no_more(host):
    host.server.expect_log(r"smtpd:warn.*greylisting: denysoft_greylist of mistaken@example\.com: .*reject")
    host.server.expect_log(r"smtpd:warn.*greylisting: denysoft_greylist of mistaken@example\.com: .*black_timeout")
    replies(host, ["mistaken@example.com"])[0].expect(450, "4.7.1", NOT_KNOWN)


def test_no_address_leads_out_of_the_folder(host):
    """A dangerous address has no settings; those of the site apply."""
    host.set_control("elsewhere/denysoft_greylist", "reject 0\n")
    for recipient in ('"../../elsewhere"@example.com', '"a/b"@example.com', ".@example.com"):
        told = replies(host, [recipient])[0]
        assert told.code in (450, 501), told
    assert host.server.wait_log(r"user_config: .* has no folder for denysoft_greylist", count=2)
