/// smtpd_dkim_keygen.cc: the command smtpd-dkim-keygen, which makes keys for the plugins dkim and arc, and their DNS
/// records. See its manual page, docs/smtpd-dkim-keygen.1.
#include "mailauth/signature.h"
#include "support/strings.h"
#include "tools/command.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/private_key.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::tools {

const char program[] = "smtpd-dkim-keygen";

namespace {

using mailauth::PrivateKey;

constexpr const char* usage =
    "usage: smtpd-dkim-keygen [OPTION]... DOMAIN\n"
    "       smtpd-dkim-keygen --version | --help\n"
    "\n"
    "Makes the files of DIRECTORY/DOMAIN from which the plugins dkim and arc read keys, and prints the records for the "
    "DNS.\n"
    "\n"
    "  -d, --directory DIRECTORY  where the folder of the domain is made (.)\n"
    "  -s, --selector NAME        the selector (month and year, as nov2026)\n"
    "  -b, --bits NUMBER          the size of the RSA key (2048)\n"
    "  -e, --ed25519              a key of Ed25519 as well; an RSA key that is there stays\n"
    "  -f, --force                replace keys that are there\n"
    "\n"
    "Exit status: 0 if the files were made, 2 if not.\n";

struct Wishes {
    std::string domain;
    std::string directory = ".";
    std::string selector;
    unsigned bits = 2048;
    bool wants_ed25519 = false;
    bool may_replace = false;
};

/// The month and year as a selector: "nov2026".
std::string selector_of_month() {
    constexpr std::string_view months = "janfebmaraprmayjunjulaugsepoctnovdec";
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    return format_text("{}{}", months.substr(3 * static_cast<std::size_t>(parts.tm_mon), 3), 1900 + parts.tm_year);
}

/// Parses the arguments of the command.
Result<Wishes> read_words(const std::vector<std::string>& words) {
    Wishes wishes;
    const auto mistake = [](std::string what) { return Error{ErrorCode::config, std::move(what)}; };
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        const auto is = [&](std::string_view brief, std::string_view full) { return word == brief || word == full; };
        const bool has_value = is("-d", "--directory") || is("-s", "--selector") || is("-b", "--bits");
        if (has_value && i + 1 == words.size()) return mistake(format_text("{} needs a value", word));
        if (is("-d", "--directory")) wishes.directory = words[++i];
        else if (is("-s", "--selector")) wishes.selector = words[++i];
        else if (is("-b", "--bits"))
            wishes.bits = static_cast<unsigned>(
                std::min<std::uint64_t>(support::parse_unsigned(words[++i]).value_or(0), 100000));
        else if (is("-e", "--ed25519")) wishes.wants_ed25519 = true;
        else if (is("-f", "--force")) wishes.may_replace = true;
        else if (word.starts_with('-'))
            return mistake(format_text("unknown option \"{}\"; --help lists them", quoted(word)));
        else if (!wishes.domain.empty()) return mistake(format_text("unexpected argument \"{}\"", quoted(word)));
        else wishes.domain = ascii_domain(word);
    }
    if (wishes.selector.empty()) wishes.selector = selector_of_month();
    if (wishes.domain.empty()) return mistake("the domain is missing; --help shows a call");
    if (wishes.domain.find('.') == std::string::npos)
        return mistake(format_text("\"{}\" is no domain that has mail: it has no dot", quoted(wishes.domain)));
    if (!mailauth::is_key_name(mailauth::key_name_of(wishes.selector, wishes.domain)))
        return mistake(format_text("\"{}\" and \"{}\" are not a selector and a domain", quoted(wishes.selector),
                                   quoted(wishes.domain)));
    return wishes;
}

Result<void> write_file(const std::string& path, std::string_view content, mode_t mode, bool may_replace) {
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());
    const FileDescriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file) return os_error("cannot write " + fresh, errno);
    if (auto written = write_all(file.get(), content); !written) return written;
    // link() fails if the file exists, rename() replaces it.
    const int status = may_replace ? ::rename(fresh.c_str(), path.c_str()) : ::link(fresh.c_str(), path.c_str());
    const int problem = status == 0 ? 0 : errno;
    if (!may_replace) ::unlink(fresh.c_str());
    if (problem == EEXIST) return Error{ErrorCode::io, format_text("{} is there already; -f replaces it", path)};
    if (problem != 0) return os_error("cannot write " + path, problem);
    return {};
}

