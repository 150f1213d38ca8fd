"""DNS questions: sent together, awaited without a thread under event, answered by a real name server, a slow one, and a
hostile one.

The plugin asks_dns (tests/helper_plugins) asks the questions in its options, and logs the answers.
"""

import os
import pathlib
import re
import select
import socket
import subprocess
import time

import pytest

import sanitizers
import smtpd_env
from name_server import HostileServer
from smtp_client import Client, Closed

MESSAGE = "Subject: x\r\n\r\nhello\r\n"
SLOW = smtpd_env.SLOWDOWN


def plugins(*options, more=""):
    """The plugin's line with these options, and the lines that accept mail."""
    return f"""
    SmtpPluginDir "{sanitizers.build_dir()}/tests/helper_plugins/.libs"
    SmtpPlugin asks_dns {' '.join(options)}
    {more}
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def resolver(*servers, timeout="1s", tries=2, more=""):
    return f"SmtpResolver {' '.join(server.address if hasattr(server, 'address') else server for server in servers)} timeout={timeout} tries={tries} {more}"


@pytest.fixture
def dns():
    with HostileServer() as server:
        yield server


def answers(server):
    """The plugin's log lines as {"www.test A": "found 192.0.2.1"}, and the times to live."""
    found, ttls = {}, {}
    for line in server.log_lines():
        if match := re.search(r"\(\w+\) asks_dns: (\S*) ([A-Z]+): (.*) ttl=(\d+)$", line.text):
            found[f"{match[1]} {match[2]}"] = match[3]
            ttls[f"{match[1]} {match[2]}"] = int(match[4])
    return found, ttls


def ask(make_server, dns_server, questions, mpm="event", **more):
    """One session whose plugin asks these questions at connect; (answers, seconds until the greeting)."""
    server = make_server(mpm)
    smtp = server.smtp(plugins(*(f"connect={question}" for question in questions)), resolver(dns_server, **more))
    server.start()
    before = time.monotonic()
    with Client(smtp.port, timeout=30 * SLOW) as client:
        took = time.monotonic() - before
        client.ehlo()
        client.deliver(MESSAGE).expect(250)
        client.quit()
    assert len(smtp.maildir.stored()) == 1
    return answers(server)[0], took


# --- good answers


ZONES = {"test": """
ns      A     127.0.0.1
www     A     192.0.2.1
www     A     192.0.2.2
www     AAAA  2001:db8::1
@       MX    20 backup.test.
@       MX    10 mx.test.
mx      A     192.0.2.25
backup  CNAME www.test.
@       TXT   "v=spf1 " "mx -all"
alias   CNAME www.test.
empty   TXT   "x"
nomail  MX    0 .
big     TXT   """ + "\nbig     TXT   ".join(f'"{i:03} {"x" * 240}"' for i in range(40)) + "\n",
         "127.in-addr.arpa": "1.0.0 PTR client.test."}


def test_a_real_name_server(make_server, mpm, nsd):
    server = make_server(mpm)
    smtp = server.smtp(plugins("connect=ptr:%i.in-addr.arpa", "connect=a:www.test", "connect=aaaa:WWW.test.", "connect=txt:test", "helo=a:%h", "mail=mxa:%s",
                               "rcpt=cname:alias.test", "rcpt=a:alias.test", "rcpt=mx:nomail.test", "data_post=txt:big.test", "data_post=a:empty.test",
                               "data_post=a:nobody.test", "data_post=a:elsewhere.example", "data_post=a:a..b", "data_post=ns:test"),
                       resolver(nsd))
    server.start()
    with Client(smtp.port) as client:
        client.command("EHLO mx.test", 250)
        client.envelope("me@test", "you@example.com")
        client.data(MESSAGE).expect(250)
        client.quit()
    found, ttls = answers(server)
    assert found.pop("big.test TXT").startswith('found "')
    assert set(found.pop("www.test A").split()) == {"found", "192.0.2.1", "192.0.2.2"}
    assert set(found.pop("alias.test A").split()) == {"found", "192.0.2.1", "192.0.2.2"}
    assert found == {
        "1.0.0.127.in-addr.arpa PTR": "found client.test",
        "WWW.test. AAAA": "found 2001:db8::1",
        "test TXT": 'found "v=spf1 mx -all"',
        "mx.test A": "found 192.0.2.25",
        "test MX": "found 10 mx.test 20 backup.test",
        "backup.test A": found["backup.test A"],
        "alias.test CNAME": "found www.test",
        "nomail.test MX": "found 0 .",
        "empty.test A": "no_data",
        "nobody.test A": "no_such_name",
        "elsewhere.example A": found["elsewhere.example A"],
        "a..b A": "bad_name",
        "test NS": "found ns.test",
    }
    assert found["backup.test A"].startswith("found 192.0.2.")
    assert found["elsewhere.example A"].startswith("server_failure ")
    assert ttls["WWW.test. AAAA"] == 300 and ttls["nobody.test A"] == 60
    assert len(smtp.maildir.stored()) == 1


