/// signed_message_fuzz.cc: any message with signatures and chains: its results do not depend on the pieces in which it
/// came, every signature has one, one that fails says why, and the evaluation ends when all its questions are answered.
///
/// Input: the size of the pieces, then the message. Every key is there, or none, as the first octet says.
#include "support/base64.h"

#include <smtpd/mailauth/arc.h>
#include <smtpd/mailauth/dkim.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;
using namespace smtpd::mailauth;

constexpr std::chrono::sys_seconds now{std::chrono::seconds(1760000000)};

void require(bool holds) {
    if (!holds) std::abort();
}

/// Answers at the second time of asking.
class Zone final : public Lookups {
public:
    explicit Zone(bool has_keys) {
        auto records = std::make_shared<DnsRecords>();
        // The key of RFC 8463 A.
        records->texts.push_back("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        answer_ = has_keys ? DnsAnswer(DnsStatus::found, std::chrono::seconds(60), records)
                           : DnsAnswer(DnsStatus::no_such_name);
    }
    const DnsAnswer& dns(DnsType, std::string_view name) override {
        require(!name.empty() && name.size() <= 253);
        return is_answered ? answer_ : none_;
    }
    bool is_answered = false;

private:
    DnsAnswer answer_, none_;
};

struct Outcome {
    std::vector<DkimSignature> signatures;
    ArcChain chain;
};

Outcome outcome(std::string_view message, std::size_t piece, bool has_keys) {
    MessageReader reader;
    for (std::size_t at = 0; at < message.size(); at += piece) reader.chunk(message.substr(at, piece));
    reader.end();
    require(message.starts_with(reader.header_block()));
    Zone zone(has_keys);
    KeyCache keys;
    auto signatures = verify_dkim(reader, zone, keys, now);
    auto chain = validate_arc(reader, zone, keys, now);
    zone.is_answered = true;
    if (!signatures) signatures = verify_dkim(reader, zone, keys, now);
    if (!chain) chain = validate_arc(reader, zone, keys, now);
    require(signatures && chain);
    return {std::move(*signatures), std::move(*chain)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool has_keys = data[0] % 2 == 0;
    const Outcome whole = outcome(message, message.size() + 1, has_keys);
    const Outcome pieces = outcome(message, 1 + data[0] / 2, has_keys);
    require(whole.signatures.size() == pieces.signatures.size() && whole.chain.result == pieces.chain.result);
    for (std::size_t i = 0; i < whole.signatures.size(); ++i) {
        require(whole.signatures[i].result == pieces.signatures[i].result);
        require(whole.signatures[i].reason == pieces.signatures[i].reason);
        require(whole.signatures[i].passes() == whole.signatures[i].reason.empty());
    }
    require((whole.chain.result == ArcResult::fail) == !whole.chain.reason.empty());
    require(whole.chain.passes() == !whole.chain.sets.empty() &&
            oldest_trusted(whole.chain, [](const auto&) { return true; }) == (whole.chain.passes() ? 1U : 0U));
    for (const auto& result : dkim_results(whole.signatures)) require(!result.to_string().empty());
    return 0;
}
