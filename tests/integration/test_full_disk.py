"""A full disk, for the maildir or for the spool: the client gets 452 4.3.1, nothing remains, and the server still
accepts what fits."""

import os
import shutil

import pytest

from maildir import Maildir, check_stored
from smtp_client import Client
from smtpd_env import is_root

HEADER = b"From: sender@example.net\r\nSubject: full\r\n\r\n"

LARGE = HEADER + b"large large large\r\n" * 40_000
SMALL = HEADER + b"small\r\n"


def everything_below(folder):
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def test_full_maildir(make_server, mpm, small_disk):
    server = make_server(mpm)
    server.expect_log(r":error\].*\(queue\) queue/maildir: error: .*No space left")
    smtp = server.smtp(lines="SmtpSpoolThreshold 4m")
    small_disk(server, smtp.maildir.path)
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(LARGE).expect(452, "4.3.1")
        assert everything_below(smtp.maildir.path) == []
        client.deliver(SMALL).expect(250)
        client.deliver(LARGE).expect(452, "4.3.1")
        client.quit()
    check_stored(smtp.maildir.only(), SMALL)
    assert smtp.maildir.tmp() == []


def test_maildir_that_fills_up(make_server, small_disk):
    """The server accepts messages while they fit; each accepted message is complete."""
    server = make_server("event")
    server.expect_log(r":error\].*No space left")
    smtp = server.smtp()
    small_disk(server, smtp.maildir.path)
    server.start()
    message = HEADER + b"a fair amount\r\n" * 4_000
    accepted = 0
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(12):
            reply = client.deliver(message).expect((250, 452))
            accepted += reply.code == 250
    assert 3 <= accepted < 12
    stored = smtp.maildir.stored()
    assert len(stored) == accepted and smtp.maildir.tmp() == []
    for one in stored:
        check_stored(one, message)


def test_no_more_files(make_server, small_disk):
    server = make_server("event")
    server.expect_log(r":error\].*No space left")
    smtp = server.smtp()
    small_disk(server, smtp.maildir.path, "size=4m,nr_inodes=6")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        codes = [client.deliver(SMALL).code for _ in range(6)]
    assert set(codes) == {250, 452} and codes == sorted(codes)
    assert len(smtp.maildir.new()) == codes.count(250) and smtp.maildir.tmp() == []


def test_all_recipients_or_none(make_server, small_disk):
    """The first recipient's copy fits, the second's does not: neither stays."""
    server = make_server("event")
    server.expect_log(r":error\].*No space left")
    smtp = server.smtp('SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" %l')
    small_disk(server, smtp.maildir.path)
    server.start()
    message = HEADER + b"half of the disk\r\n" * 15_000
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(message, "sender@example.net", "first@example.com", "second@example.com").expect(452, "4.3.1")
        assert everything_below(smtp.maildir.path) == []
        client.deliver(message, "sender@example.net", "first@example.com").expect(250)
    check_stored(Maildir(smtp.maildir.path / "first").only(), message, recipients=("first@example.com",))


def test_full_spool(make_server, mpm, small_disk):
    server = make_server(mpm)
    server.expect_log(r":error\].*cannot store the message: .*No space left")
    smtp = server.smtp(lines="SmtpSpoolThreshold 16k")
    small_disk(server, smtp.spool)
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(LARGE).expect(452, "4.3.1")
        assert everything_below(smtp.spool) == []
        assert shutil.disk_usage(smtp.spool).used < 100_000, "the space of the refused message is still taken"
        client.deliver(HEADER + b"middling\r\n" * 10_000).expect(250)
        client.deliver(SMALL).expect(250)
        client.quit()
    assert len(smtp.maildir.new()) == 2 and smtp.maildir.tmp() == []


def test_file_size_limit(make_server, tmp_path):
    """Without root: a limit on the size of files is a write error like any other, and no part of the message stays."""
    prlimit = shutil.which("prlimit")
    if not prlimit:
        pytest.skip("prlimit is not installed")
    server = make_server("event", prefix=(prlimit, f"--fsize={300_000}"))
    server.expect_log(r":error\].*\(queue\) queue/maildir: error: .*File too large")
    smtp = server.smtp(lines="SmtpSpoolThreshold 4m")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(LARGE).expect((451, 452))
        assert everything_below(smtp.maildir.path) == []
        client.deliver(SMALL).expect(250)
    check_stored(smtp.maildir.only(), SMALL)


@pytest.mark.skipif(not is_root(), reason="the server's children are who owns the folders")
@pytest.mark.parametrize("folder", ["maildir", "spool"])
def test_folder_that_may_not_be_written(make_server, folder):
    server = make_server("event")
    server.expect_log(r":error\].*Permission denied")
    smtp = server.smtp(lines="SmtpSpoolThreshold 16k")
    path = smtp.maildir.path if folder == "maildir" else smtp.spool
    server.start()
    os.chown(path, 0, 0)
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(LARGE).expect(451, "4.3.0")
        assert everything_below(smtp.maildir.path) == []
        client.command("RSET", 250)
    os.chown(path, server.user[1], server.user[2])
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(LARGE).expect(250)
    check_stored(smtp.maildir.only(), LARGE)


def test_maildir_that_disappears(make_server):
    """If new/ is removed, the plugin creates it again or defers the message; it never loses the message."""
    server = make_server("event")
    server.allow_log(r":error\].*queue/maildir")
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(SMALL).expect(250)
        shutil.rmtree(smtp.maildir.path / "new")
        shutil.rmtree(smtp.maildir.path / "tmp")
        reply = client.deliver(SMALL).expect((250, 451))
        if reply.code == 451:
            client.deliver(SMALL).expect(250)
    check_stored(smtp.maildir.only(), SMALL)
