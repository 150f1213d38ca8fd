/// fake_clients.h: a register of clients that records its calls, and has as many places as the test sets.
#pragma once

#include "engine/client_register.h"

#include <vector>

namespace smtpd::fakes {

class FakeClients final : public engine::ClientRegister {
public:
    std::optional<std::uint32_t> sessions = 1;  ///< what change_client() returns
    std::vector<Endpoint> clients;
    std::vector<Endpoint> locals;

    std::optional<std::uint32_t> change_client(const Endpoint& client, const Endpoint& local) override {
        clients.push_back(client);
        locals.push_back(local);
        return sessions;
    }
};

}  // namespace smtpd::fakes
