# NoReverseDns: loaded in front of qpsmtpd (perl -MNoReverseDns), which looks up every client's name and cannot be told not to: it finds none.
package NoReverseDns;
use strict;
use warnings;
use Net::DNS;

sub Net::DNS::Resolver::query { return }

1;
