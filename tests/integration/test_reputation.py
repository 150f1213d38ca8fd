"""greylisting, limit, karma and tarpit in a running server: all children share their records, which survive
restarts; waiting sessions hold no thread; and the command smtpd-karma beside them."""

import base64
import re
import subprocess
import threading
import time

import pytest

import sanitizers
import smtpd_env
from smtp_client import Client, Closed
from smtpd_env import SLOWDOWN

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
TOOL = sanitizers.build_dir() / "tools" / "smtpd-karma"
HEADER = b"From: sender@example.net\r\nSubject: reputation\r\n\r\n"


def file_store(server):
    return f"file:{server.work / 'state' / 'store'}"


def add_host(server, plugins, lines="", **named):
    return server.smtp(f"{plugins}\n{smtpd_env.DEFAULT_PLUGINS}", f'SmtpPluginDir "{HELPERS}"\nSmtpStore "{file_store(server)}" timeout=5s\n{lines}', **named)


def karma(server, *arguments):
    done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(TOOL), "-s", file_store(server), *arguments], capture_output=True, text=True,
                          timeout=60 * SLOWDOWN, env=sanitizers.environment(smtpd_env.BUILD))
    return done.returncode, done.stdout, done.stderr


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * SLOWDOWN)


def say_mail(port, sender="me@example.net"):
    with Client(port) as client:
        client.ehlo()
        reply = client.command(f"MAIL FROM:<{sender}>")
        client.quit()
    return reply


def test_greylisting_survives_restarts(make_server, mpm):
    server = make_server(mpm, children=2, threads=4, log_level="notice smtpd:debug")
    host = add_host(server, "SmtpPlugin greylisting black_timeout=2s sender=yes")
    server.start()
    say_mail(host.port).expect(450, "4.7.1")
    say_mail(host.port).expect(450, "4.7.1")
    server.graceful()
    time.sleep(2.1)
    with Client(host.port) as client:
        client.ehlo()
        client.deliver(HEADER, sender="me@example.net").expect(250)
        client.quit()
    say_mail(host.port, "you@example.net").expect(450)
    server.stop()
    server.start()
    say_mail(host.port).expect(250)
    server.wait_log(r"greylisting: pass: known, \d+ times")


def test_limits_hold_over_all_children(make_server, mpm):
    server = make_server(mpm, children=2, threads=4)
    host = add_host(server, "SmtpPlugin limit messages max=40 time=1h")
    server.start()
    codes = []

    def work(_):
        with Client(host.port) as client:
            client.ehlo()
            for _ in range(10):
                codes.append(client.command("MAIL FROM:<me@example.net>").code)
                client.command("RSET", 250)
            client.quit()

    in_threads(8, work)
    assert sorted(codes) == [250] * 40 + [450] * 40
    assert len({line.pid for line in server.log_lines() if "limit:" in line.text}) >= (2 if mpm != "event" else 1)
    server.stop()
    server.start()
    say_mail(host.port).expect(450, "4.7.0", "Too many messages from 127.0.0.1")


def test_failed_logins_close_auth(make_server):
    server = make_server("event", children=2, threads=4)
    host = add_host(server, "SmtpPlugin limit failed_logins max=3 reject_type=temp_disconnect\nSmtpPlugin knows_passwords account=joe:right",
                    "SmtpAuthWithoutTLS on")
    server.start()

    def login(password):
        return "AUTH PLAIN " + base64.b64encode(b"\0joe\0" + password.encode()).decode()

    with Client(host.port) as client:
        client.ehlo()
        client.command(login("right"), 235)
        client.quit()
    for _ in range(3):
        with Client(host.port) as client:
            client.ehlo()
            client.command(login("wrong"), 535)
            client.quit()
    server.wait_log(r"disconnect after", count=4)
    with Client(host.port) as client:
        client.ehlo()
        client.command(login("right")).expect((421, 451), text="Too many failed logins")
        with pytest.raises(Closed):
            client.command("NOOP")


