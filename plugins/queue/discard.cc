/// queue/discard: accept messages and discard them.
///
/// The plugin is for tests and measurements: the client gets 250 as from a real queue, and the log says that the
/// message was discarded. Do not load it on a server that receives real mail. It accepts messages of every kind,
/// including BINARYMIME, SMTPUTF8 and REQUIRETLS. qpsmtpd does not have this plugin.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class Discard final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool takes_every_message = true;

    explicit Discard(Setup& setup) {
        setup.hooks.queue.deliver([](const Delivery& delivery) {
            delivery.log(LogLevel::info, "discarded, {} bytes", delivery.message().size());
            return delivered();
        });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("queue/discard", smtpd::plugins::Discard);
