<?php
// Sends one message with PHPMailer. Standard input says how, as JSON (see mail_programs.py); what is said between client and server goes to standard output.
declare(strict_types=1);

$wish = json_decode(stream_get_contents(STDIN));
require $wish->library;

$client = new PHPMailer\PHPMailer\SMTP();
$client->do_debug = PHPMailer\PHPMailer\SMTP::DEBUG_LOWLEVEL;
$client->Debugoutput = 'echo';
$options = ['ssl' => ['cafile' => $wish->authority, 'verify_peer' => true, 'verify_peer_name' => true, 'peer_name' => $wish->host]];
$greet = fn() => $client->hello('client.example.net');

$sent = $client->connect(($wish->implicit ? 'ssl://' : '') . $wish->host, $wish->port, $wish->seconds, $options) && $greet()
    && ($wish->implicit || ($client->startTLS() && $greet()))
    && ($wish->mechanism === '' || $client->authenticate($wish->user, $wish->password, $wish->mechanism))
    && $client->mail($wish->sender);
foreach ($wish->recipients as $recipient) {
    $sent = $sent && $client->recipient($recipient);
}
// It puts a line end of its own behind the last line.
$sent = $sent && $client->data(preg_replace('/\r\n\z/', '', file_get_contents($wish->file)));
if ($client->connected()) {
    $client->quit();
}
exit($sent ? 0 : 1);
