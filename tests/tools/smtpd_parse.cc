/// smtpd_parse.cc: shows what the server's parsers make of one line, for scripts and for experiments.
///
///     smtpd-parse address|path|command [--smtputf8] [--strict]
///
/// Reads one line from standard input (the whole input; it removes a CRLF or LF at the very end, any other belongs to
/// the line) and prints one JSON object. `address` is `local@domain` as in a control file; `path` is `<…>` as in MAIL
/// and RCPT, `<>` and `<postmaster>` allowed; `command` is a command line; for MAIL and RCPT the output has its path
/// and parameters, or the reply that rejects them. Strings are UTF-8; other octets become \u00XX. Exit status: 0 valid,
/// 1 not valid, 2 wrong call.
#include "smtp/command.h"
#include "smtp/path_argument.h"
#include "smtp/utf8.h"

#include <smtpd/base/address.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;

std::string quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const auto c = smtp::first_code_point(text);
        const auto octet = static_cast<unsigned char>(text.front());
        if (c.length == 0 || octet < ' ' || octet == 0x7f) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(octet));
            out += escape;
        } else {
            if (c.length == 1 && (octet == '"' || octet == '\\')) out += '\\';
            out += text.substr(0, c.length);
        }
        text.remove_prefix(c.length == 0 ? 1 : c.length);
    }
    return out + '"';
}

/// One JSON object, written member by member.
class Object {
public:
    Object& text(std::string_view name, std::string_view value) { return raw(name, quoted(value)); }
    Object& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    Object& raw(std::string_view name, std::string_view value) {
        out_ += (out_.size() > 1 ? ", " : "") + quoted(name) + ": ";
        out_ += value;
        return *this;
    }
    std::string str() const { return out_ + "}"; }

private:
    std::string out_ = "{";
};

void add_address(Object& object, const std::optional<Address>& address, std::string_view why) {
    object.flag("valid", address.has_value());
    if (!address) {
        object.text("why", why);
        return;
    }
    const auto ip = address->literal_ip();
    object.text("local_part", address->local_part())
        .text("domain", address->domain())
        .text("domain_key", address->domain_key())
        .text("address", address->to_string())
        .text("key", address->key())
        .text("path", address->path())
        .flag("null", address->is_null())
        .flag("has_domain", address->has_domain())
        .flag("ascii", address->is_ascii())
        .flag("address_literal", address->is_address_literal())
        .raw("literal_ip", ip ? quoted(ip->to_string()) : "null");
}

bool show_address(Object& object, std::string_view line, const AddressSyntax& syntax) {
    std::string why;
    const auto address = Address::parse(line, syntax, &why);
    add_address(object, address, why);
    return address.has_value();
}

AddressSyntax for_path(AddressSyntax syntax, bool allow_null, bool allow_postmaster) {
    syntax.allow_null = allow_null;
    syntax.allow_postmaster = allow_postmaster;
    return syntax;
}

bool show_path(Object& object, std::string_view line, const AddressSyntax& syntax) {
    std::string why;
    const auto address = Address::parse_path(line, for_path(syntax, true, true), &why);
    add_address(object, address, why);
    return address.has_value();
}

void add_reply(Object& object, const Reply& reply) {
    Object shown;
    shown.raw("code", std::to_string(reply.code)).text("enhanced", reply.enhanced.to_string()).text("text", reply.text);
    object.raw("reply", shown.str());
}

std::string parameters_json(const Parameters& parameters) {
    std::string out;
    for (const auto& parameter : parameters) {
        Object shown;
        shown.text("keyword", parameter.keyword).raw("value", parameter.value ? quoted(*parameter.value) : "null");
        out += (out.empty() ? "" : ", ") + shown.str();
    }
    return "[" + out + "]";
}

/// The argument of MAIL or RCPT, and its address or the reply that rejects it.
bool add_path_argument(Object& object, const smtp::Command& command, const AddressSyntax& syntax) {
    const bool mail = command.verb == smtp::Verb::mail;
    const auto parsed = mail ? smtp::parse_mail(command.rest, syntax.smtputf8)
                             : smtp::parse_rcpt(command.rest, syntax.smtputf8);
    if (const auto* reply = std::get_if<Reply>(&parsed)) {
        object.flag("valid", false);
        add_reply(object, *reply);
        return false;
    }
    const auto& argument = std::get<smtp::PathArgument>(parsed);
    std::string why;
    const auto address = Address::parse_path(argument.path, for_path(syntax, mail, !mail), &why);
    object.flag("valid", address.has_value())
        .text("path", argument.path)
        .flag("bracketed", argument.bracketed)
        .raw("parameters", parameters_json(argument.parameters));
    Object shown;
    add_address(shown, address, why);
    object.raw("address", shown.str());
    if (!address) add_reply(object, mail ? smtp::bad_sender_reply(why) : smtp::bad_recipient_reply(why));
    return address.has_value();
}

bool show_command(Object& object, std::string_view line, const AddressSyntax& syntax) {
    const auto command = smtp::parse_command(line);
    object.raw("verb", command.verb == smtp::Verb::unknown ? "null" : quoted(smtp::verb_name(command.verb)))
        .text("verb_text", command.verb_text)
        .text("rest", command.rest);
    switch (command.verb) {
        case smtp::Verb::mail:
        case smtp::Verb::rcpt: return add_path_argument(object, command, syntax);
        case smtp::Verb::helo:
        case smtp::Verb::ehlo:
        case smtp::Verb::lhlo: {
            const auto host = smtp::host_argument(command.rest);
            object.flag("valid", host.has_value()).raw("host", host ? quoted(*host) : "null");
            return host.has_value();
        }
        default: object.flag("valid", command.verb != smtp::Verb::unknown); return command.verb != smtp::Verb::unknown;
    }
}

int usage(const char* program) {
    std::cerr << "usage: " << program
              << " address|path|command [--smtputf8] [--strict]   (one line on standard input)\n";
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    std::string_view what;
    AddressSyntax syntax;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--smtputf8") syntax.smtputf8 = true;
        else if (argument == "--strict") syntax.strict = true;
        else if (what.empty() && !argument.empty() && argument.front() != '-') what = argument;
        else return usage(argv[0]);
    }
    const auto show = what == "address"   ? show_address
                      : what == "path"    ? show_path
                      : what == "command" ? show_command
                                          : nullptr;
    if (show == nullptr) return usage(argv[0]);

    std::string line{std::istreambuf_iterator<char>(std::cin), {}};
    if (line.ends_with("\r\n")) line.resize(line.size() - 2);
    else if (line.ends_with('\n')) line.pop_back();
    Object object;
    object.text("input", line);
    const bool valid = show(object, line, syntax);
    std::cout << object.str() << std::endl;
    return valid ? 0 : 1;
}
