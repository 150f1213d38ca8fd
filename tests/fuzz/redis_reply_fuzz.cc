/// redis_reply_fuzz.cc: replies of a Redis server, or of an attacker in its place.
///
/// Invariants: a reply does not depend on the pieces in which it arrives, so a part of it is always `more`. An invalid
/// reply stays invalid, whatever follows. A reply has no content beyond its octets, and nothing deeper or longer than
/// allowed. Written and read again, it is the same.
#include "store/redis_connection.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;
using store::RedisParse;
using store::RedisReply;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

struct Parsed {
    RedisParse outcome = RedisParse::more;
    RedisReply reply;
    std::size_t used = 0;
};

/// In memory of exactly that size, so that a sanitizer sees its end.
Parsed parse(std::string_view octets) {
    const std::vector<char> copy(octets.begin(), octets.end());
    std::string_view rest(copy.data(), copy.size());
    Parsed parsed;
    parsed.outcome = store::parse_reply(rest, parsed.reply);
    require(rest.size() <= octets.size(), "octets are taken off the front");
    parsed.used = octets.size() - rest.size();
    return parsed;
}

/// As a server would send it.
void write(const RedisReply& reply, std::string& out) {
    switch (reply.kind) {
        case RedisReply::Kind::nothing: out += "$-1\r\n"; break;
        case RedisReply::Kind::status: out += "+" + reply.text + "\r\n"; break;
        case RedisReply::Kind::refusal: out += "-" + reply.text + "\r\n"; break;
        case RedisReply::Kind::number: out += format_text(":{}\r\n", reply.number); break;
        case RedisReply::Kind::text: out += format_text("${}\r\n", reply.text.size()) + reply.text + "\r\n"; break;
        case RedisReply::Kind::list:
            out += format_text("*{}\r\n", reply.list.size());
            for (const auto& element : reply.list) write(element, out);
    }
}

std::string written(const RedisReply& reply) {
    std::string out;
    write(reply, out);
    return out;
}

/// The number of octets in its texts.
std::size_t check(const RedisReply& reply, int depth = 0) {
    using Kind = RedisReply::Kind;
    require(depth <= 2, "lists are not deep");
    require(reply.list.size() <= 100'000, "lists are not endless");
    require(reply.text.empty() || reply.kind == Kind::status || reply.kind == Kind::refusal || reply.kind == Kind::text,
            "only texts have a text");
    require(reply.list.empty() || reply.kind == Kind::list, "only lists have elements");
    require(reply.kind == Kind::text || reply.text.find("\r\n") == std::string::npos, "a line is one line");
    std::size_t octets = reply.text.size();
    for (const auto& element : reply.list) octets += check(element, depth + 1);
    return octets;
}

/// The result for these octets before the rest arrived.
void check_part(std::string_view octets, std::size_t size, const Parsed& whole) {
    const Parsed part = parse(octets.substr(0, size));
    switch (part.outcome) {
        case RedisParse::more: break;
        case RedisParse::wrong: require(whole.outcome == RedisParse::wrong, "what is wrong stays wrong"); break;
        case RedisParse::done:
            require(whole.outcome == RedisParse::done && whole.used == part.used,
                    "a whole reply does not depend on what follows");
            require(written(part.reply) == written(whole.reply), "nor does what is in it");
    }
    if (whole.outcome == RedisParse::done && size < whole.used)
        require(part.outcome == RedisParse::more, "a part of a reply is no reply");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t parts = 32;  // beyond that, not every part is tried
    std::string_view octets(reinterpret_cast<const char*>(data), size);
    for (int replies = 0; replies < 8 && !octets.empty(); ++replies) {  // as commands that were sent together are
                                                                        // answered
        const Parsed whole = parse(octets);
        for (std::size_t i = 0; i < std::min(parts, octets.size()); ++i) {
            check_part(octets, i, whole);
            check_part(octets, octets.size() - 1 - i, whole);
            if (whole.used > i) check_part(octets, whole.used - 1 - i, whole);
        }
        if (whole.outcome != RedisParse::done) break;
        require(whole.used > 0, "a reply has octets");
        require(check(whole.reply) <= whole.used, "texts come from the octets");
        const Parsed again = parse(written(whole.reply));
        require(again.outcome == RedisParse::done && written(again.reply) == written(whole.reply),
                "it can be written down and read");
        octets.remove_prefix(whole.used);
    }
    return 0;
}
