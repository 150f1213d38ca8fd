# LocalDns: loaded in front of qpsmtpd (perl -MLocalDns), whose resolver then asks the server on that port of 127.0.0.1 (LOCAL_DNS_PORT).
package LocalDns;
use strict;
use warnings;
use Net::DNS;

my ($port) = ($ENV{LOCAL_DNS_PORT} || '') =~ /^(\d+)$/ or die "LOCAL_DNS_PORT is not set\n";
Net::DNS::Resolver->new;    # reads resolv.conf, which would otherwise overrule the next line
Net::DNS::Resolver->nameservers('127.0.0.1');
Net::DNS::Resolver->port($port);

1;
