/// name_service.h: what a session asks the DNS through. Its driver implements it, because only the driver can wake the
/// session.
#pragma once

#include "net/resolver.h"

#include <memory>
#include <vector>

namespace smtpd::engine {

class NameService {
public:
    virtual ~NameService() = default;
    /// Puts the questions. Unless all answers are there at once, somebody calls Session::resume() when they are.
    virtual std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) = 0;
};

}  // namespace smtpd::engine
