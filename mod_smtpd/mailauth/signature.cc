/// signature.cc: see signature.h. The checks are in the order of RFC 6376 6.1.1; the first that fails determines the
/// reason.
#include "mailauth/signature.h"

#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

constexpr std::size_t max_time_digits = 12;
constexpr std::size_t max_length_digits = 76;

/// dkim-quoted-printable (RFC 6376 2.11). Text that is not a valid code stays unchanged.
std::string decode_quoted_printable(std::string_view text) {
    const auto digit = [](char c) {
        const char lower = support::to_lower(c);
        return support::is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_fws(text[i])) continue;
        const bool is_code = text[i] == '=' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
                             digit(text[i + 2]) >= 0;
        out += is_code ? static_cast<char>(16 * digit(text[i + 1]) + digit(text[i + 2])) : text[i];
        if (is_code) i += 2;
    }
    return out;
}

std::optional<Canonicalization> form_of(std::string_view word) noexcept {
    if (word == "simple") return Canonicalization::simple;
    if (word == "relaxed") return Canonicalization::relaxed;
    return std::nullopt;
}

/// Whether `domain` is `parent` or below it; both in ASCII and lower case.
bool is_at_or_below(std::string_view domain, std::string_view parent) noexcept {
    if (domain == parent) return true;
    return domain.size() > parent.size() && domain.ends_with(parent) &&
           domain[domain.size() - parent.size() - 1] == '.';
}

std::string_view identity_domain(std::string_view identity) noexcept {
    return identity.substr(identity.rfind('@') + 1);
}

}  // namespace

Signature::Signature(const RawField& source, SignatureKind kind, SignatureState state)
    : field(&source), tags(source.raw.size() > MessageReader::max_signature_size ? std::string_view() : source.body()) {
    if (source.raw.size() > MessageReader::max_signature_size)
        refuse(format_text("field of more than {} octets", MessageReader::max_signature_size), DkimResult::policy);
    else if (!tags.problem().empty()) refuse(tags.problem());
    else read(kind, state);
}

void Signature::read(SignatureKind kind, SignatureState state) {
    domain = tags.value("d").value_or("");
    selector = tags.value("s").value_or("");
    algorithm = tags.value("a").value_or("");
    if (kind == SignatureKind::dkim) identity = decode_quoted_printable(tags.value("i").value_or(""));
    if (identity.empty() && !domain.empty()) identity = "@" + std::string(domain);
    if (read_required(kind) && read_algorithm() && read_forms(kind) && read_names(kind) && read_numbers() &&
        read_octets(state) && kind == SignatureKind::dkim)
        read_identity();
}

bool Signature::read_required(SignatureKind kind) {
    if (kind == SignatureKind::dkim) {
        const auto version = tags.value("v");
        if (!version) return refuse("missing v="), false;
        if (*version != "1") return refuse("v= is not 1"), false;
    }
    for (const std::string_view name : {"a", "b", "bh", "d", "h", "s"})
        if (!tags.find(name)) return refuse(format_text("missing {}=", name)), false;
    if (domain.empty() || selector.empty()) return refuse(domain.empty() ? "d= is empty" : "s= is empty"), false;
    key_name = key_name_of(selector, domain);
    if (!is_key_name(key_name)) return refuse("d= and s= are no domain name"), false;
    if (const auto methods = tags.value("q"); methods && !colon_list_has(*methods, "dns/txt"))
        return refuse("q= has no method that is known"), false;
    return true;
}

bool Signature::read_algorithm() {
    if (algorithm == "rsa-sha256") key_type = KeyType::rsa;
    else if (algorithm == "ed25519-sha256") key_type = KeyType::ed25519;
    else return refuse(algorithm == "rsa-sha1" ? "rsa-sha1 is historic" : "a= is not known"), false;
    return true;
}

bool Signature::read_forms(SignatureKind kind) {
    const auto words = tags.value("c");
    if (!words) {
        // Without c=, ARC-Message-Signature is relaxed/relaxed, as the public test suite expects.
        if (kind == SignatureKind::arc_message) header_form = body_form = Canonicalization::relaxed;
        return true;
    }
    const auto slash = words->find('/');
    const auto header = form_of(words->substr(0, slash));
    const auto body = slash == words->npos ? Canonicalization::simple : form_of(words->substr(slash + 1));
    if (!header || !body) return refuse("c= is not known"), false;
    header_form = *header;
    body_form = *body;
    return true;
}

