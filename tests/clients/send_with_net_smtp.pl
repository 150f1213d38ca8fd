# Sends one message with Perl's Net::SMTP. Standard input says how, as JSON (see mail_programs.py); what is said between client and server goes to standard error.
use strict;
use warnings;
use Authen::SASL;
use JSON::PP;
use Net::SMTP;

my $wish = decode_json(do { local $/; <STDIN> });
open(my $file, '<:raw', $wish->{file}) or die "$wish->{file}: $!\n";
my $message = do { local $/; <$file> };

my %tls = (SSL_ca_file => $wish->{authority}, SSL_verifycn_name => $wish->{host});
my $client = Net::SMTP->new($wish->{host}, Port => $wish->{port}, Hello => 'client.example.net', Timeout => $wish->{seconds}, Debug => 1,
                            $wish->{implicit} ? (SSL => 1, %tls) : ()) or die "not connected: $@\n";
my $check = sub { $_[0] or die 'refused: ' . $client->code . ' ' . $client->message . " $@\n" };
$check->($client->starttls(%tls)) unless $wish->{implicit};
if ($wish->{mechanism}) {
    my %callback = (user => $wish->{user}, authname => '', pass => $wish->{password});
    $check->($client->auth(Authen::SASL->new(mechanism => $wish->{mechanism}, callback => \%callback)));
}
$check->($client->mail($wish->{sender}, Bits => 8));
$check->($client->recipient(@{$wish->{recipients}}));
$check->($client->data($message));
$client->quit;
