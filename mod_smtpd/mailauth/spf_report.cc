/// spf_report.cc: writes results of SPF into header fields.
#include <smtpd/mailauth/spf.h>

#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

constexpr std::size_t max_value = 400;  ///< octets; the line fits even with a backslash before each octet

/// Printable ASCII, with a backslash before each of `specials`.
std::string escaped(std::string_view text, std::string_view specials) {
    std::string out;
    for (const char c : text.substr(0, max_value)) {
        if (specials.find(c) != specials.npos) out += '\\';
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out;
}

/// RFC 5322 3.2.3.
bool is_dot_atom(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-/=?^_`{|}~.";
    return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == text.npos &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return support::is_alpha(c) || support::is_digit(c) || others.find(c) != others.npos;
           });
}

/// RFC 7208 9.1: a dot-atom stays as it is, other text is quoted.
std::string value(std::string_view text) {
    if (text.size() <= max_value && is_dot_atom(text)) return std::string(text);
    return "\"" + escaped(text, "\"\\") + "\"";
}

std::string identity_of(const SpfRequest& request) {
    return request.identity == SpfIdentity::helo ? request.domain : request.local_part + "@" + request.domain;
}

/// A comment for human readers, in the words of the examples of RFC 7208 9.1.
std::string comment_of(const SpfRequest& request, const SpfOutcome& outcome) {
    const std::string of = request.identity == SpfIdentity::helo ? request.domain : "domain of " + identity_of(request);
    const std::string client = request.client.to_string();
    switch (outcome.result) {
        case SpfResult::pass: return format_text("{} designates {} as permitted sender", of, client);
        case SpfResult::fail: return format_text("{} does not designate {} as permitted sender", of, client);
        case SpfResult::softfail:
            return format_text("{} does probably not designate {} as permitted sender", of, client);
        case SpfResult::neutral: return format_text("{} says nothing about {}", of, client);
        case SpfResult::none: return format_text("{} has no record that could be checked", of);
        case SpfResult::temperror: return format_text("the DNS gave no answer about {}", of);
        case SpfResult::permerror: return format_text("the record of {} is wrong", of);
    }
    return {};
}

}  // namespace

std::string received_spf(const SpfRequest& request, const SpfOutcome& outcome, std::string_view receiver) {
    const bool is_helo = request.identity == SpfIdentity::helo;
    std::string text = format_text("{} ({}{}{})", spf_result_name(outcome.result), escaped(receiver, "()\\"),
                                   receiver.empty() ? "" : ": ", escaped(comment_of(request, outcome), "()\\"));
    const auto add = [&text](std::string_view key, std::string_view of, char before = ';') {
        if (of.empty()) return;
        if (before == ';') text += ';';
        text.append("\n\t").append(key).append("=").append(value(of));
    };
    add("client-ip", request.client.to_string(), ' ');
    add("helo", request.helo);
    if (!is_helo) add("envelope-from", request.is_null_sender ? "<>" : identity_of(request));
    add("identity", is_helo ? "helo" : "mailfrom");
    add("receiver", receiver);
    add("mechanism", outcome.mechanism);
    if (outcome.result == SpfResult::temperror || outcome.result == SpfResult::permerror)
        add("problem", outcome.problem);
    return text;
}

AuthenticationResult spf_authentication_result(const SpfRequest& request, const SpfOutcome& outcome) {
    const bool is_helo = request.identity == SpfIdentity::helo;
    const bool is_trouble = outcome.result == SpfResult::temperror || outcome.result == SpfResult::permerror;
    return {.method = "spf",
            .result = std::string(spf_result_name(outcome.result)),
            .reason = is_trouble ? outcome.problem : std::string(),
            .properties = {{"smtp", is_helo ? "helo" : "mailfrom", request.domain}}};
}

}  // namespace smtpd::mailauth
