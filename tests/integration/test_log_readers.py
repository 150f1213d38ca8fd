"""Logs whose readers are slow, hang or go away: mail does not wait, and no line is lost that could have been
written."""

import os
import re
import socket
import threading
import time

import pytest

import smtpd_env
from smtp_client import Client

MESSAGE = b"From: sender@example.net\r\nSubject: x\r\n\r\ntext\r\n"


def seconds_of_a_message(port):
    began = time.monotonic()
    with Client(port) as client:
        client.ehlo()
        client.deliver(MESSAGE).expect(250)
        client.quit()
    return time.monotonic() - began


def fill_the_log(port, octets):
    """Makes at least so many bytes of log lines at trace: each command is one line."""
    with Client(port) as client:
        client.ehlo()
        for _ in range(octets // 8000):
            client.send(("NOOP " + "x" * 395 + "\r\n") * 20)
            for _ in range(20):
                client.reply()
        client.quit()


def smtp_with(server, log):
    return server.smtp(f"SmtpPlugin {log}\n{smtpd_env.DEFAULT_PLUGINS}", lines="SmtpMaxErrors 0")


def test_a_program_that_does_not_read_delays_nobody(make_server, mpm):
    server = make_server(mpm, threads=4)
    go, lines = server.root / "go", server.work / "lines"
    command = f"until [ -e {go} ]; do sleep 0.1; done; exec cat >>{lines}"
    smtp = smtp_with(server, f'logging/file loglevel=trace queue=16k "|{command}"')
    server.expect_log(r"logging/file: SMTPD0070: ")
    server.expect_log(r"logging/file: SMTPD0071: \d+ lines? (was|were) dropped")
    server.start()
    try:
        for _ in range(1 if mpm != "prefork" else 8):  # a pipe for each process
            fill_the_log(smtp.port, 120_000)
        server.wait_log("SMTPD0070")
        times = []
        threads = [threading.Thread(target=lambda: times.append(seconds_of_a_message(smtp.port))) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(times) == 10
        assert max(times) < 4 * smtpd_env.SLOWDOWN, times
    finally:
        go.touch()
    server.wait_log("SMTPD0071", 20)
    number = re.compile(r"\(logging\) logging/file: \d+ lines were dropped$", re.M)
    smtpd_env.wait_until(lambda: lines.exists() and number.search(lines.read_text()), 10, "the log has no number")


def test_a_named_pipe_that_nobody_reads_delays_nobody(make_server):
    server = make_server("event", threads=4)
    pipe = server.work / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    smtp = smtp_with(server, f'logging/file loglevel=info "{pipe}"')
    server.start()
    assert max(seconds_of_a_message(smtp.port) for _ in range(5)) < 3 * smtpd_env.SLOWDOWN
    with open(pipe, encoding="ascii") as reader:
        accepted = 0
        while accepted < 5:
            accepted += "] accepted " in reader.readline()
        assert server.stop() == []  # while there is a reader: the last lines of the process are not lost


def test_a_syslog_daemon_that_does_not_read_delays_nobody(make_server):
    server = make_server("event", threads=4)
    path = server.work / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        path.chmod(0o666)
        smtp = smtp_with(server, f'logging/syslog loglevel=info logsock="{path}"')
        server.start()
        times = [seconds_of_a_message(smtp.port) for _ in range(6)]
        assert max(times) < 3 * smtpd_env.SLOWDOWN, times
        daemon.settimeout(10 * smtpd_env.SLOWDOWN)
        accepted = 0
        while accepted < 6:
            accepted += b"] accepted " in daemon.recv(4000)


@pytest.mark.parametrize("end", ["stop", "graceful stop", "graceful restart"])
def test_the_end_of_a_process_loses_no_line(make_server, mpm, end):
    """Its reader is slower than the lines arrive, and ends with its input: mpm_prefork's signal to the whole process
    group does not end it."""
    server = make_server(mpm, threads=4)
    lines = server.work / "lines"
    reader = server.root / "reader"
    reader.write_text(f'#!/bin/sh\nwhile read -r line; do echo "$line"; sleep 0.005; done >>{lines}\n')
    reader.chmod(0o755)
    smtp = smtp_with(server, f'logging/file loglevel=info "|exec {reader}"')
    server.start()
    number = 25
    for _ in range(number):
        seconds_of_a_message(smtp.port)
    if end == "graceful restart":
        server.graceful()
    elif end == "graceful stop":
        server.graceful_stop()
        server.process.wait(20 * smtpd_env.SLOWDOWN)
    else:
        assert server.stop() == []
    smtpd_env.wait_until(lambda: lines.read_text().count("] accepted ") == number, 20, "lines are lost")


def test_a_program_that_closes_its_input_leaves_no_zombie(make_server, mpm):
    server = make_server(mpm, threads=2)
    smtp = smtp_with(server, 'logging/file loglevel=info "|exec 0<&-; sleep 0.3"')
    server.start()
    for _ in range(6):
        seconds_of_a_message(smtp.port)
        time.sleep(0.3)

    def states():
        return [state for child in server.children() for state in smtpd_env.programs_of(child).values()]
    smtpd_env.wait_until(lambda: "Z" not in states(), 10, "a zombie is left")
