"""Name servers for tests: NSD with private zones, and a server in Python that misbehaves as told.

    with HostileServer() as dns:
        server.smtp(lines=f"SmtpResolver {dns.address} timeout=1s")

The answer of HostileServer depends on the labels of the requested name, from the left: "slow-300.good.test" is a
good answer after 300 ms. See the methods say_*.
"""

import asyncio
import collections
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import threading

import smtpd_env

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 2, 5, 6, 12, 15, 16, 28


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".") if label) + b"\0"


def record(owner, kind, data, ttl=300):
    owner = owner if isinstance(owner, bytes) else wire_name(owner)
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


QUESTION = b"\xc0\x0c"  # a pointer to the name that was asked for


class Query:
    def __init__(self, packet, over_tcp):
        self.id = struct.unpack_from(">H", packet)[0]
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1"))
            at += packet[at] + 1
        self.asked_name = ".".join(labels)  # with its letters in random case
        self.labels = [label.lower() for label in labels]
        self.name = ".".join(self.labels)
        self.type = struct.unpack_from(">H", packet, at + 1)[0]
        self.question = packet[12 : at + 5]
        self.over_tcp = over_tcp

    def reply(self, answers=(), code=0, flags=0, authority=(), id=None, question=None):
        return struct.pack(">HHHHHH", self.id if id is None else id, 0x8180 | flags | code, 1, len(answers), len(authority), 0) + \
            (question or self.question) + b"".join(answers) + b"".join(authority)

    def good_data(self):
        """Data of the requested type."""
        return {A: bytes([192, 0, 2, 1]), AAAA: socket.inet_pton(socket.AF_INET6, "2001:db8::1"), MX: b"\0\x0a" + wire_name("mx." + self.name),
                TXT: b"\x05hello", NS: wire_name("ns.test"), PTR: wire_name("client.test"), CNAME: wire_name("alias.test")}.get(self.type, b"")

    def good(self, **more):
        return self.reply([record(QUESTION, self.type, self.good_data())], **more)


SOA_RECORD = record("test", SOA, wire_name("ns.test") + wire_name("root.test") + struct.pack(">IIIII", 1, 2, 3, 4, 60))
TRUNCATED = 0x0200


