"""Graceful restart and stop: waiting sessions get 421 and end, a message on its way arrives, nothing is lost and
nothing is doubled."""

import contextlib
import pathlib
import re
import signal
import time

import pytest

from load import Load
from maildir import check_stored
from smtp_client import Client, Closed
from smtpd_env import BUILD, SLOWDOWN, children_of, process_exists, wait_until

HEADER = b"From: sender@example.net\r\nSubject: restart\r\n\r\n"

#: httpd's own words when a child takes its time.
LATE_CHILD = r"AH00045|AH00046|AH00047|AH10234"


@pytest.fixture
def server(make_server, mpm):
    server = make_server(mpm, children=2, threads=6)
    server.smtp()
    server.start()
    return server


def test_idle_sessions_hear_421_and_the_old_children_go(server):
    smtp = server.hosts[0]
    old = server.children()
    clients = [Client(smtp.port) for _ in range(4)]
    for client in clients[:3]:
        client.ehlo()
    began = time.monotonic()
    server.graceful()
    for client in clients:
        client.reply().expect(421, "4.3.2")
        client.expect_close()
        client.close()
    assert time.monotonic() - began < 10 * SLOWDOWN
    wait_until(lambda: not any(process_exists(pid) for pid in old), 15, "old children stay")
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)
        client.quit()


def test_a_message_on_its_way_arrives(server):
    smtp = server.hosts[0]
    old = server.children()
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(HEADER + b"first half\r\n")
        server.graceful()
        time.sleep(1.5)
        client.send(b"second half\r\n.\r\n")
        client.reply().expect(250)
        # The transaction is over: now this session ends.
        client.reply().expect(421, "4.3.2")
        client.expect_close()
    check_stored(smtp.maildir.only(), HEADER + b"first half\r\nsecond half\r\n")
    wait_until(lambda: not any(process_exists(pid) for pid in old), 15, "old children stay")


def test_a_transaction_without_data_may_be_finished(server):
    smtp = server.hosts[0]
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        server.graceful()
        time.sleep(1.5)
        client.command("RCPT TO:<user@example.com>", 250)
        client.data(HEADER).expect(250)
    check_stored(smtp.maildir.only(), HEADER)


def test_new_configuration_is_used_by_new_sessions(server):
    smtp = server.hosts[0]
    with Client(smtp.port) as before:
        before.ehlo()
        before.command("MAIL FROM:<sender@example.net>", 250)
        smtp._lines = "SmtpMaxMessageSize 4321"
        server.write()
        server.graceful()

        def new_session():
            """Whether this session belongs to the new generation. Until an old child learns of the restart, it
            serves some more sessions as before, and ends others with 421."""
            with Client(smtp.port) as after:
                return "SIZE 4321" in after.command("EHLO client.example.net").lines

        wait_until(new_session, 10, "no session has the new configuration")
        before.command("RCPT TO:<user@example.com>", 250)
        before.data(HEADER).expect(250)


def test_a_broken_configuration_does_not_replace_the_running_one(server):
    """httpd checks nothing on SIGUSR1 by itself; apachectl does, with configtest. This check must find the mistake."""
    smtp = server.hosts[0]
    smtp._plugins += "SmtpPlugin nonsense\n"
    good, output = server.configtest()
    assert not good and "nonsense" in output
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)


def test_parked_sessions_and_restart(make_server, mpm):
    server = make_server(mpm, threads=6)
    smtp = server.smtp('SmtpPlugin earlytalker wait=2\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"')
    server.start()
    old = server.children()
    clients = [Client(smtp.port, greet=False) for _ in range(4)]
    time.sleep(0.3)
    server.graceful()
    for client in clients:
        client.reply().expect((220, 421))
        client.close()
    wait_until(lambda: not any(process_exists(pid) for pid in old), 20, "old children stay")


def test_restart_in_a_loop_under_load(make_server, mpm):
    server = make_server(mpm, children=2, threads=6)
    server.allow_log(LATE_CHILD)
    smtp = server.smtp(lines="SmtpSpoolThreshold 16k")
    server.start()
    with Load(smtp.port, clients=5, pause=0.05) as load:
        for _ in range(8):
            time.sleep(0.5 * SLOWDOWN)
            server.graceful()
        time.sleep(0.3)
    assert load.surprises == [] and load.cut == [] and load.unsettled == set()
    found = load.check(smtp.maildir)
    assert set(found) == load.accepted, "messages that were not accepted are stored"
    assert len(load.accepted) > 20, f"only {len(load.accepted)} messages in {load.sessions} sessions"
    assert smtp.maildir.tmp() == []


def test_graceful_stop(server):
    smtp = server.hosts[0]
    with Client(smtp.port) as idle, Client(smtp.port) as busy:
        idle.ehlo()
        busy.ehlo()
        busy.envelope()
        busy.command("DATA", 354)
        busy.send(HEADER)
        server.graceful_stop()
        idle.reply().expect(421, "4.3.2")
        idle.expect_close()
        with pytest.raises(OSError):
            for _ in range(100):
                Client(smtp.port, greet=False, timeout=2).close()
                time.sleep(0.1)
        busy.send(b"late\r\n.\r\n")
        busy.reply().expect(250)
        busy.reply().expect(421, "4.3.2")
    check_stored(smtp.maildir.only(), HEADER + b"late\r\n")
    server.process.wait(20 * SLOWDOWN)


def test_stop_ends_sessions_at_once(server):
    """SIGTERM does not wait: the server accepts no message afterwards, and leaves none half written."""
    smtp = server.hosts[0]
    children = server.children()
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(HEADER)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20 * SLOWDOWN)
        assert time.monotonic() - began < 12 * SLOWDOWN
        assert [reply.code for reply in client.remaining_replies()] in ([], [421], [451], [451, 421])
    assert not any(process_exists(pid) for pid in children)
    assert smtp.maildir.new() == [] and smtp.maildir.tmp() == []
    assert not re.search(r"exit signal", server.log_text())


def test_restarts_do_not_pile_up_anything_in_the_parent(make_server):
    """The parent reads its configuration again at every restart: no file and no mapping may remain."""
    server = make_server("event", threads=4)
    smtp = server.smtp()
    server.start()

    def parent():
        process = pathlib.Path(f"/proc/{server.process.pid}")
        maps = (process / "maps").read_text()
        return len(list((process / "fd").iterdir())), maps.count("mod_smtpd.so"), maps.count("rcpt_ok.so"), maps.count("\n")

    for _ in range(2):
        server.graceful()
    files, module_maps, plugin_maps, maps = parent()
    for _ in range(6):
        server.graceful()
    files_after, module_after, plugin_after, maps_after = parent()
    assert files_after <= files and module_after == module_maps and plugin_after == plugin_maps
    if not BUILD["sanitizers"]:  # which keep freed memory
        assert maps_after <= maps + 8
    def delivers():  # an old child may still take a client
        with contextlib.suppress(AssertionError, Closed), Client(smtp.port) as client:
            client.ehlo()
            return client.deliver(HEADER).code == 250
        return False

    wait_until(delivers, 10, "no new child serves")
    assert len(children_of(server.process.pid)) >= 1
