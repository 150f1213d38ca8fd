/// A test of the plugin closed_mailbox: a program that fails if the plugin does not do what it should.
#include <smtpd/testing.h>

#include <cassert>

int main(int, char** arguments) {
    smtpd::testing::PluginUnderTest plugin(arguments[1], "name=office");
    assert(plugin.rcpt("office@example.com").verdict == smtpd::Verdict::deny);
    assert(plugin.last_log_line() == "fail: office@example.com is closed");
    assert(plugin.rcpt("open@example.com").verdict == smtpd::Verdict::declined);
}
