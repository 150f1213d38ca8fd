/// message_reader.cc: finds the end of the header block, selects the signatures to verify, and passes the body to the
/// hashers that they need.
#include <smtpd/mailauth/message_reader.h>

#include "mailauth/message_state.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>

#include <algorithm>
#include <cstring>

namespace smtpd::mailauth {
namespace {

/// The d= of a signature, without a full parse.
std::string domain_of(const RawField& field) {
    if (field.raw.size() > MessageReader::max_signature_size) return {};
    return ascii_domain(TagList(field.body()).value("d").value_or(""));
}

/// Whether the domains are equal, or one is below the other.
bool are_related(std::string_view a, std::string_view b) noexcept {
    if (a.size() < b.size()) std::swap(a, b);
    if (b.empty() || !a.ends_with(b)) return false;
    return a.size() == b.size() || a[a.size() - b.size() - 1] == '.';
}

}  // namespace

void MessageReader::State::take(std::string_view octets) {
    if (place_ != Place::body) octets = take_header(octets);
    if (octets.empty()) return;
    for (auto& hasher : hashers) hasher.update(octets);
}

/// Takes the octets that belong to the header block; returns the rest.
std::string_view MessageReader::State::take_header(std::string_view octets) {
    std::size_t at = 0;
    while (at < octets.size()) {
        if (place_ == Place::inside_line) {
            const auto end = octets.find('\n', at);
            if (end == octets.npos) break;
            at = end + 1;
            place_ = Place::line_start;
            continue;
        }
        const char c = octets[at++];
        if (c == '\n') {
            const bool has_cr = place_ == Place::after_cr;
            keep(octets.substr(0, at - 1));
            if (has_cr && !header.empty() && !header_is_too_large) header.pop_back();
            header_ends();
            return octets.substr(at);
        }
        place_ = c == '\r' && place_ == Place::line_start ? Place::after_cr : Place::inside_line;
    }
    keep(octets);
    return {};
}

void MessageReader::State::keep(std::string_view octets) {
    if (header_is_too_large) return;
    header_is_too_large = octets.size() > max_header_size - header.size();
    header += octets.substr(0, max_header_size - header.size());
    if (!header_is_too_large) return;
    header.resize(header.rfind('\n') + 1);  // the last line is incomplete
}

void MessageReader::State::header_ends() {
    place_ = Place::body;
    block = HeaderBlock(header);
    read_signatures();
}

void MessageReader::State::end() {
    if (place_ != Place::body) header_ends();
    for (auto& hasher : hashers) hasher.finish();
    is_complete = true;
}

/// The domain of From, only to order the signatures: the text after the last @ of the last address.
std::string MessageReader::State::author_domain() const {
    const auto& fields = block.fields();
    const auto from = std::find_if(fields.begin(), fields.end(),
                                   [](const auto& field) { return field.is_called("from"); });
    if (from == fields.end()) return {};
    std::string_view text = from->body();
    if (const auto bracket = text.rfind('<'); bracket != text.npos) text = text.substr(bracket + 1);
    text = text.substr(text.rfind('@') + 1);
    text = text.substr(0, std::min(text.find_first_of(">,; \t\r\n("), text.size()));
    return ascii_domain(text);
}

void MessageReader::State::read_signatures() {
    for (const auto& field : block.fields())
        if (field.is_called("dkim-signature")) signature_fields.push_back(&field);
    std::vector<bool> is_chosen(signature_fields.size(), signature_fields.size() <= max_signatures);
    if (signature_fields.size() > max_signatures) {
        const std::string author = author_domain();
        std::size_t left = max_signatures;
        for (const bool wants_related : {true, false})
            for (std::size_t i = 0; i < is_chosen.size() && left > 0; ++i) {
                if (is_chosen[i] || are_related(domain_of(*signature_fields[i]), author) != wants_related) continue;
                is_chosen[i] = true;
                --left;
            }
    }
    signatures.reserve(signature_fields.size());
    for (std::size_t i = 0; i < signature_fields.size(); ++i) {
        auto& signature = signatures.emplace_back();
        if (!is_chosen[i]) continue;
        signature.emplace(*signature_fields[i], SignatureKind::dkim);
        if (signature->is_possible()) want_hash(signature->body_form, signature->body_limit);
    }
    arc = ArcSets(block);
    if (!arc.problem().empty()) return;
    // The newest set decides about the chain. The other sets only determine oldest_pass.
    for (auto set = arc.sets().rbegin(); set != arc.sets().rend(); ++set)
        if (const auto& signature = *set->message_signature; signature.is_possible())
            want_hash(signature.body_form, signature.body_limit);
}

const BodyHasher* MessageReader::State::find_hash(Canonicalization form,
                                                  std::optional<std::uint64_t> limit) const noexcept {
    const auto found = std::find_if(hashers.begin(), hashers.end(), [&](const BodyHasher& hasher) {
        return hasher.canonicalization() == form && hasher.limit() == limit;
    });
    return found == hashers.end() ? nullptr : &*found;
}

void MessageReader::State::want_hash(Canonicalization form, std::optional<std::uint64_t> limit) {
    if (!find_hash(form, limit) && hashers.size() < max_body_hashes) hashers.emplace_back(form, limit);
}

MessageReader::MessageReader() : state_(std::make_unique<State>()) {}
MessageReader::~MessageReader() = default;

void MessageReader::chunk(std::string_view octets) { state_->take(octets); }
void MessageReader::end() { state_->end(); }
void MessageReader::hash_body(Canonicalization canonicalization, std::optional<std::uint64_t> limit) {
    state_->want_hash(canonicalization, limit);
}
bool MessageReader::is_complete() const noexcept { return state_->is_complete; }
const std::string& MessageReader::header_block() const noexcept { return state_->header; }
const BodyHasher* MessageReader::body_hash(Canonicalization canonicalization,
                                           std::optional<std::uint64_t> limit) const noexcept {
    return state_->is_complete ? state_->find_hash(canonicalization, limit) : nullptr;
}

}  // namespace smtpd::mailauth