def test_a_name_whose_password_is_guessed_is_closed_for_all(make_server, mpm):
    """Whatever the address and the mechanism; others log in. The limit alone does not make the server offer AUTH."""
    server = make_server(mpm, children=2, threads=4)
    limit = "SmtpPlugin limit failed_logins per=login max=3 time=1h"
    host = add_host(server, f"{limit}\nSmtpPlugin knows_passwords account=joe:right account=jane:right", "SmtpAuthWithoutTLS on")
    without = add_host(server, limit, "SmtpAuthWithoutTLS on", name="without.example.com")
    server.start()

    def plain(user, password, source="127.0.0.1"):
        with Client(host.port, source=source) as client:
            client.ehlo()
            return client.command("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())

    for number, user in enumerate(("joe", "JOE", "Joe")):
        plain(user, "wrong", f"127.0.0.{number + 2}").expect(535)
    plain("joe", "right", "127.0.0.9").expect(454, "4.7.0", "Too many failed logins")
    with Client(host.port) as client:
        client.ehlo()
        client.command("AUTH LOGIN", 334)
        client.command(base64.b64encode(b"joe").decode(), 334)
        client.command(base64.b64encode(b"right").decode(), 454)
        client.command("AUTH LOGIN", 334)
        client.command("*", 501)
    plain("jane", "wrong").expect(535)
    plain("down", "right").expect(454, text="Temporary authentication failure")
    plain("jane", "right").expect(235)
    with Client(without.port) as client:
        assert "AUTH" not in client.ehlo().text
        client.command("AUTH PLAIN AGpvZQByaWdodA==", 502)


def test_karma_loses_no_connection_and_the_command_sees_it(make_server):
    server = make_server("event", children=2, threads=4)
    host = add_host(server, "SmtpPlugin karma strikes=2 negative=1000 reject=yes\nSmtpPlugin dont_require_anglebrackets")
    server.start()

    def work(_):
        for _ in range(5):
            with Client(host.port) as client:
                client.ehlo()
                client.command("MAIL FROM:me@example.net", 250)
                client.quit()

    in_threads(6, work)
    server.wait_log(r"karma: karma -\d+, now naughty", count=30)
    status, printed, _ = karma(server, "get", "127.0.0.1")
    assert status == 0 and re.fullmatch(r"penalty=none naughty=30 nice=0 connects=30 history=-30\n", printed), printed
    assert karma(server, "capture", "127.0.0.1", "2001:db8::1")[0] == 0
    with Client(host.port, greet=False) as client:
        client.reply().expect(550, "5.7.1", r"You may connect again in (1\.00|0\.99) days")
    status, printed, _ = karma(server, "list")
    assert status == 0 and printed.splitlines()[-1].split() == ["2", "clients", "2", "32", "0", "31"], printed
    assert [line.split()[0] for line in karma(server, "search", "2001:db8::7")[1].splitlines()[1:2]] == ["2001:db8::/64"]
    assert karma(server, "release", "127.0.0.1") == (0, "", "")
    with Client(host.port) as client:
        client.quit()
    assert karma(server, "set", "127.0.0.1", "nice=7", "connects=9", "penalty=none")[0] == 0
    assert karma(server, "get", "127.0.0.1")[1] == "penalty=none naughty=0 nice=7 connects=9 history=7\n"
    assert karma(server, "search", "nice")[1].splitlines()[1].split() == ["127.0.0.1", "-", "0", "7", "9"]
    assert karma(server, "prune") == (0, "0 forgotten\n", "")
    assert karma(server, "prune", "0") == (0, "2 forgotten\n", "")


@pytest.mark.parametrize("arguments, status, complaint", [
    ((), 2, "a command is missing"), (("search",), 2, "a word is missing: search takes naughty, nice, both or a CLIENT"), (("get", "nobody"), 2, '"nobody" is neither an IP address nor a network'),
    (("get", "192.0.2.1"), 1, "nothing is known about 192.0.2.1"), (("release", "192.0.2.0/24"), 1, "nothing is known about 192.0.2.0/24"),
    (("remove", "192.0.2.1"), 1, "nothing is known"), (("set", "192.0.2.1", "penalty=later"), 2, "penalty=now or none"),
    (("set", "192.0.2.1", "nice=-1"), 2, "must be naughty, nice"), (("prune", "many"), 2, "is not a number of days"), (("grow",), 2, 'unknown command "grow"; --help'),
    (("lits",), 2, 'unknown command "lits" (did you mean "list"?)'), (("list", "all"), 2, 'unexpected word "all": list takes nothing more'),
    (("-x", "list"), 2, 'unknown option "-x"'),
])
def test_what_the_command_does_not_do(tmp_path, arguments, status, complaint):
    done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(TOOL), "-s", f"file:{tmp_path}/store", *arguments], capture_output=True, text=True,
                          timeout=60 * SLOWDOWN, env=sanitizers.environment(smtpd_env.BUILD))
    assert (done.returncode, done.stdout) == (status, "") and complaint in done.stderr


def test_a_tarpit_holds_no_thread(make_server):
    server = make_server("event", children=1, threads=4)
    slow = add_host(server, "SmtpPlugin tarpit always=2s at=mail")
    quick = add_host(server, "", name="quick.example.com")
    server.start()
    with Client(quick.port) as client:  # whatever comes first is slower
        client.ehlo()
    clients = [Client(slow.port) for _ in range(40)]
    try:
        for client in clients:
            client.ehlo()
        began = time.monotonic()
        for client in clients:
            client.send("MAIL FROM:<me@example.net>\r\n")
        with Client(quick.port) as client:
            client.ehlo()
            client.deliver(HEADER).expect(250)
            client.quit()
        assert time.monotonic() - began < 1.5 * SLOWDOWN
        for client in clients:
            client.reply().expect(250)
        assert 2 <= time.monotonic() - began < 3.5 * SLOWDOWN
    finally:
        for client in clients:
            client.close()


def test_tarpit_waits_for_those_who_make_mistakes(make_server, mpm):
    server = make_server(mpm, children=1, threads=4)
    host = add_host(server, "SmtpPlugin tarpit errors=1 per_error=300ms max=1s at=rcpt")
    server.start()
    with Client(host.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<me@example.net>", 250)
        times = []
        for _ in range(3):
            began = time.monotonic()
            client.command("RCPT TO:<you@elsewhere.example>", 550)
            times.append(time.monotonic() - began)
        client.quit()
    assert times[2] >= 0.3 and times[0] < 0.3 * SLOWDOWN