bool Signature::read_names(SignatureKind kind) {
    std::string_view list = *tags.value("h");
    const bool is_empty = list.empty();
    bool has_from = false, has_seal = false;
    for (bool is_last = is_empty; !is_last;) {
        const auto colon = list.find(':');
        const std::string_view name = trim_fws(list.substr(0, colon));
        if (signed_names.size() == max_signed_names)
            return refuse(format_text("more than {} names in h=", max_signed_names), DkimResult::policy), false;
        if (!name.empty()) signed_names.push_back(name);  // no field has an empty name
        has_from = has_from || support::equals_folded(name, "from");
        has_seal = has_seal || support::equals_folded(name, "arc-seal");
        is_last = colon == list.npos;
        if (!is_last) list.remove_prefix(colon + 1);
    }
    if (!has_from && kind == SignatureKind::dkim) return refuse("From not signed"), false;
    if (kind == SignatureKind::arc_message && has_seal) return refuse("h= has ARC-Seal"), false;
    return true;
}

bool Signature::read_identity() {
    const auto at = identity.rfind('@');
    if (at == identity.npos) return refuse("i= has no domain"), false;
    if (!identity_is_in_domain() && !is_at_or_below(ascii_domain(identity_domain(identity)), ascii_domain(domain)))
        return refuse("i= not under d="), false;
    return true;
}

bool Signature::identity_is_in_domain() const { return is_same_domain(identity_domain(identity), domain); }

bool Signature::read_numbers() {
    const auto read_number = [this](std::string_view name, std::size_t digits, std::optional<std::uint64_t>& to) {
        const auto text = tags.value(name);
        if (!text) return true;
        to = tag_number(*text, digits);
        if (!to) refuse(format_text("{}= is no number", name));
        return to.has_value();
    };
    if (!read_number("l", max_length_digits, body_limit) || !read_number("t", max_time_digits, time) ||
        !read_number("x", max_time_digits, expiry))
        return false;
    if (time && expiry && *expiry <= *time) return refuse("x= not after t="), false;
    return true;
}

bool Signature::read_octets(SignatureState state) {
    const auto read_base64 = [this](std::string_view name, std::string& to) {
        auto octets = tag_octets(*tags.value(name));
        if (!octets || octets->empty()) return refuse(format_text("{}= is not base64", name)), false;
        to = std::move(*octets);
        return true;
    };
    return read_base64("bh", body_hash) && (state == SignatureState::draft || read_base64("b", value));
}

std::string Signature::time_problem(std::chrono::sys_seconds now, std::chrono::seconds skew) const {
    const auto seconds = [](std::chrono::seconds moment) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, moment.count()));
    };
    if (expiry && *expiry < seconds(now.time_since_epoch() - skew)) return "signature has expired (x=)";
    if (time && *time > seconds(now.time_since_epoch() + skew)) return "signature is of the future (t=)";
    return {};
}

std::string key_name_of(std::string_view selector, std::string_view domain) {
    std::string name = ascii_domain(selector) + "._domainkey.";
    return name += ascii_domain(domain);
}

bool is_key_name(std::string_view name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || c == '-' || c == '_' || c == '.';
    });
    return is_plain && DnsQuestion::make(DnsType::txt, name);
}

Sha256 header_hash(const HeaderBlock& block, const Signature& signature) {
    std::string octets;
    octets.reserve(4096);
    FieldPicker picker(block);
    picker.leave_out(*signature.field);
    for (const std::string_view name : signature.signed_names)
        if (const RawField* const field = picker.next(name))
            append_canonical(octets, field->raw, signature.header_form);
    const std::string_view raw = signature.field->raw;
    const std::string_view cut = signature.tags.find("b")->raw_value;
    append_canonical_signature(octets, raw, static_cast<std::size_t>(cut.data() - raw.data()), cut.size(),
                               signature.header_form);
    return sha256(octets);
}

}  // namespace smtpd::mailauth
