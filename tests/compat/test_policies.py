"""Dialogues about the plugins that ask the DNS, keep state or ask back ends: Debian's qpsmtpd and mod_smtpd with one control directory, one name server
and the same back ends. As in test_qpsmtpd.py, every difference is listed, with its reason.

Debian's plugins are older than those that docs/differences.md compares with; user_config is not among them.
"""

import contextlib
import dataclasses
import pathlib
import shutil
import tempfile

import pytest

import mmdb
import smtpd_env
from daemon import Daemon, p0f_reply
from dialogues import EHLO, MAIL, MESSAGE, RCPT, Again, Dialogue, Pair, check_lists, compare, Talk
from name_server import A, TXT, HostileServer, Nsd, QUESTION, nsd_tree, record
from own_network import is_allowed, own_network

# --- the world

#: Without a network of their own, clients come from 127.0.0.0/8, and dialogues that need foreign ones cannot be held.
HAS_OWN_NETWORK = is_allowed()
#: The first three parts of the clients' addresses, and the same in the order of the DNS.
NET, REVERSED_NET = ("192.0.2", "2.0.192") if HAS_OWN_NETWORK else ("127.0.0", "0.0.127")


def listed(number, zone, *records):
    return "".join(f"{number}.{REVERSED_NET}.{zone} {one}\n" for one in records)


#: What the real name server says. Of the clients NET.3 to NET.30, 4 to 8 are on the block list bl, 5 without a text; 9 and 10 on the allow list wl, 10
#: without a text. Every list has 127.0.0.2, as RFC 5782 asks.
ZONES = {
    "test": listed(4, "bl", "A 127.0.0.2", 'TXT "spam came from there"') + listed(5, "bl", "A 127.0.0.2") +
    "".join(listed(number, "bl", "A 127.0.0.2", 'TXT "listed too"') for number in (6, 7, 8)) +
    listed(9, "wl", "A 127.0.0.2", 'TXT "a good one"') + listed(10, "wl", "A 127.0.0.2") +
    listed(4, "public", "A 127.255.255.254", 'TXT "you may not ask"') + """
*.wild    A 127.0.0.2
*.wild    TXT "everybody"
2.0.0.127.bl     A 127.0.0.2
SIX.bl           A 127.0.0.2
SIX.bl           TXT "spam from IPv6"
2.0.0.127.wl     A 127.0.0.2
2.0.0.127.public A 127.0.0.2
test.dbl         A 127.0.1.2
test.dbl         TXT "a test"
spam.test.dbl    A 127.0.1.2
spam.test.dbl    TXT "sends spam"
bare.test.dbl    A 127.0.1.2
good      MX 10 mx.good
mx.good   A NET.3
sub.good  A NET.33
onlya     A NET.3
only6     AAAA 2001:db8::3
two       MX 10 mx.nowhere
two       MX 20 mx.good
deadmx    MX 10 mx.nowhere
badmx     MX 10 mx.bad
mx.bad    A 10.0.0.1
badand    MX 10 mx.bad
badand    MX 20 mx.good
bada      A 10.0.0.1
literalmx MX 10 NET.3.
nomail    MX 0 .
text      TXT "nothing else"
alias     CNAME good
spam      A NET.3
bare      A NET.3
six       AAAA 2001:db8::3
near      A NET.99
other     A 198.51.100.7
under_score A NET.3
ns.dead   A 127.0.0.1
""".replace("NET", NET).replace("SIX", "5" + ".0" * 23 + ".8.b.d.0.1.0.0.2"),
    f"{REVERSED_NET}.in-addr.arpa": """
3  PTR mx.good.test.
11 PTR other.test.
12 PTR nowhere.test.
13 PTR near.test.
14 PTR single.
16 PTR other.test.
16 PTR self.test.
""",
    "8.b.d.0.1.0.0.2.ip6.arpa": "3" + ".0" * 23 + " PTR six.test.\n5" + ".0" * 23 + " PTR five.test.\n",
}
ZONES["test"] += f"self A {NET}.16\n"


class Unwell(HostileServer):
    """Misbehaves if any label of a name says so; "listed" is a block list that works."""

    def _say(self, query):
        query.labels = [label for label in query.labels if hasattr(self, f"say_{label.partition('-')[0]}")][:1] or ["nx"]
        return super()._say(query)

    def say_listed(self, query, _):
        if query.name.startswith("1.0.0.127.") or query.type not in (A, TXT):
            return self.say_nx(query, _)
        return [query.reply([record(QUESTION, query.type, bytes([127, 0, 0, 2]) if query.type == A else b"\x06listed")])]


#: Where clients are, with this server in Berlin: NET.3 is near, NET.4 is not.
PLACES = {f"{NET}.1": ("DE", 52.5, 13.4), f"{NET}.3": ("DE", 53.5, 10.0), f"{NET}.4": ("US", 40.7, -74.0)}


