#!/usr/bin/perl
# dmarc_referee.pl: what Mail::DMARC (RFC 7489) makes of messages. Reads cases as JSON, one a line: {"zone": {"_dmarc.example.com": ["v=DMARC1; …"]},
# "from": …, "spf": {"domain", "result"}, "dkim": [{"domain", "result"}]}; prints a result for each: {"result", "disposition", "spf", "dkim"}.
# usage: dmarc_referee.pl PUBLIC_SUFFIX_LIST
use strict;
use warnings;
use JSON::PP;
use Mail::DMARC::PurePerl;

package Zone;
use Net::DNS;
sub new { my ($class, $records) = @_; return bless { records => $records }, $class }
sub errorstring { return 'NXDOMAIN' }
sub send {
    my ($self, $name, $type) = @_;
    my $texts = $self->{records}{lc $name};
    my $packet = Net::DNS::Packet->new($name, $type || 'A');
    $packet->header->qr(1);
    $packet->header->rcode('NXDOMAIN') if !$texts;
    if ($texts && ($type || '') eq 'TXT') {
        $packet->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', ttl => 60, txtdata => [$_])) for @$texts;
    }
    return $packet;
}
sub query { my $packet = $_[0]->send(@_[1 .. $#_]); return $packet->header->ancount ? $packet : undef }
sub search { my $self = shift; return $self->query(@_) }

package main;

my $list = shift or die "usage: dmarc_referee.pl PUBLIC_SUFFIX_LIST\n";
{
    no warnings 'redefine';
    *Mail::DMARC::Base::find_psl_file = sub { return $list };
    *Mail::DMARC::PurePerl::exists_in_dns = sub { return 1 };    # it rejects names without MX and address, which RFC 7489 does not ask for
    *Mail::DMARC::PurePerl::is_whitelisted = sub { return };
}
$| = 1;
while (my $line = <STDIN>) {
    my $case = decode_json($line);
    my $dmarc = Mail::DMARC::PurePerl->new;
    $dmarc->config->{report_store}{auto_save} = 0;
    $dmarc->set_resolver(Zone->new($case->{zone}));
    $dmarc->source_ip('192.0.2.1');
    $dmarc->envelope_to('example.org');
    $dmarc->envelope_from($case->{spf}{domain});
    $dmarc->header_from($case->{from});
    $dmarc->dkim([map { { domain => $_->{domain}, selector => 's', result => $_->{result} } } @{ $case->{dkim} }]);
    $dmarc->spf([{ domain => $case->{spf}{domain}, scope => 'mfrom', result => $case->{spf}{result} }]);
    my $result = eval { $dmarc->validate } or do { print encode_json({ error => "$@" }), "\n"; next };
    my $published = eval { $result->published };
    print encode_json({ result => $result->result, disposition => $result->disposition, published => $published ? 1 : 0,
                        spf => $result->spf || '', dkim => $result->dkim || '' }), "\n";
}