def bound_sockets():
    """A socket for UDP and one for TCP, on the same free port. Resolvers of other tests use random ports, so a port
    that is free for one may be taken for the other."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        udp.bind(("127.0.0.1", 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.bind(udp.getsockname())
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()


class HostileServer:
    """Runs in a separate thread, on a free loopback port. `queries` counts names in lower case, over both protocols.
    With `everything`, for example "loop", it answers all questions in this way, whatever their names."""

    def __init__(self, everything=""):
        self.everything = everything
        self._udp, self._tcp = bound_sockets()
        self.port = self._udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.queries = collections.Counter()
        self.asked_names = []  # over UDP, in the case of their letters
        self.ports = []  # of the client, over UDP
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)

        class Udp(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(_, packet, sender):
                self.ports.append(sender[1])
                self._answer(packet, lambda octets: _.transport.sendto(octets, sender))

        self._loop.run_until_complete(self._loop.create_datagram_endpoint(Udp, sock=self._udp))
        server = self._loop.run_until_complete(asyncio.start_server(self._serve_tcp, sock=self._tcp))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _query(self, packet, over_tcp):
        query = Query(packet, over_tcp)
        self.queries[query.name.lower()] += 1
        if self.everything:
            query.labels = [self.everything]
        return query

    def _answer(self, packet, send):
        query = self._query(packet, False)
        self.asked_names.append(query.asked_name)
        delay = 0.0
        while query.labels and query.labels[0].startswith("slow-"):
            delay += int(query.labels.pop(0)[5:]) / 1000

        def now():
            for octets in self._say(query):
                send(octets)
        if delay:
            self._loop.call_later(delay, now)
        else:
            now()

    async def _serve_tcp(self, reader, writer):
        try:
            while True:
                size = struct.unpack(">H", await reader.readexactly(2))[0]
                query = self._query(await reader.readexactly(size), True)
                if query.labels[0] == "tcpclose":
                    break
                if query.labels[0] == "tcpshort":
                    writer.write(b"\xff\xff" + b"\0" * 1000)
                    continue
                if query.labels[0] == "tcpdrip":
                    for octet in struct.pack(">H", 600) + b"\0" * 600:
                        writer.write(bytes([octet]))
                        await asyncio.sleep(0.05)
                for octets in self._say(query):
                    writer.write(struct.pack(">H", len(octets)) + octets)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _say(self, query):
        behaviour, _, number = (query.labels or [""])[0].partition("-")
        say = getattr(self, f"say_{behaviour}", None)
        return say(query, number) if say else [query.good()]

    # What it says: datagrams, or messages over TCP.

    def say_silent(self, query, _):
        return []

    def say_nx(self, query, _):
        return [query.reply(code=3, authority=[SOA_RECORD])]

    def say_nodata(self, query, _):
        return [query.reply(authority=[SOA_RECORD])]

    def say_code(self, query, number):
        return [query.reply(code=int(number))]

    def say_ttl(self, query, number):
        return [query.reply([record(QUESTION, query.type, query.good_data(), int(number))])]

    def say_lie(self, query, _):
        """An answer about another name."""
        return [query.reply([record("bank.test", query.type, query.good_data())])]

    def say_otherquestion(self, query, _):
        return [query.good(question=wire_name("bank.test") + query.question[-4:])]

    def say_wrongid(self, query, _):
        return [query.good(id=query.id ^ other) for other in range(1, 50)]

    def say_othercase(self, query, _):
        """The right answer over TCP; over UDP a forged one from an attacker who has not seen the case of the last
        letter."""
        if query.over_tcp:
            return [query.good()]
        question = query.question[:-6] + bytes([query.question[-6] ^ 0x20]) + query.question[-5:]
        return [query.reply([record(QUESTION, A, bytes([6, 6, 6, 6]))], question=question)]

    def say_lowercase(self, query, _):
        """A server that does not repeat the case of letters."""
        return [query.good(question=wire_name(query.name) + query.question[-4:])]

    def say_noise(self, query, _):
        """Garbage, and then the answer."""
        generator = random.Random(query.name)
        return [b"", b"\0", generator.randbytes(12), generator.randbytes(500), struct.pack(">H", query.id) + generator.randbytes(3), query.good(id=query.id ^ 1),
                query.good()]

    def say_garbage(self, query, _):
        """The right id and question, then garbage in place of the records."""
        return [struct.pack(">HHHHHH", query.id, 0x8180, 1, 3, 0, 0) + query.question + random.Random(query.name).randbytes(200)]

    def say_pointers(self, query, _):
        """A name that points to itself."""
        here = 12 + len(query.question)
        return [query.reply([record(struct.pack(">H", 0xC000 | here), query.type, query.good_data())])]

    def say_loop(self, query, _):
        return [query.reply([record(QUESTION, CNAME, wire_name("a.test")), record("a.test", CNAME, wire_name(query.name))])]

    def say_chain(self, query, number):
        names = [f"{i}.test" for i in range(int(number))]
        owners = [query.name, *names]
        return [query.reply([record(owner, CNAME, wire_name(name)) for owner, name in zip(owners, names)] + [record(owners[-1], query.type, query.good_data())])]

    def say_tc(self, query, _):
        return [query.good() if query.over_tcp else query.reply(flags=TRUNCATED)]

    def say_tcalways(self, query, _):
        return [query.reply(flags=TRUNCATED)]

    say_tcpclose = say_tcpshort = say_tcpdrip = say_tcalways

    def say_tchang(self, query, _):
        return [] if query.over_tcp else [query.reply(flags=TRUNCATED)]

    def say_big(self, query, number):
        """Very many records, over TCP."""
        return [query.reply([record(QUESTION, query.type, query.good_data())] * int(number))] if query.over_tcp else [query.reply(flags=TRUNCATED)]

    def say_bigudp(self, query, _):
        """More than the announced size, in one datagram."""
        return [query.reply([record(QUESTION, query.type, query.good_data())] * 2000)]

    def say_longtext(self, query, _):
        return [query.reply([record(QUESTION, TXT, (b"\xff" + b"x" * 255) * 240)])] if query.over_tcp else [query.reply(flags=TRUNCATED)]

    def say_oddname(self, query, _):
        return [query.reply([record(QUESTION, PTR, b"\x0aevil\r\n.\0\"\\" + wire_name("test"))])]


# --- NSD


TYPES = {"A": A, "NS": NS, "CNAME": CNAME, "PTR": PTR, "MX": MX, "TXT": TXT, "AAAA": AAAA}


def data_of(kind, text):
    """The data of a record, as a zone file has them; the names in it are absolute."""
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == "TXT":
        octets = text.encode("latin-1")
        parts = [octets[at:at + 255] for at in range(0, len(octets), 255)] or [b""]
        return b"".join(bytes([len(part)]) + part for part in parts)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + wire_name(host)
    return wire_name(text)


class ZoneServer(HostileServer):
    """Knows records, one a line: "example.test TXT v=spf1 -all". Every other name does not exist. The set `silent` may be changed at any time: questions in it,
    "example.test TXT", get no answer."""

    def __init__(self, records):
        super().__init__()
        self.silent = set()
        self.asked = []  # "example.test TXT", over both protocols
        self._records = collections.defaultdict(list)
        for line in filter(str.strip, records.splitlines()):
            name, kind, text = line.split(None, 2)
            self._records[name.lower()].append((kind, text))

    def _say(self, query):
        kind = next((name for name, number in TYPES.items() if number == query.type), "?")
        self.asked.append(f"{query.name} {kind}")
        if self.asked[-1] in self.silent:
            return []
        known = self._records.get(query.name, [])
        exists = known or any(name.endswith("." + query.name) for name in self._records)
        answers = [record(QUESTION, query.type, data_of(kind, text)) for of, text in known if of == kind]
        return [query.reply(answers) if answers else query.reply(code=0 if exists else 3, authority=[SOA_RECORD])]


def nsd_tree():
    return smtpd_env.unpacked("SMTPD_NSD", "nsd", "usr/sbin/nsd")


class Nsd:
    """NSD with these zones, {"test": "lines of a zone file"}; this class adds the SOA and NS records."""

    def __init__(self, zones, root):
        self.port = smtpd_env.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._zones = zones
        self._root = pathlib.Path(root)
        self._process = None

    def __enter__(self):
        self._root.mkdir(parents=True, exist_ok=True)
        lines = [f'server:\n  ip-address: 127.0.0.1@{self.port}\n  do-ip6: no\n  username: ""\n  chroot: ""\n  database: ""\n  zonesdir: "{self._root}"',
                 *(f'  {name}: "{self._root / name}"' for name in ("pidfile", "xfrdfile", "zonelistfile", "logfile")), "remote-control:\n  control-enable: no"]
        for name, text in self._zones.items():
            file = self._root / f"{name}.zone"
            file.write_text(f"$ORIGIN {name}.\n$TTL 300\n@ IN SOA ns.{name}. root.{name}. 1 3600 600 86400 60\n@ IN NS ns.{name}.\n{text}\n")
            lines.append(f'zone:\n  name: "{name}"\n  zonefile: "{file}"')
        (self._root / "nsd.conf").write_text("\n".join(lines) + "\n")
        tree = nsd_tree()
        libraries = ":".join(str(folder) for folder in tree.glob("usr/lib/*-linux-gnu*")) if tree != pathlib.Path("/") else ""
        self._process = subprocess.Popen([str(tree / "usr/sbin/nsd"), "-d", "-c", str(self._root / "nsd.conf")], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "LD_LIBRARY_PATH": libraries})
        smtpd_env.wait_until(self._answers, 15, f"NSD does not answer: {self.log()}")
        return self

    def log(self):
        file = self._root / "logfile"
        return file.read_text() if file.exists() else ""

    def _answers(self):
        assert self._process.poll() is None, f"NSD has ended: {self.log()}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + wire_name(next(iter(self._zones))) + struct.pack(">HH", SOA, 1))
                return len(probe.recv(512)) > 12
            except OSError:
                return False

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._root, ignore_errors=True)