class World:
    """The servers and files that both look at, for all tests of this module."""

    def __init__(self, stack):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-compat-world-"))
        stack.callback(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.name_servers = {"nsd": stack.enter_context(Nsd(ZONES, self.folder / "nsd")), "unwell": stack.enter_context(Unwell())}
        self.qmail = Daemon(None, self._deliverable)
        stack.callback(self.qmail.close)
        self.p0f = Daemon(self.folder / "p0f.sock", self._fingerprint, stays=True)
        stack.callback(self.p0f.close)
        for name, content in {"GeoLiteCity.dat": b"", "places": "".join(f"{client} {country} {latitude} {longitude}\n" for client, (country, latitude, longitude) in PLACES.items()).encode(),
                              "GeoLite2-City.mmdb": mmdb.database("GeoLite2-City", {
                                  client: {"country": {"iso_code": country}, "location": {"latitude": latitude, "longitude": longitude}}
                                  for client, (country, latitude, longitude) in PLACES.items()})}.items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o644)

    @property
    def words(self):
        return {"WORLD": self.folder, "QMAIL_PORT": self.qmail.port}

    @staticmethod
    def _deliverable(request):
        statuses = {"yes": 0xF1, "no": 0, "list": 0x14, "unreadable": 0x11, "sticky": 0x22, "elsewhere": 0xFF}
        if not request.endswith(b"\r\n\r\n"):
            return None
        return b"HTTP/1.0 200 OK\r\n\r\n%d" % statuses[request.split(b"?")[1].split(b"%40")[0].decode()]

    @staticmethod
    def _fingerprint(request):
        if len(request) < 21:
            return None
        return {3: p0f_reply(name=b"Linux", flavor=b"3.11"), 4: p0f_reply(name=b"Windows", flavor=b"XP")}.get(request[8], p0f_reply(status=0x20))


@pytest.fixture(scope="module")
def world():
    if nsd_tree() is None:
        pytest.skip("there is no nsd (bootstrap check unpacks it)")
    with contextlib.ExitStack() as stack:
        if HAS_OWN_NETWORK:
            stack.enter_context(own_network("192.0.2.0/24", ("2001:db8::3", "2001:db8::4", "2001:db8::5")))
        yield World(stack)


# --- sets of control files

@dataclasses.dataclass
class Set:
    plugins: str                      #: before rcpt_ok and queue/maildir
    files: dict = dataclasses.field(default_factory=dict)
    dns: str = "nsd"
    load: str = "0.1 0.2 0.3\n"
    log: tuple = ()                   #: what our log may say, and otherwise must not


COMMON = {"me": "mx.example.com\n", "rcpthosts": "example.com\n", "loglevel": "6\n", "plugin_dirs": "PLUGIN_DIR\n", "spool_dir": "SPOOL\n"}
EXEMPT = {"relayclients": f"{NET}.6\n", "whitelisthosts": f"{NET}.7\n", "whitelistsenders": "friend@spam.test\nfriend@nowhere.test\n"}
BLOCK = {**EXEMPT, "dnsbl_zones": "bl.test\n", "dnsbl_allow": f"{NET}.8\n"}
RIGHT_HAND = {**EXEMPT, "rhsbl_zones": "dbl.test\n"}
TLDS = {"karma_tlds": "info:-4\npw:-4\ntw:-3\nbiz:-3\nno:-2\nse:-2\n"}

