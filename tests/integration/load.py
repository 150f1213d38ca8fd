"""Clients that send mail as fast as possible, and remember the replies to each message."""

import collections
import random
import re
import threading
import time

from smtp_client import BadReply, Client, Closed, stuffed

GONE = (Closed, ConnectionError, TimeoutError)


def message(name, size):
    """A recognisable message of which no part can be missing unnoticed."""
    text = b"".join(b"%s line %06d %s\r\n" % (name.encode(), number, b"x" * 50) for number in range(size))
    return b"From: sender@example.net\r\nX-Name: %s\r\nSubject: load\r\n\r\n" % name.encode() + text + b"end of %s\r\n" % name.encode()


class Load:
    """`clients` threads; sessions of one to four messages each, one in five of them with a large message; with
    STARTTLS if there is a `context` for it. `accepted` has the names of the messages that got 250; `unsettled`
    those without a final reply; `cut` counts connections that ended without a 421; `surprises` lists events that
    must never happen: a refused message, a goodbye within a transaction, replies out of order."""

    def __init__(self, port, clients=6, seed=1, large=400, pause=0.0, context=None):
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._random = [random.Random(seed * 100 + number) for number in range(clients)]
        self._large = large
        self._pause = pause
        self._context = context
        self.sent = {}
        self.accepted = set()
        self.unsettled = set()
        self.surprises = []
        self.cut = []
        self.refusals = collections.Counter()
        self.sessions = 0
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.finish()

    def finish(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def _run(self, number):
        count = 0
        while not self._stop.is_set():
            count = self._session(number, count)

    def _surprise(self, what):
        with self._lock:
            self.surprises.append(what)

    def _session(self, number, count):
        generator = self._random[number]
        in_transaction = None
        try:
            with Client(self._port, greet=False, timeout=30) as client:
                self.sessions += 1
                greeting = client.reply()
                if greeting.code == 421:
                    self.refusals[greeting.text[:40]] += 1
                    time.sleep(0.05)
                    return count
                greeting.expect(220)
                if self._bye(client.command("EHLO load.example.net")):
                    return count
                if self._context:
                    client.start_tls(self._context)
                    if self._bye(client.command("EHLO load.example.net")):
                        return count
                for _ in range(generator.randrange(1, 5)):
                    if self._stop.is_set():
                        break
                    reply = client.command("MAIL FROM:<sender@example.net>")
                    if self._bye(reply):
                        return count
                    reply.expect(250)
                    name = f"m-{number}-{count}"
                    count += 1
                    in_transaction = name
                    body = message(name, self._large if generator.random() < 0.2 else 2)
                    with self._lock:
                        self.sent[name] = body
                    client.command("RCPT TO:<user@example.com>", 250)
                    client.command("DATA", 354)
                    octets = stuffed(body)
                    half = generator.randrange(len(octets))
                    client.send(octets[:half])
                    if self._pause:
                        time.sleep(self._pause * generator.random())
                    self.unsettled.add(name)
                    client.send(octets[half:])
                    final = client.reply()
                    self.unsettled.discard(name)
                    if final.code == 250:
                        self.accepted.add(name)
                    else:
                        self._surprise(f"{name} was answered with {final!r}")
                    in_transaction = None
                client.send("QUIT\r\n")
                if client.reply().code not in (221, 421):
                    self._surprise("QUIT was answered with something odd")
        except (BadReply, AssertionError) as error:
            self._surprise(f"{in_transaction or 'outside a transaction'}: {error}")
        except GONE as error:
            with self._lock:
                self.cut.append(f"{in_transaction or 'outside a transaction'}: {error!r}")
        return count

    def _bye(self, reply):
        """Whether the server says goodbye, as it may between transactions."""
        if reply.code != 421:
            return False
        self.refusals[reply.text[:40]] += 1
        if reply.enhanced != "4.3.2":
            self._surprise(f"goodbye with {reply!r}")
        return True

    def check(self, maildir):
        """Checks that every accepted message is there once and complete, and that nothing is there twice, in part,
        or without having been sent."""
        found = collections.Counter()
        for stored in maildir.stored():
            match = re.search(rb"^X-Name: (\S+)\r$", stored.raw, re.M)
            assert match, f"a file without its header: {stored.raw[:200]!r}"
            name = match[1].decode()
            found[name] += 1
            assert name in self.sent, f"{name} was never sent"
            assert stored.raw.endswith(self.sent[name]), f"{name} is not whole"
        doubled = [name for name, number in found.items() if number > 1]
        assert not doubled, f"stored more than once: {doubled}"
        lost = self.accepted - set(found)
        assert not lost, f"{len(lost)} of {len(self.accepted)} accepted messages are missing: {sorted(lost)[:10]}"
        return found