std::string record_of(const PrivateKey& key) {
    return format_text("v=DKIM1; {}p={}", key.is_rsa() ? "h=sha256; k=rsa; " : "k=ed25519; ", key.public_text());
}

/// A TXT record in zone file format, with strings of at most 255 octets.
std::string zone_text(const std::string& name, const std::string& record) {
    constexpr std::size_t longest = 255;
    std::string text = format_text("{} IN TXT", name);
    if (record.size() <= longest) return format_text("{} \"{}\"\n", text, record);
    text += " (";
    for (std::size_t at = 0; at < record.size(); at += longest)
        text += format_text("\n\t\"{}\"", record.substr(at, longest));
    return text + " )\n";
}

/// The DNS record of one key, in two formats.
std::string dns_text(const std::string& selector, const std::string& domain, const PrivateKey& key) {
    const std::string name = format_text("{}._domainkey.{}.", selector, domain);
    return format_text("; {}, {} bits\n{}; in one line, for web forms:\n;   name   {}._domainkey\n;   value  {}\n\n",
                       key.algorithm(), key.bits(), zone_text(name, record_of(key)), selector, record_of(key));
}

std::string suggestions(const std::string& domain) {
    return format_text(
        "; Suggestions, if the domain has no such records yet. SPF: list what else sends mail for it. DMARC: read the\n"
        "; reports for some weeks before p=quarantine or p=reject.\n"
        "{}. IN TXT \"v=spf1 mx -all\"\n"
        "_dmarc.{}. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@{}\"\n",
        domain, domain, domain);
}

/// Makes the files `private` and `selector` with this suffix, and adds the record to `dns`.
Result<void> make_key(const Wishes& wishes, const std::string& folder, const std::string& suffix,
                      const Result<PrivateKey>& key, std::string& dns) {
    if (!key) return key.error();
    const std::string selector = wishes.selector + suffix;
    if (auto written = write_file(folder + "/private" + suffix, key->pem(), 0400, wishes.may_replace); !written)
        return written;
    if (auto written = write_file(folder + "/selector" + suffix, selector + "\n", 0644, true); !written) return written;
    dns += dns_text(selector, wishes.domain, *key);
    return {};
}

/// Adds the record of the existing key with this suffix to `dns`.
Result<void> show_key(const Wishes& wishes, const std::string& folder, const std::string& suffix, std::string& dns) {
    constexpr std::size_t largest = 64 * 1024;
    const auto pem = read_file(folder + "/private" + suffix, largest);
    if (!pem) return pem.error();
    const auto selector = read_file(folder + "/selector" + suffix, largest);
    if (!selector) return selector.error();
    const auto key = PrivateKey::parse(*pem);
    if (!key) return key.error();
    dns += dns_text(std::string(support::trim(*selector)), wishes.domain, *key);
    return {};
}

/// Makes the files; returns the text for the DNS. With -e, a key that exists stays, and the other one is added.
Result<std::string> make_keys(const Wishes& wishes, const std::string& folder) {
    std::string dns;
    const auto provide = [&](const std::string& suffix, const auto& generate) {
        const bool stays = wishes.wants_ed25519 && !wishes.may_replace &&
                           ::access((folder + "/private" + suffix).c_str(), F_OK) == 0;
        return stays ? show_key(wishes, folder, suffix, dns) : make_key(wishes, folder, suffix, generate(), dns);
    };
    if (auto made = provide("", [&] { return PrivateKey::generate_rsa(wishes.bits); }); !made) return made.error();
    if (wishes.wants_ed25519)
        if (auto made = provide("-ed25519", PrivateKey::generate_ed25519); !made) return made.error();
    dns += suggestions(wishes.domain);
    if (auto written = write_file(folder + "/dns", dns, 0644, true); !written) return written.error();
    return dns;
}

int run(const std::vector<std::string>& words) {
    const auto wishes = read_words(words);
    if (!wishes) return complain(wishes.error().what);
    const std::string folder = format_text("{}/{}", wishes->directory, wishes->domain);
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)
        return complain(os_error("cannot make " + folder, errno).what);
    const auto dns = make_keys(*wishes, folder);
    if (!dns) return complain(dns.error().what);
    say(dns->substr(0, dns->size() - 1));
    return good;
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    return smtpd::tools::run_command(argc, argv, smtpd::tools::usage, smtpd::tools::run);
}
