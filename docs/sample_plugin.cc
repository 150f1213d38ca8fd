/// closed_mailbox: reject mail to the mailboxes of one name, in every domain.
#include <smtpd/plugin.h>

class ClosedMailbox final : public smtpd::PolicyPlugin {
public:
    struct Options {
        std::string name = "closed";
        static smtpd::OptionTable table() { return {smtpd::option("name", &Options::name, "the rejected local part")}; }
    };

    ClosedMailbox(smtpd::Setup& setup, const Options& options) : options_(options) {
        setup.hooks.rcpt.decide([this](const smtpd::RcptHook& hook) { return judge(hook.recipient.address()); });
    }

private:
    smtpd::Finding judge(const smtpd::Address& address) const {
        if (address.local_part() != options_.name) return smtpd::pass();
        return smtpd::fail("{} is closed", address).reply("This mailbox is closed");
    }
    const Options options_;
};

SMTPD_PLUGIN("closed_mailbox", ClosedMailbox);
