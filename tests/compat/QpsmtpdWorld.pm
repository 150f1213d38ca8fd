# QpsmtpdWorld: loaded in front of qpsmtpd (perl -MQpsmtpdWorld), so that it sees the world that a test has made, and nothing else.
#
#   SMTPD_TEST_DNS       address:port of the only name server; without it, no name exists
#   SMTPD_TEST_LOAD      a file whose first number is the load of the machine
#   SMTPD_TEST_PLACES    a file of "address country latitude longitude", for ident/geoip
#
# It stands in for three modules that plugins ask for and that not every system has: Geo::IP, Qmail::Deliverable::Client and BSD::getloadavg. They are
# here rather than in files of their own since qpsmtpd loads plugins when it has given up its rights, and may not be able to read this folder then.
#
# And it has a method that Debian's greylisting calls and nobody wrote: without it, greylisting ends with an error for every client.
package QpsmtpdWorld;
use strict;
use warnings;
use Net::DNS;
use IO::Socket::INET;

$INC{$_} = __FILE__ for qw(Geo/IP.pm Qmail/Deliverable/Client.pm BSD/getloadavg.pm);

# The first resolver reads the system's settings into the defaults; these take their place. A name server that is silent is asked once.
if (my ($server, $port) = ($ENV{SMTPD_TEST_DNS} || '') =~ /^([\d.]+):(\d+)$/) {
    Net::DNS::Resolver->new;
    Net::DNS::Resolver->nameservers($server);
    Net::DNS::Resolver->port($port);
    Net::DNS::Resolver->searchlist();
    Net::DNS::Resolver->retry(1);
    Net::DNS::Resolver->retrans(1);
}
else {
    no warnings 'redefine';
    *Net::DNS::Resolver::query = sub { return };
}

package Qpsmtpd::Plugin;

sub is_p0f_match {
    my $self = shift;
    return !$self->{_args}{p0f} || $self->p0f_match();
}

package BSD::getloadavg;

sub import {
    no strict 'refs';
    *{caller() . '::getloadavg'} = \&getloadavg;
}

sub getloadavg {
    open(my $file, '<', $ENV{SMTPD_TEST_LOAD}) or return (0);
    return split ' ', <$file>;
}

package Qmail::Deliverable::Client;

our $SERVER = '127.0.0.1:8998';
our $ERROR  = '';

sub import {
    no strict 'refs';
    *{caller() . '::deliverable'} = \&deliverable;
}

# The daemon's answer is a number; 0x2f stands for one that there is not.
sub deliverable {
    my ($address) = @_;
    my ($peer) = (ref $SERVER ? $SERVER->() : $SERVER) =~ /^([\w.:-]+)$/;
    my ($query) = $address =~ /^(.*)$/;
    $query =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge;
    my $socket = IO::Socket::INET->new(PeerAddr => $peer, Timeout => 5) or return 0x2f;
    print $socket "GET /qd1/deliverable?$query HTTP/1.0\r\n\r\n";
    $socket->flush;
    my $response = join '', <$socket>;
    return $response =~ /\r\n\r\n(\d+)/ ? $1 : 0x2f;
}

package Geo::IP;

sub new  { return bless {}, shift }
sub open { return bless {}, shift }

sub record_by_addr {
    my ($self, $address) = @_;
    CORE::open(my $file, '<', $ENV{SMTPD_TEST_PLACES}) or return;
    while (<$file>) {
        my ($client, @place) = split;
        return bless \@place, 'Geo::IP::Record' if $client eq $address;
    }
    return;
}

package Geo::IP::Record;

sub country_code   { return $_[0][0] }
sub country_name   { return $_[0][0] }
sub continent_code { return '--' }
sub city           { return '' }
sub latitude       { return $_[0][1] }
sub longitude      { return $_[0][2] }

1;
