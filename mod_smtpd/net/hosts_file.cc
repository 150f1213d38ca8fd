/// hosts_file.cc: see hosts_file.h.
#include "net/hosts_file.h"

#include "support/strings.h"

#include <smtpd/base/domain.h>

#include <algorithm>

namespace smtpd::net {

HostsFile parse_hosts(std::string_view text) {
    HostsFile hosts;
    for (const auto line : support::split(text, '\n')) {
        const auto words = support::split_words(line.substr(0, line.find('#')));
        const auto address = words.empty() ? std::nullopt : IpAddress::parse(words.front());
        if (!address) continue;
        for (std::size_t i = 1; i < words.size(); ++i) {
            auto& addresses = hosts[ascii_domain(words[i])];
            if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
                addresses.push_back(*address);
        }
    }
    return hosts;
}

}  // namespace smtpd::net