def test_questions_of_a_stage_are_in_flight_together(make_server, mpm, dns):
    found, took = ask(make_server, dns, [f"a:slow-500.n{i}.test" for i in range(8)], mpm)
    assert len(found) == 8 and all(answer == "found 192.0.2.1" for answer in found.values())
    assert 0.5 <= took < 0.5 + 0.4 * SLOW


def test_rounds(make_server, mpm, dns):
    found, took = ask(make_server, dns, ["mxa:slow-200.test"], mpm)
    assert found == {"slow-200.test MX": "found 10 mx.slow-200.test", "mx.slow-200.test A": "found 192.0.2.1"}
    assert took >= 0.2


def test_each_question_comes_from_a_port_of_its_own(make_server, mpm, dns):
    """Even while another port is in use; otherwise a name server could keep it in use to learn the next ports."""
    server = make_server(mpm)
    smtp = server.smtp(plugins("helo=a:%h", "mail=a:%s"), resolver(dns, timeout="20s"))
    server.start()
    with Client(smtp.port) as slow, Client(smtp.port) as client:
        slow.send("EHLO silent.test\r\n")
        smtpd_env.wait_until(lambda: dns.queries["silent.test"] > 0, 10, "nothing was asked")
        client.command("EHLO good.test", 250)
        for number in range(40):
            client.command(f"MAIL FROM:<me@n{number}.test>", 250)
            client.command("RSET", 250)
        client.quit()
    names = [name.lower() for name in dns.asked_names]
    assert {f"n{number}.test" for number in range(40)} <= set(names)
    assert len(set(dns.ports)) >= len(dns.ports) - 2  # of some 28,000; now and then one is drawn again
    assert dns.ports.count(dns.ports[names.index("silent.test")]) == 1


def test_letters_of_questions_are_in_random_case(make_server, dns):
    names = [f"a:some-letters-of-which-each-is-a-bit-to-guess-{number}.test" for number in range(10)]
    found, _ = ask(make_server, dns, names)
    assert set(found.values()) == {"found 192.0.2.1"}
    patterns = {re.sub(r"\d", "", name) for name in dns.asked_names}
    assert len(patterns) == 10 and not any(pattern.islower() for pattern in patterns)


def test_a_reply_in_another_case_is_not_believed(make_server, mpm, dns):
    found, _ = ask(make_server, dns, ["a:othercase.test", "a:lowercase.long-enough-not-to-be-so-by-chance.test"], mpm)
    assert set(found.values()) == {"found 192.0.2.1"}
    assert dns.queries["othercase.test"] == 2  # over UDP, then TCP


def test_answers_are_kept_and_shared(make_server, dns):
    server = make_server()
    smtp = server.smtp(plugins("connect=a:www.test", "connect=a:WWW.TEST.", "connect=a:nx.test", "helo=a:www.test", "connect=a:ttl-1.test",
                               more="SmtpPlugin asks_dns:twin connect=a:www.test"), resolver(dns))
    server.start()
    for _ in range(5):
        with Client(smtp.port) as client:
            client.ehlo()
            client.quit()
    assert dns.queries["www.test"] == 1 and dns.queries["nx.test"] == 1
    time.sleep(1.1)
    Client(smtp.port).close()
    assert dns.queries["ttl-1.test"] == 2


