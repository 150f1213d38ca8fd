"""Other implementations of SPF, asked about a zone: python3-spf and Mail::SPF.

A zone is {name: [{"TXT": "…"}, {"MX": [10, "host"]}, …, "TIMEOUT"]}, a question (ip, helo, sender). Limits of void answers are off, because the
implementations differ in what they count.
"""

import json
import shutil
import socket
import subprocess

try:
    import spf as pyspf
except ImportError:
    pyspf = None

NO_LIMIT = 1000


def look_up(zone, name, kind):
    """[(name, kind, data), …] with the aliases on the way; None if there is no answer; KeyError for a name that does not exist."""
    out = []
    for _ in range(8):
        entries = zone.get(name.lower().rstrip("."))
        if entries is None:
            return out
        found = [entry[kind] for entry in entries if isinstance(entry, dict) and kind in entry]
        if found:
            return out + [(name, kind, data) for data in found]
        if "TIMEOUT" in entries:
            return None
        alias = next((entry["CNAME"] for entry in entries if isinstance(entry, dict) and "CNAME" in entry), None)
        if alias is None:
            return out
        out.append((name, "CNAME", alias))
        name = alias
    return out


class Pyspf:
    name = "python3-spf"
    is_there = pyspf is not None

    def ask(self, zone, questions):
        def answers(name, kind, *_):
            found = look_up(zone, name, kind)
            if found is None:
                raise pyspf.TempError("no answer")
            for owner, of, data in found:
                if of == "TXT":
                    data = (data.encode("latin-1"),)
                elif of == "AAAA":
                    data = socket.inet_pton(socket.AF_INET6, data)
                elif of == "MX":
                    data = tuple(data)
                yield (owner, of), data

        pyspf.DNSLookup, pyspf.MAX_VOID_LOOKUPS = answers, NO_LIMIT
        return [pyspf.check2(i=ip, s=sender, h=helo, timeout=30, querytime=0)[0] for ip, helo, sender in questions]


PERL = r"""
use strict; use warnings;
use JSON::PP; use Mail::SPF; use Net::DNS;
package ZoneResolver;
sub new { my ($class, $zone) = @_; return bless { zone => $zone, error => '' }, $class }
sub errorstring { return $_[0]{error} }
sub send {
    my ($self, $name, $type) = @_;
    $self->{error} = '';
    my $packet = Net::DNS::Packet->new($name, $type);
    $packet->header->qr(1);
    for my $round (1 .. 8) {
        my $entries = $self->{zone}{lc $name};
        if (!$entries) { $packet->header->rcode('NXDOMAIN') if $round == 1; return $packet }
        my @found = map { $_->{$type} } grep { ref && exists $_->{$type} } @$entries;
        if (@found) { $packet->push(answer => record($name, $type, $_)) for @found; return $packet }
        if (grep { !ref && $_ eq 'TIMEOUT' } @$entries) { $self->{error} = 'query timed out'; return undef }
        my ($alias) = map { $_->{CNAME} } grep { ref && exists $_->{CNAME} } @$entries;
        return $packet if !defined $alias;
        $packet->push(answer => record($name, 'CNAME', $alias));
        $name = $alias;
    }
    return $packet;
}
sub record {
    my ($name, $type, $data) = @_;
    return Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [$data]) if $type eq 'TXT';
    return Net::DNS::RR->new(name => $name, type => 'MX', preference => $data->[0], exchange => $data->[1]) if $type eq 'MX';
    return Net::DNS::RR->new(name => $name, type => 'CNAME', cname => $data) if $type eq 'CNAME';
    return Net::DNS::RR->new(name => $name, type => 'PTR', ptrdname => $data) if $type eq 'PTR';
    return Net::DNS::RR->new(name => $name, type => $type, address => $data);
}
package main;
local $/;
my $job = decode_json(<STDIN>);
my @results;
for my $case (@{$job->{cases}}) {
    my $server = Mail::SPF::Server->new(dns_resolver => ZoneResolver->new($case->{zone}), max_void_dns_lookups => undef,
                                        query_rr_types => Mail::SPF::Server->query_rr_type_txt);
    my @words;
    for my $question (@{$case->{questions}}) {
        my ($ip, $helo, $sender) = @$question;
        my $word = eval {
            my $request = Mail::SPF::Request->new(versions => [1], scope => 'mfrom', identity => $sender, ip_address => $ip, helo_identity => $helo);
            $server->process($request)->code;
        };
        push @words, defined $word ? $word : 'died';
    }
    push @results, \@words;
}
print encode_json(\@results);
"""


class MailSpf:
    name = "Mail::SPF"
    is_there = shutil.which("perl") is not None and subprocess.run(
        ["perl", "-MMail::SPF", "-MNet::DNS", "-MJSON::PP", "-e1"], capture_output=True).returncode == 0

    def ask_all(self, cases):
        """Results for [(zone, questions), …] in one process."""
        job = {"cases": [{"zone": zone, "questions": questions} for zone, questions in cases]}
        done = subprocess.run(["perl", "-e", PERL], input=json.dumps(job).encode("latin-1"), capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)
