/// queue/discard: accept messages and throw them away.
///
/// For tests and measurements: the client hears 250 as it would from a real queue, and the log says that the message is
/// gone. Load it in no server that mail is sent to. It takes messages of every kind, BINARYMIME, SMTPUTF8 and
/// REQUIRETLS included. qpsmtpd has no such plugin.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class Discard final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool takes_every_message = true;

    explicit Discard(Setup& setup) {
        setup.hooks.queue.deliver([](const Delivery& delivery) {
            delivery.log(LogLevel::info, "discarded, {} octets", delivery.message().size());
            return delivered();
        });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("queue/discard", smtpd::plugins::Discard);
