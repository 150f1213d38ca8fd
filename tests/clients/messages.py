"""Messages for mail programs, with everything that programs and servers may object to."""

HEADER = (b"From: Jane <jane@example.com>\r\nTo: user@example.com\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= and\r\n a folded line\r\n"
          b"Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <%s@client.example.net>\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")

#: Lines that have to arrive as they are.
LINES = [b"ASCII", "Grüße, 你好, привет 🐘".encode(), b".", b"..", b".dot and more", b"", b"From here on", b"RSET", b"trailing blanks  \t ",
         b"\tTab", b"-" * 76 + b"=", b"x" * 998, "ü".encode() * 499, b"."]

#: Longer than RFC 5321 4.5.3.1.6 allows; not all programs let them through.
LONG_LINES = [b"y" * 999, b"." * 1500, "日".encode() * 7000, b"z" * 20_000]

#: Octets that are no UTF-8.
LATIN_1 = [bytes(range(0xA0, 0x100)), b"\x80\xff\xfe."]


def body(*, long_lines=True, latin_1=True):
    return b"".join(line + b"\r\n" for line in LINES + (LONG_LINES if long_lines else []) + (LATIN_1 if latin_1 else []))


def message(name="message", **which):
    return HEADER % name.encode() + body(**which)


#: One that nobody takes offence at.
ORDINARY = message("ordinary", long_lines=False, latin_1=False)


def large(octets):
    """A message of at least that size, all lines different."""
    return HEADER % b"large" + b"".join(b"%076d\r\n" % number for number in range(octets // 78 + 1))
