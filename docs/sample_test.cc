/// Tests the plugin closed_mailbox: this program fails if the plugin does not work.
#include <smtpd/testing.h>

#include <cassert>

int main(int, char** arguments) {
    smtpd::testing::PluginUnderTest plugin(arguments[1], "name=office");
    assert(plugin.rcpt("office@example.com").verdict == smtpd::Verdict::deny);
    assert(plugin.last_log_line() == "fail: office@example.com is closed");
    assert(plugin.rcpt("open@example.com").verdict == smtpd::Verdict::declined);
}