def test_no_cache(make_server, dns):
    server = make_server()
    smtp = server.smtp(plugins("connect=a:www.test"), resolver(dns, more="cache=0"))
    server.start()
    for _ in range(3):
        Client(smtp.port).close()
    assert dns.queries["www.test"] == 3


def test_virtual_hosts_with_resolvers_of_their_own(make_server, dns):
    with HostileServer() as other:
        server = make_server(main=resolver(dns))
        one = server.smtp(plugins("connect=a:one.test"))
        two = server.smtp(plugins("connect=a:two.test"), resolver(other), name="two.example.com")
        server.start()
        for smtp in (one, two):
            Client(smtp.port).close()
    assert dict(dns.queries) == {"one.test": 1} and dict(other.queries) == {"two.test": 1}


def test_the_second_server_is_asked_when_the_first_is_dead(make_server, dns):
    nobody = f"127.0.0.1:{smtpd_env.free_port()}"
    server = make_server()
    smtp = server.smtp(plugins("connect=a:www.test"), resolver(nobody, dns))
    server.start()
    Client(smtp.port, timeout=20 * SLOW).close()
    assert answers(server)[0] == {"www.test A": "found 192.0.2.1"}


# --- bad answers


HOSTILE = [
    ("a:nx.test", "no_such_name", 1),
    ("a:nodata.test", "no_data", 1),
    ("a:code-2.test", "server_failure", 1),
    ("a:code-5.test", "server_failure", 1),
    ("a:code-1.test", "server_failure", 1),
    ("a:code-15.test", "server_failure", 1),
    ("a:silent.test", "timed_out", 4),
    ("a:slow-30000.test", "timed_out", 4),
    ("a:lie.test", "no_data", 1),
    ("a:otherquestion.test", "timed_out", 4),
    ("a:wrongid.test", "timed_out", 4),
    ("a:noise.test", "found", 1),
    ("a:garbage.test", "server_failure", 4),
    ("a:pointers.test", "server_failure", 1),
    ("a:loop.test", "server_failure", 1),
    ("a:chain-10.test", "found", 1),
    ("a:chain-60.test", "server_failure", 4),
    ("a:tc.test", "found", 1),
    ("a:tcalways.test", "server_failure", 4),
    ("a:tcpclose.test", "failure", 8),
    ("a:tcpshort.test", "failure", 8),
    ("a:tcpdrip.test", "failure", 8),
    ("a:tchang.test", "timed_out", 8),
    ("a:big-4000.test", "found", 2),
    ("a:bigudp.test", "", 8),
    ("txt:longtext.test", "found", 2),
    ("ptr:oddname.test", "found evil", 1),
]


def test_each_kind_of_bad_answer(make_server, mpm, dns):
    """All kinds of answers at once, and mail flows; then each alone, with its status and time."""
    found, took = ask(make_server, dns, [question for question, _, _ in HOSTILE], mpm)
    problems = []
    for question, expected, _ in HOSTILE:
        kind, name = question.split(":")
        status = found[f"{name} {kind.upper()}"]
        if not status.startswith(("server_failure", "timed_out") if expected == "failure" else expected):
            problems.append(f"{question}: {status} instead of {expected}")
    assert not problems, "\n".join(problems)
    assert took < 10 * SLOW