SETS = {
    "dnsbl": Set("relay\nwhitelist\ndnsbl reject 1\nbadmailfrom", BLOCK),
    "dnsbl with a text": Set("dnsbl", {"dnsbl_zones": "bl.test:%IP% is listed\n"}),
    "dnsbl tolerates": Set("dnsbl reject 0", BLOCK),
    "dnsbl for now": Set("dnsbl reject_type temp", BLOCK),
    "dnsbl disconnects": Set("dnsbl disconnect", BLOCK),
    "dnsbl and naughty": Set("relay\nwhitelist\ndnsbl reject naughty\nbadmailfrom\nnaughty reject rcpt", {**BLOCK, "badmailfrom": "bad@example.net\n"}),
    "dnsbl and naughty at MAIL": Set("dnsbl reject naughty reject_type temp\nnaughty reject mail", BLOCK),
    "lists of odd kinds": Set("dnsbl", {"dnsbl_zones": "wild.test\npublic.test\n"}, log=(r"wild\.test IS SWITCHED OFF",)),
    "lists that fail": Set("dnsbl timeout 1", {"dnsbl_zones": "listed.code-2.test\nx.silent.test\nx.garbage.test\n"}, dns="unwell"),
    "lists that lie": Set("dnsbl timeout 1", {"dnsbl_zones": "x.lie.test\n"}, dns="unwell", log=("IS SWITCHED OFF",)),
    "a list behind truncation": Set("dnsbl timeout 1", {"dnsbl_zones": "listed.test\n"}, dns="unwell"),
    "rhsbl": Set("relay\nwhitelist\nrhsbl", RIGHT_HAND),
    "rhsbl with a text": Set("rhsbl", {"rhsbl_zones": "dbl.test is on a list\n"}),
    "rhsbl tolerates": Set("rhsbl reject 0", RIGHT_HAND),
    "rhsbl for now": Set("rhsbl reject_type temp", RIGHT_HAND),
    "rhsbl disconnects": Set("rhsbl disconnect", RIGHT_HAND),
    "rhsbl and naughty": Set("rhsbl reject naughty\nnaughty reject rcpt", RIGHT_HAND),
    "rhsbl fails": Set("rhsbl", {"rhsbl_zones": "x.code-2.test\nx.silent.test\n"}, dns="unwell"),
    "dns_whitelist_soft": Set("dns_whitelist_soft\nbadrcptto", {"whitelist_zones": "wl.test\n", "badrcptto": "bad@example.com\n"}),
    "dns_whitelist_soft, then MAIL": Set("dns_whitelist_soft\nbadmailfrom", {"whitelist_zones": "wl.test\n", "badmailfrom": "bad@example.net\n"}),
    "dns_whitelist_soft fails": Set("dns_whitelist_soft\nbadrcptto", {"whitelist_zones": "x.code-2.test\nx.silent.test\n", "badrcptto": "bad@example.com\n"}, dns="unwell"),
    "whitelist": Set("whitelist\nbadmailfrom\nhelo\nbadrcptto", {
        "whitelisthosts": f"{NET}.7\n2001:db8::4\n", "whitelistsenders": "friend@example.net\nfriends.example\n", "whitelisthelo": "bad.example\n",
        "whitelistrcpt": "open@example.com\nother@elsewhere.example\n", "badmailfrom": "friend@example.net\nbad@example.net\n@friends.example\n",
        "badhelo": "bad.example\nworse.example\n", "badrcptto": "bad@example.com\nopen@example.com\n"}),
    "resolvable_fromhost": Set("relay\nwhitelist\nresolvable_fromhost", {**EXEMPT, "invalid_resolvable_fromhost": "10.0.0.0/8\n"}),
    "resolvable_fromhost for good": Set("resolvable_fromhost reject_type perm", EXEMPT),
    "resolvable_fromhost tolerates": Set("resolvable_fromhost reject 0", EXEMPT),
    "resolvable_fromhost fails": Set("resolvable_fromhost", dns="unwell"),
    "helo rfc": Set("relay\nwhitelist\nhelo policy rfc", EXEMPT),
    "helo strict": Set("helo policy strict"),
    "helo tolerates": Set("helo policy strict reject 0"),
    "helo and naughty": Set("helo policy rfc reject naughty\nnaughty reject mail"),
    "helo fails": Set("helo policy strict timeout 1", dns="unwell"),
    "greylisting": Set("relay\nwhitelist\ngreylisting black_timeout 3", {**EXEMPT, "whitelistsenders": "friend@example.net\n"}),
    "greylisting of pairs": Set("greylisting black_timeout 60 sender 1 recipient 1"),
    "greylisting late": Set("greylisting black_timeout 60 deny_late 1"),
    "greylisting tolerates": Set("greylisting black_timeout 60 reject 0"),
    "greylisting by its file": Set("greylisting", {"denysoft_greylist": "# how\nblack_timeout 60\nremote_ip 0\nsender 1\n"}),
    "greylisting by system": Set("ident/p0f WORLD/p0f.sock\ngreylisting black_timeout 60 p0f genre,windows"),
    "karma": Set("karma reject 1 reject_type disconnect", TLDS),
    "karma and naughty": Set("relay\nwhitelist\nkarma penalty_days 2\nnaughty reject rcpt", {**EXEMPT, **TLDS}),
    "karma tolerates": Set("karma reject 0", TLDS),
    "loadcheck, idle": Set("loadcheck max_load 4 cache_time 1 file WORLD/load"),
    "loadcheck, busy": Set("loadcheck max_load 4 cache_time 1 file WORLD/load", load="4.1 3 2\n"),
    "p0f": Set("karma reject 1\nident/p0f WORLD/p0f.sock smite_os windows", TLDS),
    "p0f is not there": Set("ident/p0f WORLD/nothing.sock smite_os windows", log=("cannot connect",)),
    "qmail_deliverable": Set("qmail_deliverable server 127.0.0.1:QMAIL_PORT"),
    "qmail_deliverable and naughty": Set("qmail_deliverable server 127.0.0.1:QMAIL_PORT reject naughty\nnaughty reject data"),
    "qmail_deliverable is not there": Set("qmail_deliverable server 127.0.0.1:9", log=(r"qmail_deliverable: SMTPD0088: ",)),
}

