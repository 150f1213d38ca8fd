/// name_service.h: how a session asks the DNS. Its driver implements it, because only the driver can wake the session.
#pragma once

#include "net/resolver.h"

#include <memory>
#include <vector>

namespace smtpd::engine {

class NameService {
public:
    virtual ~NameService() = default;
    /// Sends the questions. Unless all answers are known at once, Session::resume() is called when they are.
    virtual std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) = 0;
};

}  // namespace smtpd::engine
