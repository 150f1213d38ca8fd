"""Control files that are invalid, missing for a moment or half written: httpd starts, restarts and stops; the
virtual host answers 451 or uses the earlier content; the server rejects no mail because of a temporary state;
configtest names every mistake."""

import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from smtp_client import Client
from smtpd_env import SLOWDOWN, wait_until

SETTLING = 15

PLUGINS = """
    SmtpPlugin relay
    SmtpPlugin badmailfrom
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""
BAD = {
    "rcpthosts": "example.com\n*\n",
    "relayclients": "192.0.2.0/99\n",
    "badmailfrom": "/unclosed(/\n",
    "databytes": "lots\n",
    "plugins": "badrcptto wat 5\n",
    "me": "$include /no/such/file\n",
}


def greeting(port):
    with Client(port) as client:
        return client.greeting


def answer(port, recipient="user@example.com", sender="sender@example.net"):
    """The code of RCPT, or of an earlier refusal."""
    with Client(port) as client:
        if client.greeting.code != 220:
            return client.greeting.code
        client.ehlo()
        mail = client.command(f"MAIL FROM:<{sender}>")
        return mail.code if mail.code != 250 else client.command(f"RCPT TO:<{recipient}>").code


def page(port):
    """The code of an HTTP host's page."""
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def command(server, *words):
    return subprocess.run(
        server._command(*words), env=server._environment, capture_output=True, text=True, timeout=60 * SLOWDOWN
    )


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_control_file_stops_nothing(make_server, name):
    """httpd starts (as after a reboot) with the web site and the other mail server; a restart and a stop work; the
    host with the invalid file defers."""
    server = make_server("event", modules=["authz_core"])
    smtp = server.smtp(PLUGINS, control={name: BAD[name]})
    other = server.smtp(PLUGINS, name="mx2.example.com")
    web = server.http()
    good, output = server.configtest()
    assert not good and f"/{name}" in output, output
    server.allow_log(r"SMTPD0005: ")
    server.allow_log(rf"/{name}\b")
    server.start()
    reply = greeting(smtp.port)
    assert reply.code == 451 and reply.text.startswith("4.3.5 "), reply
    assert answer(other.port) == 250
    assert page(web.port) >= 200
    assert re.search(
        rf":error\].*SMTPD0005: mx\.example\.com:{smtp.port} answers 451 to every client until .*/{name}\b",
        server.log_text(),
    )
    server.graceful()
    assert greeting(smtp.port).code == 451 and answer(other.port) == 250
    smtp.set_control(name, {"rcpthosts": "example.com\n", "plugins": "badrcptto\n"}.get(name, ""))
    server.graceful()
    wait_until(lambda: answer(smtp.port) == 250, 5, "the corrected file is not used")
    smtp.set_control(name, BAD[name])
    done = command(server, "-k", "stop")
    assert done.returncode == 0, done.stderr
    server.process.wait(20 * SLOWDOWN)


@pytest.mark.parametrize("name", ["rcpthosts", "relayclients", "badmailfrom", "databytes"])
def test_a_running_server_keeps_what_was_good_over_a_restart(make_server, name):
    server = make_server("event")
    good = {
        "rcpthosts": "example.com\n",
        "relayclients": "192.0.2.1\n",
        "badmailfrom": "bad@example.net\n",
        "databytes": "100000\n",
    }
    smtp = server.smtp(PLUGINS, control=good)
    server.start()
    smtp.set_control(name, BAD[name])
    server.allow_log(rf"/{name}:\d+: .*; the previous content stays in use")
    done = command(server, "-k", "graceful")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: server._generations() == 2, 20, "no new generation")
    server.wait_log(rf"/{name}:\d+: .*; the previous content stays in use")
    for _ in range(3):
        assert answer(smtp.port) == 250
        assert answer(smtp.port, "user@elsewhere.example") == 550
        assert answer(smtp.port, sender="bad@example.net") == 550
    with Client(smtp.port) as client:
        assert "SIZE 100000" in client.ehlo().text
    assert not server.configtest()[0]


def test_all_mistakes_of_a_file_at_once(make_server):
    server = make_server("event")
    server.smtp(
        PLUGINS,
        control={
            "rcpthosts": "example.com\n*\nuser@example.com\nexample.org\na..b\n",
            "badmailfrom": "x\n/(/\n@example.com\n",
        },
    )
    good, output = server.configtest()
    assert not good
    for place in ("rcpthosts:2:", "rcpthosts:3:", "rcpthosts:5:", "badmailfrom:1:", "badmailfrom:2:"):
        assert f"/{place}" in output, f"{place} is not in\n{output}"
    assert not re.search(r"rcpthosts:[14]:|badmailfrom:3:", output), output


def disappears(path):
    path.unlink()


def becomes_empty(path):
    path.write_text("")


def becomes_empty_by_renaming(path):
    fresh = path.with_suffix(".tmp")
    fresh.write_text("# nothing yet\n")
    fresh.rename(path)


def is_cut(path):
    path.write_text("example.org\nexam")


def is_begun_anew(path):
    path.unlink()
    yield
    path.write_text("example.org\n")


def stays(port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert answer(port) == 250
        time.sleep(0.2)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (disappears, "is missing"),
        (becomes_empty, "is empty"),
        (becomes_empty_by_renaming, "is empty"),
        (is_cut, "has lost lines while it was written in place"),
        (is_begun_anew, "is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_being_replaced(make_server, spoil, words):
    server = make_server("event")
    smtp = server.smtp(PLUGINS, control={"rcpthosts": "example.org\nexample.net\nexample.com\n"})
    server.allow_log(
        rf"/rcpthosts ({words}|has lost lines while it was written in place|ends in the middle of a line); the previous content stays in use until this state has lasted {SETTLING} seconds"
    )
    server.start()
    assert answer(smtp.port) == 250
    for _ in spoil(smtp.control / "rcpthosts") or ():
        stays(smtp.port, 2)
    stays(smtp.port, 4)
    assert re.search(rf":warn\].*/rcpthosts ({words}); the previous content stays in use", server.log_text())
    (smtp.control / "rcpthosts").write_text("example.org\nexample.net\nexample.com\nexample.edu\n")
    wait_until(lambda: answer(smtp.port, "user@example.edu") == 250, 5, "the complete file is not used", interval=0.2)
    assert answer(smtp.port) == 250


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [disappears, becomes_empty])
def test_an_intended_removal_counts_when_it_is_stable(make_server, spoil):
    server = make_server("event")
    smtp = server.smtp(PLUGINS)
    server.allow_log(r"/rcpthosts is (missing|empty)")
    server.start()
    assert answer(smtp.port) == 250
    began = time.monotonic()
    spoil(smtp.control / "rcpthosts")
    wait_until(lambda: answer(smtp.port) == 550, SETTLING + 5, "the removal does not count", interval=0.3)
    assert time.monotonic() - began > SETTLING - 2
    assert re.search(
        rf"/rcpthosts is (missing|empty), and this has not changed for {SETTLING} seconds: it takes effect now",
        server.log_text(),
    )


def test_a_restart_in_that_moment(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS)
    server.allow_log(r"rcpthosts is missing")
    server.start()
    assert answer(smtp.port) == 250
    (smtp.control / "rcpthosts").unlink()
    server.graceful()
    for _ in range(5):
        assert answer(smtp.port) == 250
        time.sleep(0.5)
