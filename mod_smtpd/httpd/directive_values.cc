#include "httpd/directive_values.h"

#include "host/options.h"
#include "support/strings.h"

#include <smtpd/options.h>

namespace smtpd::httpd {

std::string where_of(const cmd_parms* cmd) {
    return format_text("{} line {}", cmd->directive->filename, cmd->directive->line_num);
}

std::string read_count(std::string_view text, unsigned& value, unsigned least) {
    const auto number = support::parse_unsigned(text);
    if (!number || *number < least || *number > 1'000'000'000)
        return format_text("a number from {} to 1000000000", least);
    value = static_cast<unsigned>(*number);
    return {};
}

std::string read_size(std::string_view text, std::uint64_t& value) {
    ByteCount octets;
    if (!OptionType<ByteCount>::read(text, octets).empty()) return "a number of octets, which may end in k, m or g";
    value = octets.value;
    return {};
}

std::string read_time(std::string_view text, std::chrono::seconds& value) {
    Duration duration{};
    if (!OptionType<Duration>::read(text, duration).empty() || duration.count() < 0)
        return "a time such as 90, 30s, 10min or 2h";
    value = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {};
}

/// Reads the networks from argv[first] on; returns the error, or null.
const char* read_networks(cmd_parms* cmd, int first, int argc, char* const argv[], std::vector<IpNetwork>& networks) {
    for (int i = first; i < argc; ++i) {
        const auto network = NetworkList::parse_entry(argv[i]);
        if (!network)
            return complaint(cmd, format_text("{}: \"{}\" is not an address or network such as 192.0.2.0/24",
                                              cmd->cmd->name, argv[i]));
        networks.push_back(*network);
    }
    return nullptr;
}

}  // namespace smtpd::httpd