@pytest.mark.parametrize("question, most", [(question, most) for question, _, most in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_bad_answer_takes_its_time_at_most(make_server, dns, question, most):
    _, took = ask(make_server, dns, [question])
    assert took < most + SLOW


def test_bad_answers_do_not_add_up(make_server, dns):
    """Very large and broken answers, again and again: the cache has its limit, and nothing else grows."""
    names = [f"big-4000.%h.{i}.test" for i in range(4)] + ["garbage.%h.test", "loop.%h.test", "chain-16.%h.test"]
    server = make_server(threads=4)
    smtp = server.smtp(plugins(*(f"helo=a:{name}" for name in names)), resolver(dns, timeout="500ms", tries=1, more="cache=256k"))
    server.start()

    def sessions(first, count):
        for number in range(first, first + count):
            with Client(smtp.port, timeout=20 * SLOW) as client:
                client.command(f"EHLO h{number}", 250)
    sessions(0, 40)
    before = smtpd_env.resident_memory(server.children()[0])
    sessions(100, 150)
    grown = smtpd_env.resident_memory(server.children()[0]) - before
    if not sanitizers.slowdown(smtpd_env.BUILD) > 1:
        assert grown < 3 * 1024 * 1024, f"{grown} octets for 150 sessions"


# --- waiting


def test_a_thousand_sessions_wait_on_eight_threads(make_server, dns):
    """Each client is greeted when its own answer arrives; a new client with a cached answer does not wait behind
    them."""
    count = 1000 // (4 if SLOW > 1 else 1)
    server = make_server(threads=8)
    smtp = server.smtp(plugins("connect=a:slow-1500.test", "connect=a:slow-%i.test".replace("%i", "1000")), resolver(dns, timeout="5s", more="cache=0"))
    quick = server.smtp(plugins("connect=a:www.test"), resolver(dns), name="quick.example.com")
    server.start()
    poller = select.epoll()
    clients, started, greeted = {}, {}, {}
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", smtp.port))
        clients[client.fileno()] = client
        started[client.fileno()] = time.monotonic()
        poller.register(client, select.EPOLLIN)
    before = time.monotonic()
    Client(quick.port).close()
    assert time.monotonic() - before < 0.5 * SLOW
    deadline = time.monotonic() + 20 * SLOW
    while len(greeted) < count and time.monotonic() < deadline:
        for descriptor, _ in poller.poll(1):
            assert clients[descriptor].recv(512).startswith(b"220 ")
            greeted[descriptor] = time.monotonic() - started[descriptor]
            poller.unregister(descriptor)
    assert len(greeted) == count, f"{len(greeted)} of {count} were greeted"
    times = sorted(greeted.values())
    # They join a question that is on its way, so only the first wait for the whole time.
    assert times[-1] < 1.5 + 2 * SLOW, f"the last one after {times[-1]:.2f} s"
    assert dns.queries["slow-1500.test"] < count
    for client in clients.values():
        client.close()
    server.wait_log("disconnect after", 20, count)


def test_sessions_with_different_questions_wait_together(make_server, dns):
    """The clients share nothing: each asks for its own name, and is greeted when its own answer arrives."""
    server = make_server(threads=4)
    smtp = server.smtp(plugins("helo=a:slow-800.%h.test"), resolver(dns, timeout="5s"))
    server.start()
    clients = [Client(smtp.port) for _ in range(100)]
    before = time.monotonic()
    for number, client in enumerate(clients):
        client.send(f"EHLO n{number}\r\n")
    for client in clients:
        client.reply().expect(250)
    took = time.monotonic() - before
    assert 0.8 <= took < 0.8 + SLOW, f"{took:.2f} s"
    for client in clients:
        client.quit()


def test_a_plugins_deadline_ends_the_wait(make_server, mpm, dns):
    server = make_server(mpm)
    smtp = server.smtp(plugins("connect=a:silent.test", "connect=a:www.test", "deadline=1s"), resolver(dns, timeout="20s"))
    server.start()
    before = time.monotonic()
    with Client(smtp.port) as client:
        took = time.monotonic() - before
        client.quit()
    assert 1 <= took < 2 + SLOW
    assert answers(server)[0] == {"silent.test A": "timed_out (no answer in time)", "www.test A": "found 192.0.2.1"}


def test_time_and_answers_together(make_server, mpm, dns):
    """Silence that ends before the answers, and after them."""
    for wait, name, least in ((1, "slow-300.test", 1.0), (1, "slow-1800.test", 1.8)):
        server = make_server(mpm)
        smtp = server.smtp(plugins(f"connect=a:{name}", more=f"SmtpPlugin earlytalker wait={wait}"), resolver(dns, timeout="5s"))
        server.start()
        before = time.monotonic()
        Client(smtp.port).close()
        assert least <= time.monotonic() - before < least + SLOW


def test_what_is_sent_while_answers_are_outstanding(make_server, mpm, dns):
    """A pipelined session, each of whose stages waits."""
    server = make_server(mpm)
    smtp = server.smtp(plugins(*(f"{stage}=a:slow-200.{stage}.test" for stage in ("connect", "helo", "mail", "rcpt", "data_post"))), resolver(dns))
    server.start()
    with Client(smtp.port, greet=False) as client:
        client.send("EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n" + MESSAGE + ".\r\nQUIT\r\n")
        assert [client.reply().code for _ in range(7)] == [220, 250, 250, 250, 354, 250, 221]
        client.expect_close()
    assert len(smtp.maildir.stored()) == 1
    assert len(answers(server)[0]) == 5


def test_more_than_is_kept_while_answers_are_outstanding(make_server, mpm, dns):
    server = make_server(mpm)
    smtp = server.smtp(plugins("mail=a:slow-1000.test"), resolver(dns))
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        body = "x" * 998 + "\r\n"
        client.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\nSubject: x\r\n\r\n" + 300 * body + ".\r\n")
        assert [client.reply().code for _ in range(4)] == [250, 250, 354, 250]
        client.quit()


@pytest.mark.parametrize("stage", ["connect", "queue"])
def test_a_client_that_closes_while_it_waits(make_server, mpm, dns, stage):
    """Before the greeting the client does not wait for it; the server still handles its input, with the answers."""
    server = make_server(mpm, threads=4)
    stage = "connect" if stage == "connect" else "data_post"
    smtp = server.smtp(plugins(f"{stage}=a:slow-1000.test"), resolver(dns, timeout="5s"))
    server.start()
    with Client(smtp.port, greet=stage != "connect") as client:
        if stage != "connect":
            client.ehlo()
            client.envelope("me@b.test", "user@example.com")
            client.command("DATA", 354)
            client.send(MESSAGE + ".\r\nQUIT\r\n")
        client.half_close()
        if stage == "connect":
            client.expect_close()
        else:
            client.reply().expect(250)
            client.reply().expect(221)
    server.wait_log("disconnect after")
    assert len(smtp.maildir.stored()) == (0 if stage == "connect" else 1)
    assert len(answers(server)[0]) == (0 if stage == "connect" else 1)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_clients_that_go_while_they_wait_hold_nothing(make_server, mpm, dns, way):
    server = make_server(mpm, threads=8)
    smtp = server.smtp(plugins("connect=a:silent.test", "helo=a:silent.%h.test"), resolver(dns, timeout="20s"))
    quick = server.smtp(plugins("connect=a:www.test"), resolver(dns), name="quick.example.com")
    server.start()
    for _ in range(100 if mpm == "event" else 6):
        client = Client(smtp.port, greet=False)
        client.reset() if way == "reset" else client.close()
    server.wait_log("disconnect after", 20, 100 if mpm == "event" else 6)
    with Client(quick.port, timeout=20 * SLOW) as client:
        client.quit()


def test_the_server_stops_while_sessions_wait(make_server, mpm, dns):
    server = make_server(mpm, threads=8)
    smtp = server.smtp(plugins("connect=a:silent.test"), resolver(dns, timeout="20s"))
    server.start()
    clients = [Client(smtp.port, greet=False) for _ in range(50 if mpm == "event" else 5)]
    smtpd_env.wait_until(lambda: dns.queries["silent.test"] > 0, 10, "nothing was asked")
    time.sleep(0.3)
    before = time.monotonic()
    assert server.stop() == []
    assert time.monotonic() - before < 6 * SLOW
    for client in clients:
        try:
            client.reply().expect(421)
        except Closed:
            assert mpm != "event"
        client.close()


def test_a_graceful_restart_lets_sessions_have_their_answers(make_server, mpm, dns):
    server = make_server(mpm)
    smtp = server.smtp(plugins("mail=a:slow-1500.test"), resolver(dns, timeout="5s"))
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.send("MAIL FROM:<a@b.test>\r\n")
        smtpd_env.wait_until(lambda: dns.queries["slow-1500.test"] > 0, 10, "nothing was asked")
        server.graceful()
        client.reply().expect(250)
        client.command("RCPT TO:<user@example.com>", 250)
        client.data(MESSAGE).expect(250)
        client.reply().expect(421)


# --- configuration


@pytest.mark.parametrize("words, problem", [
    ("", "SmtpResolver takes the addresses of name servers"),
    ("ns.example", '"ns.example" is not the address of a name server, such as 192.0.2.1, 192.0.2.1:5353 or [::1]:5353'),
    ("192.0.2.1:0", '"192.0.2.1:0" is not the address'),
    ("192.0.2.1:65536", '"192.0.2.1:65536" is not the address'),
    ("192.0.2.1:", '"192.0.2.1:" is not the address'),
    ("[192.0.2.1]:53", '"[192.0.2.1]:53" is not the address'),
    ("[::1", '"[::1" is not the address'),
    ("[::1]53", '"[::1]53" is not the address'),
    ("192.0.2.1 timeout=0", "timeout takes a time from 100ms to 60s"),
    ("192.0.2.1 timeout=2min", "timeout takes a time from 100ms to 60s"),
    ("192.0.2.1 tries=0", "tries takes a number from 1 to 10"),
    ("192.0.2.1 tries=x", "tries takes a number from 1 to 10"),
    ("192.0.2.1 cache=2g", "cache takes a number of octets up to 1g"),
    ("192.0.2.1 retries=2", 'there is no option "retries"; the options are timeout, tries and cache'),
    (" ".join(f"192.0.2.{i}" for i in range(1, 18)), "SmtpResolver takes 16 name servers at most"),
])
def test_mistakes_in_the_directive(make_server, words, problem):
    server = make_server()
    server.smtp(lines=f"SmtpResolver {words}")
    good, text = server.configtest()
    assert not good
    assert problem in text
    line = next(number for number, line in enumerate(server.config_file.read_text().splitlines(), 1) if "SmtpResolver" in line)
    assert f"line {line} of {server.config_file}" in text


def test_forms_of_the_directive(make_server):
    server = make_server(main="SmtpResolver timeout=2s")
    for number, words in enumerate(["127.0.0.1", "127.0.0.1:5353 [::1]:5353 ::1 [2001:db8::1]", "tries=1 cache=0", "127.0.0.1 timeout=1500ms tries=10 cache=16m"]):
        server.smtp(lines=f"SmtpResolver {words}", name=f"mx{number}.example.com")
    good, text = server.configtest()
    assert good, text


# --- the driver without a network


def test_the_session_driver_answers_out_of_a_file(tmp_path):
    build = sanitizers.build_dir()
    zone = tmp_path / "zone"
    zone.write_text("client.test A 192.0.2.1\n192.0.2.1 PTR client.test\ntest MX 10 mx.test\nmx.test A 192.0.2.25\nslow.test TIMEOUT\nbad.test SERVFAIL\n")
    plugin = "asks_dns connect=ptr:%i.in-addr.arpa helo=a:%h mail=mxa:%s rcpt=a:slow.test rcpt=a:bad.test rcpt=a:gone.test"
    command = [build / "tests/tools/smtpd-session", "--plugin-dir", build / "tests/helper_plugins/.libs", "--zone", zone, "--log", "notice", "--plugin", plugin]
    dialogue = "EHLO client.test\r\nMAIL FROM:<me@test>\r\nRCPT TO:<you@example.com>\r\nQUIT\r\n"

    def run():
        done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), *map(str, command)], input=dialogue.encode(), capture_output=True, timeout=60,
                              env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(), done.stderr.decode()
    replies, log = run()
    for expected in ("1.2.0.192.in-addr.arpa PTR: found client.test", "client.test A: found 192.0.2.1", "test MX: found 10 mx.test", "mx.test A: found 192.0.2.25",
                     "slow.test A: timed_out", "bad.test A: server_failure", "gone.test A: no_such_name"):
        assert expected in log, log
    assert [line[:3] for line in replies.splitlines() if line[3] == " "] == ["220", "250", "250", "450", "221"]
    assert (replies, log) == run()
    zone.write_text("client.test A nonsense\n")
    done = subprocess.run(list(map(str, command)), input=b"", capture_output=True, timeout=60)
    assert done.returncode == 2 and b'line 1: "nonsense" is not valid data of type A' in done.stderr