WHOLE = [EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT"]


def client(number):
    return f"{NET}.{number}"


def mail(sender):
    return f"MAIL FROM:<{sender}>"


def senders(*addresses):
    """Each of them in turn, with RSET between."""
    return [EHLO, *(step for address in addresses for step in (mail(address), "RSET")), "QUIT"]


def names(*hellos):
    """Each HELO on a connection of its own."""
    return [step for hello in hellos for step in (f"EHLO {hello}", Again())][:-1]


#: How a client gets that much karma: by senders of these domains.
BAD = [EHLO, mail("x@spam.info"), "QUIT"]
WORSE = [EHLO, mail("x@spam.info"), "RSET", mail("x@spam.biz"), RCPT]

DIALOGUES = {
    "not listed": Dialogue("dnsbl", WHOLE, client(3)),
    "listed": Dialogue("dnsbl", [EHLO], client(4), texts={0: "spam came from there"}),
    "listed without a text": Dialogue("dnsbl", WHOLE, client(5)),
    "listed, but it may relay": Dialogue("dnsbl", WHOLE, client(6)),
    "listed, but known": Dialogue("dnsbl", WHOLE, client(7)),
    "listed, but allowed": Dialogue("dnsbl", WHOLE, client(8)),
    "listed, the text is ours": Dialogue("dnsbl with a text", [EHLO], client(5)),
    "not listed, the text is ours": Dialogue("dnsbl with a text", WHOLE, client(3)),
    "listed and tolerated": Dialogue("dnsbl tolerates", WHOLE, client(4)),
    "listed for now": Dialogue("dnsbl for now", [EHLO], client(4)),
    "listed and thrown out": Dialogue("dnsbl disconnects", [EHLO], client(4)),
    "listed and naughty": Dialogue("dnsbl and naughty", WHOLE, client(4), texts={3: "spam came from there"}),
    "listed, naughty twice": Dialogue("dnsbl and naughty", [EHLO, mail("bad@example.net"), RCPT], client(4)),
    "not listed and not naughty": Dialogue("dnsbl and naughty", WHOLE, client(3)),
    "listed, naughty and a relay client": Dialogue("dnsbl and naughty", WHOLE, client(6)),
    "listed, naughty, and writes to the postmaster": Dialogue("dnsbl and naughty", [EHLO, MAIL, "RCPT TO:<postmaster@example.com>", "DATA", MESSAGE, "QUIT"], client(4)),
    "listed, naughty, and writes to abuse first": Dialogue("dnsbl and naughty", [EHLO, MAIL, "RCPT TO:<abuse@example.com>", RCPT], client(4)),
    "listed, and told at MAIL": Dialogue("dnsbl and naughty at MAIL", [EHLO, MAIL, RCPT], client(4)),
    "on lists that have everybody or answer nobody": Dialogue("lists of odd kinds", WHOLE, client(4)),
    "lists without answers": Dialogue("lists that fail", WHOLE, client(4)),
    "a list that answers another question": Dialogue("lists that lie", WHOLE, client(4)),
    "a list that works": Dialogue("a list behind truncation", [EHLO], client(4), texts={0: "listed"}),

    "a sender's domain": Dialogue("rhsbl", senders("me@good.test", "me@spam.test", "me@SPAM.test", "", "me@[192.0.2.1]", "friend@spam.test", "me@sub.spam.test"), client(3),
                                  texts={4: "sends spam"}),
    "a sender's domain, from a relay client": Dialogue("rhsbl", senders("me@spam.test"), client(6)),
    "a sender's domain, from a known client": Dialogue("rhsbl", senders("me@spam.test"), client(7)),
    "a sender's domain without a text": Dialogue("rhsbl", senders("me@bare.test"), client(3)),
    "a sender's domain, the text is ours": Dialogue("rhsbl with a text", senders("me@good.test", "me@spam.test", "me@bare.test"), client(3)),
    "a sender's domain, tolerated": Dialogue("rhsbl tolerates", senders("me@spam.test"), client(3)),
    "a sender's domain for now": Dialogue("rhsbl for now", senders("me@spam.test"), client(3)),
    "a sender's domain, thrown out": Dialogue("rhsbl disconnects", [EHLO, mail("me@spam.test"), RCPT], client(3)),
    "a sender's domain, naughty": Dialogue("rhsbl and naughty", [EHLO, mail("me@spam.test"), RCPT, "NOOP"], client(3), texts={3: "sends spam"}),
    "a sender's domain, lists without answers": Dialogue("rhsbl fails", senders("me@spam.test"), client(3)),

    "on an allow list": Dialogue("dns_whitelist_soft", [EHLO, MAIL, "RCPT TO:<bad@example.com>", "RCPT TO:<user@elsewhere.example>", "QUIT"], client(9)),
    "on no allow list": Dialogue("dns_whitelist_soft", [EHLO, MAIL, "RCPT TO:<bad@example.com>", RCPT, "QUIT"], client(3)),
    "on an allow list without a text": Dialogue("dns_whitelist_soft", [EHLO, MAIL, "RCPT TO:<bad@example.com>", RCPT, "QUIT"], client(10)),
    "on an allow list, at MAIL": Dialogue("dns_whitelist_soft, then MAIL", [EHLO, mail("bad@example.net"), "QUIT"], client(9)),
    "allow lists without answers": Dialogue("dns_whitelist_soft fails", [EHLO, MAIL, "RCPT TO:<bad@example.com>", RCPT, "QUIT"], client(3)),

    "a known host": Dialogue("whitelist", ["EHLO bad.example", mail("bad@example.net"), "RCPT TO:<bad@example.com>", "RCPT TO:<user@elsewhere.example>", "QUIT"], client(7)),
    "a known name": Dialogue("whitelist", ["EHLO bad.example", mail("bad@example.net"), "QUIT"], client(3)),
    "another name": Dialogue("whitelist", ["EHLO worse.example", "NOOP"], client(3)),
    "known senders": Dialogue("whitelist", senders("friend@example.net", "FRIEND@example.net", "me@friends.example", "bad@example.net", ""), client(3)),
    "a known sender's recipients": Dialogue("whitelist", [EHLO, mail("friend@example.net"), "RCPT TO:<bad@example.com>", RCPT, "RCPT TO:<user@elsewhere.example>",
                                                          "DATA", MESSAGE, "QUIT"], client(3)),
    "known recipients": Dialogue("whitelist", [EHLO, MAIL, "RCPT TO:<open@example.com>", "RCPT TO:<OPEN@example.com>", "RCPT TO:<bad@example.com>",
                                               "RCPT TO:<other@elsewhere.example>", "QUIT"], client(3)),

    "domains of senders": Dialogue("resolvable_fromhost", senders(
        "me@good.test", "me@onlya.test", "me@only6.test", "me@nowhere.test", "me@two.test", "me@deadmx.test", "me@alias.test", "me@text.test", "", "me@[192.0.2.1]",
        "friend@nowhere.test"), client(3)),
    "domains of senders that lead nowhere": Dialogue("resolvable_fromhost", senders("me@badmx.test", "me@badand.test", "me@bada.test", "me@nomail.test"), client(3)),
    "an exchanger that is an address": Dialogue("resolvable_fromhost", senders("me@literalmx.test"), client(3)),
    "domains of senders, from a relay client": Dialogue("resolvable_fromhost", senders("me@nowhere.test"), client(6)),
    "domains of senders, for good": Dialogue("resolvable_fromhost for good", senders("me@nowhere.test", "me@good.test"), client(3)),
    "domains of senders, tolerated": Dialogue("resolvable_fromhost tolerates", [EHLO, mail("me@nowhere.test"), RCPT, "DATA", MESSAGE, "QUIT"], client(3)),
    "domains of senders, without answers": Dialogue("resolvable_fromhost fails", senders("me@code-2.test", "me@silent.test", "me@garbage.test"), client(3)),

    "names": Dialogue("helo rfc", names("mx.good.test", "good.test", "single", "under_score.test", "nowhere.test", f"[{NET}.3]", f"[{NET}.4]", "localhost", "other.test",
                                        f"{NET}.3", "text.test"), client(3)),
    "names of a client without a name": Dialogue("helo rfc", names("mx.good.test"), client(4)),
    "names of a relay client": Dialogue("helo rfc", names("nowhere.test"), client(6)),
    "names of a known client": Dialogue("helo rfc", names("nowhere.test"), client(7)),
    "names that match": Dialogue("helo strict", names("mx.good.test", "sub.good.test", "other.test", "near.test", f"[{NET}.3]"), client(3)),
    "names that match, of others": Dialogue("helo strict", names("near.test", "other.test"), client(11)),
    "names that are tolerated": Dialogue("helo tolerates", names("single", "nowhere.test", f"[{NET}.3]"), client(3)),
    "names, and naughty": Dialogue("helo and naughty", ["EHLO nowhere.test", MAIL, "NOOP"], client(3)),
    "names without answers": Dialogue("helo fails", ["EHLO name.code-2.test", MAIL, RCPT, Again(), "EHLO name.silent.test", MAIL, RCPT], client(3)),

    "first seen, then back": Dialogue("greylisting", [EHLO, MAIL, RCPT, Again(), EHLO, MAIL, Again(4), EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT", Again(), EHLO, MAIL, RCPT], client(3)),
    "first seen, twice in a session": Dialogue("greylisting", senders("one@example.net", "two@example.net"), client(4)),
    "first seen, without a sender": Dialogue("greylisting", [EHLO, mail(""), RCPT, "DATA", MESSAGE, "QUIT"], client(5)),
    "first seen, but it may relay": Dialogue("greylisting", WHOLE, client(6)),
    "first seen, but known": Dialogue("greylisting", WHOLE, client(7)),
    "first seen, but a known sender": Dialogue("greylisting", [EHLO, mail("friend@example.net"), RCPT, "DATA", MESSAGE, "RSET", MAIL], client(8)),
    "pairs": Dialogue("greylisting of pairs", [EHLO, MAIL, RCPT, "RCPT TO:<other@example.com>", "DATA", "QUIT"], client(3)),
    "pairs, without a sender": Dialogue("greylisting of pairs", [EHLO, mail(""), RCPT, "DATA", "QUIT"], client(4)),
    "told late": Dialogue("greylisting late", WHOLE, client(3)),
    "first seen and tolerated": Dialogue("greylisting tolerates", WHOLE, client(3)),
    "options in the file": Dialogue("greylisting by its file", [EHLO, MAIL, "RSET", Again(0, client(4)), EHLO, MAIL, mail("new@example.net")], client(3)),
    "a system that is spared": Dialogue("greylisting by system", WHOLE, client(3)),
    "a system that is not": Dialogue("greylisting by system", WHOLE, client(4)),

    "a bad client comes back": Dialogue("karma", [*BAD, Again(1), EHLO], client(3)),
    "a bad client is cut off": Dialogue("karma", [*WORSE, "DATA"], client(4)),
    "a client without history": Dialogue("karma", WHOLE, client(5)),
    "a client with good karma is nothing yet": Dialogue("karma", [EHLO, mail("x@site.tw"), RCPT, "DATA", MESSAGE, "QUIT"], client(8)),
    "many recipients of a client without history": Dialogue("karma", [EHLO, MAIL, RCPT, "RCPT TO:<two@example.com>", "DATA", MESSAGE, "QUIT"], client(9)),
    "many recipients of a bad client": Dialogue("karma", [EHLO, mail("x@spam.no"), RCPT, "RCPT TO:<two@example.com>", "DATA", MESSAGE, "QUIT"], client(10)),
    "without angle brackets": Dialogue("karma", [EHLO, "MAIL FROM: <x@spam.se>", "RCPT TO: <user@example.com>", "DATA"], client(11)),
    "a bad client comes back, naughty": Dialogue("karma and naughty", [*BAD, Again(1), EHLO, MAIL, RCPT], client(3)),
    "a bad relay client": Dialogue("karma and naughty", [*BAD, Again(1), EHLO, MAIL, RCPT, "RCPT TO:<two@example.com>", "DATA", MESSAGE, "QUIT"], client(6)),
    "a bad known client": Dialogue("karma and naughty", [*BAD, Again(1), *WHOLE], client(7)),
    "a bad client that is tolerated": Dialogue("karma tolerates", [*BAD, Again(1), *WORSE, "DATA", MESSAGE, "QUIT"], client(3)),

    "busy": Dialogue("loadcheck, busy", [EHLO]),
    "idle": Dialogue("loadcheck, idle", WHOLE),

    "a system with a bad name": Dialogue("p0f", [EHLO, mail("x@spam.info"), RCPT, "DATA"], client(4)),
    "a system with a good name": Dialogue("p0f", [EHLO, mail("x@spam.info"), RCPT, "DATA", MESSAGE, "QUIT"], client(3)),
    "a system without a name": Dialogue("p0f", [EHLO, mail("x@spam.info"), RCPT, "DATA", MESSAGE, "QUIT"], client(5)),
    "no p0f": Dialogue("p0f is not there", WHOLE, client(4)),

    "mailboxes": Dialogue("qmail_deliverable", [EHLO, MAIL, *(f"RCPT TO:<{name}@example.com>" for name in ("yes", "no", "list", "unreadable", "sticky", "elsewhere")), "QUIT"]),
    "mailboxes for bounces": Dialogue("qmail_deliverable", [EHLO, mail(""), "RCPT TO:<list@example.com>", "RCPT TO:<yes@example.com>", "QUIT"]),
    "mailboxes, and naughty": Dialogue("qmail_deliverable and naughty", [EHLO, MAIL, "RCPT TO:<no@example.com>", "RCPT TO:<yes@example.com>", "DATA", MESSAGE]),
    "no server for mailboxes": Dialogue("qmail_deliverable is not there", WHOLE),
}

if HAS_OWN_NETWORK:
    #: Ours of these plugins know this machine, which is all of 127.0.0.0/8. A point of karma more or less shows at DATA, where -5 is too bad.
    SETS["fcrdns"] = Set("karma reject 1\nfcrdns reject 0", TLDS)
    SETS["fcrdns alone"] = Set("fcrdns")
    SETS["fcrdns fails"] = Set("karma reject 1\nfcrdns timeout 1", TLDS, dns="unwell")
    SETS["geoip"] = Set(f"karma reject 1\nident/geoip db_dir WORLD distance {client(1)} too_far 2000", TLDS)
    DIALOGUES |= {
        f"{what}, {how}": Dialogue(control, [EHLO, mail("x@spam.info"), RCPT, "DATA"], client(number))
        for control, what, number in (("fcrdns", "a name that leads back", 3), ("fcrdns", "no name", 12 + 10), ("fcrdns", "a name that leads elsewhere", 11),
                                      ("fcrdns", "a name that does not exist", 12), ("fcrdns", "a name that leads near", 13), ("fcrdns", "a short name", 14),
                                      ("fcrdns", "one of two names leads back", 16), ("fcrdns fails", "the DNS does not answer", 3))
        for how in ("after a bad sender",)}
    DIALOGUES |= {
        "no name, and nothing else": Dialogue("fcrdns alone", WHOLE, client(22)),
        "a name that leads elsewhere, and nothing else": Dialogue("fcrdns alone", WHOLE, client(11)),
        "from far away": Dialogue("geoip", [EHLO, mail("x@spam.info"), RCPT, "DATA"], client(4)),
        "from near": Dialogue("geoip", [EHLO, mail("x@spam.info"), RCPT, "DATA", MESSAGE, "QUIT"], client(3)),
        "from nowhere": Dialogue("geoip", [EHLO, mail("x@spam.info"), RCPT, "DATA", MESSAGE, "QUIT"], client(5)),
    }

if HAS_OWN_NETWORK and smtpd_env.has_ipv6():
    SETS["IPv6"] = Set("relay\nwhitelist\ndnsbl\nhelo policy strict\ngreylisting black_timeout 60",
                       {"relayclients": "2001:0db8:0000:0000:0000:0000:0000:0003\n", "whitelisthosts": "2001:db8::4\n", "dnsbl_zones": "bl.test\n"})
    SETS["IPv6, names"] = Set("karma reject 1\nfcrdns", TLDS)
    DIALOGUES |= {
        "a relay client with IPv6": Dialogue("IPv6", [EHLO, MAIL, "RCPT TO:<user@elsewhere.example>", "DATA", MESSAGE, "QUIT"], "2001:db8::3"),
        "a known client with IPv6": Dialogue("IPv6", WHOLE, "2001:db8::4"),
        "a listed client with IPv6": Dialogue("IPv6", [EHLO], "2001:db8::5"),
        "the machine itself with IPv6": Dialogue("IPv6", ["EHLO single"], "::1"),
        "a name that leads back with IPv6": Dialogue("IPv6, names", [EHLO, mail("x@spam.info"), RCPT, "DATA"], "2001:db8::3"),
    }

REASONS = {
    "text": "what is on a list has an address there (RFC 5782 2.1); qpsmtpd asks for texts only, and misses what is listed without one",
    "judged": "a naughty client is refused by naughty, for the first complaint; Debian's qpsmtpd lets other plugins refuse it at once",
    "pardon": "being naughty is forgiven for mail to the postmaster alone; qpsmtpd forgives it for the rest of the connection",
    "useless": "a list that has everybody is switched off, and 127.255.255.0/24 says that there is no answer (RFC 5782 5)",
    "lie": "an answer to another question is none",
    "relay": "being known exempts from tests and is no right to relay; with qpsmtpd it is",
    "early": "allow lists are asked when the client comes; qpsmtpd looks at their answers at RCPT",
    "failure": "a DNS that gives no answer is no reason to refuse anybody",
    "invalid": "addresses at which no mail can be delivered count wherever they stand; qpsmtpd lets them pass at the domain itself",
    "no data": "a name without an address has none, whether or not it has something else; qpsmtpd takes that for a failure of the DNS",
    "many": "more recipients than one are refused to clients with bad karma or history only, for now; with qpsmtpd to all that have no good one, for good",
    "blank": "a blank behind FROM: and TO: is common and harmless, and no sign of spam",
    "elsewhere": "a client whose name leads elsewhere has not confirmed it (RFC 8601 2.7.3)",
    "this machine": "it is a relay client where relayclients says so; qpsmtpd always lets ::1",
    "IPv6": "lists and names work for IPv6 too",
}

PASSES = ["220", "250", "250", "250", "354", "250", "221 closed"]
IS_CUT_OFF = ["550", "closed", "gone", "gone", "gone", "gone", "gone"]


def differs(name, reason, theirs, ours, stored=None):
    """The entries for a dialogue that differs from some step on."""
    entries = {(name, number): (their, our, reason) for number, (their, our) in enumerate(zip(theirs, ours)) if their != our}
    return entries | ({(name, "stored"): (*stored, reason)} if stored else {})


DIFFERENCES = {
    **differs("listed without a text", "text", PASSES, IS_CUT_OFF, (1, 0)),
    ("listed, naughty twice", 2): ("550", "250", "judged"),
    ("listed, naughty twice", 3): ("503", "550", "judged"),
    ("listed, naughty, and writes to abuse first", 4): ("250", "550", "pardon"),
    **differs("on lists that have everybody or answer nobody", "useless", IS_CUT_OFF, PASSES, (0, 1)),
    **differs("a list that answers another question", "lie", IS_CUT_OFF, PASSES, (0, 1)),
    ("a sender's domain without a text", 2): ("250", "550", "text"),
    ("on an allow list", 4): ("250", "550", "relay"),
    ("on an allow list without a text", 3): ("550", "250", "text"),
    ("on an allow list, at MAIL", 2): ("550", "250", "early"),
    ("a known host", 4): ("250", "550", "relay"),
    ("a known sender's recipients", 5): ("250", "550", "relay"),
    ("known recipients", 6): ("250", "550", "relay"),
    ("domains of senders, without answers", 2): ("450", "250", "failure"),
    ("domains of senders, without answers", 4): ("450", "250", "failure"),
    ("domains of senders, without answers", 6): ("450", "250", "failure"),
    ("domains of senders that lead nowhere", 6): ("250", "450", "invalid"),
    ("names", 3): ("250", "550 closed", "no data"),
    ("names", 21): ("250", "550 closed", "no data"),
    ("many recipients of a client without history", 4): ("550", "250", "many"),
    ("many recipients of a bad client", 4): ("550", "452", "many"),
    ("without angle brackets", 4): ("554 closed", "354", "blank"),
}
if "fcrdns" in SETS:
    DIFFERENCES["a name that leads elsewhere, after a bad sender", 4] = ("354", "554 closed", "elsewhere")
if "IPv6" in SETS:
    DIFFERENCES |= {
        ("a listed client with IPv6", 0): ("220", "550", "IPv6"),
        ("a listed client with IPv6", 1): ("550 closed", "closed", "IPv6"),
        ("the machine itself with IPv6", 1): ("250", "550 closed", "this machine"),
        ("a name that leads back with IPv6", 4): ("554 closed", "354", "IPv6"),
    }


@pytest.mark.parametrize("control", SETS)
def test_dialogues(world, control):
    made = SETS[control]
    (world.folder / "load").write_text(made.load)
    dns = world.name_servers[made.dns]
    files = {**COMMON, "plugins": f"{made.plugins}\nrcpt_ok\nqueue/maildir MAILDIR\n", **made.files}
    with Pair(files, f"SmtpResolver {dns.address} timeout=1s tries=1", words=world.words, environment={
            "SMTPD_TEST_DNS": dns.address, "SMTPD_TEST_LOAD": str(world.folder / "load"), "SMTPD_TEST_PLACES": str(world.folder / "places")}) as pair:
        for pattern in made.log:
            pair.ours.expect_log(pattern)
        compare(pair, {name: dialogue for name, dialogue in DIALOGUES.items() if dialogue.control == control}, DIFFERENCES)


def test_logging_adaptive():
    """The plugin repeats lines about accepted messages. The format of lines differs, and one refusal silences
    qpsmtpd for the rest of the session."""
    with Pair({**COMMON, "logging": "logging/adaptive accept LOGINFO reject LOGINFO prefix +\n", "badrcptto": "bad@example.com\n",
               "plugins": "badrcptto\nrcpt_ok\nqueue/maildir MAILDIR\n"}) as pair:
        pair.ours.allow_log(r"^\d+ (\+?\[|[\w.]+ )")
        bad = "RCPT TO:<bad@example.com>"
        for steps, marks in (([EHLO, MAIL, bad, "QUIT"], (False, False)), ([EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT"], (True, True)),
                             ([EHLO, MAIL, bad, RCPT, "DATA", MESSAGE, "QUIT"], (False, True))):
            for port, log, is_marked in zip(pair.ports, (pair.theirs.log, pair.ours.log_text), marks):
                before = len(log())
                Talk(port, Dialogue("", steps))

                def lines():
                    return [line for line in log()[before:].splitlines() if "badrcptto" in line or " accepted from=" in line]
                smtpd_env.wait_until(lines, 5, "nothing is in the log")
                smtpd_env.wait_until(lambda: not is_marked or any(" +" in line for line in lines()), 5, f"nothing was written again: {log()[before:]}")
                assert is_marked or not any(" +" in line for line in lines()), "\n".join(lines())


def test_the_tables():
    """(If clients have only addresses of this machine, some reasons are not checked.)"""
    check_lists(DIALOGUES, SETS, DIFFERENCES, {reason for _, _, reason in DIFFERENCES.values()})
    assert set(REASONS) >= {reason for _, _, reason in DIFFERENCES.values()} >= set(REASONS) - {"elsewhere", "this machine", "IPv6"}
