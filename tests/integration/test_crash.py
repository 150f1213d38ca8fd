"""kill -9 of children: every message that got 250 is complete in new/, none is there in part, and the server goes
on."""

import os
import signal

import pytest

from load import Load
from maildir import check_stored
from smtp_client import Client, Closed
from smtpd_env import KILLED, wait_until

HEADER = b"From: sender@example.net\r\nSubject: crash\r\n\r\n"

STEPS = [b"EHLO c.example.net\r\n", b"MAIL FROM:<sender@example.net>\r\n", b"RCPT TO:<user@example.com>\r\n", b"DATA\r\n", HEADER + b"text\r\n", b".\r\n"]


def test_kill_under_load(make_server, mpm):
    server = make_server(mpm, children=3, threads=4)
    server.allow_log(KILLED)
    smtp = server.smtp(lines="SmtpSpoolThreshold 16k")
    server.start()
    with Load(smtp.port, clients=6, seed=3) as load:
        assert server.kill_children(seconds=5, seed=5) >= 5
    found = load.check(smtp.maildir)
    assert len(load.accepted) > 20, f"only {len(load.accepted)} messages in {load.sessions} sessions"
    # What was not accepted and is there all the same was killed between the last step and its reply.
    assert set(found) - load.accepted <= load.unsettled
    assert load.surprises == []
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_kill_at_every_step(make_server, mpm):
    server = make_server(mpm, children=1, threads=3)
    server.allow_log(KILLED)
    smtp = server.smtp()
    server.start()
    for steps in range(len(STEPS) + 1):
        smtp.maildir.clear()

        def connect():
            try:
                return Client(smtp.port)
            except (Closed, OSError):
                return None

        client = wait_until(connect, 20, "no new child", interval=0.1)
        session = client.greeting.text.split()[-1]
        for step in STEPS[:steps]:
            client.send(step)
            if step is not STEPS[4]:
                last = client.reply()
        serving = server.wait_log(rf"\[{session}\] connect$")[-1].pid
        os.kill(serving, signal.SIGKILL)
        with pytest.raises(Closed):
            client.reply()
        client.close()
        if steps == len(STEPS):
            last.expect(250)
            check_stored(smtp.maildir.only(), HEADER + b"text\r\n")
        else:
            assert smtp.maildir.new() == [], f"a message is there after step {steps}"


def test_abort_in_one_child_leaves_the_sessions_of_others(make_server, mpm):
    server = make_server(mpm, children=2, threads=4)
    server.allow_log(KILLED)
    smtp = server.smtp()
    server.start()
    clients = {}

    def is_in_both():
        client = Client(smtp.port)
        session = client.greeting.text.split()[-1]
        pid = server.wait_log(rf"\[{session}\] connect$")[-1].pid
        if pid in clients:
            client.close()
        else:
            clients[pid] = client
        return len(clients) == 2

    wait_until(is_in_both, 20, "all sessions are in one child")  # the second one is there, but may not serve yet
    victim, survivor = clients
    clients[survivor].ehlo()
    clients[survivor].envelope()
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(Closed):
        clients[victim].reply()
    clients[survivor].data(HEADER).expect(250)
    clients[survivor].quit()
    check_stored(smtp.maildir.only(), HEADER)
