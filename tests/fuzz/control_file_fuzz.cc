/// control_file_fuzz.cc: arbitrary octets as a control file, read in every form: lines, addresses, networks, domains,
/// cdb. Accepted content must be consistent: lines are trimmed and have their places, a lookup finds a listed entry,
/// and no read is outside of a cdb.
///
/// The file is a memfd, named by its /proc path. The target skips an input with an $include of an absolute path,
/// because the result depends on the machine.
#include "support/config_file.h"

#include "support/strings.h"

#include <smtpd/base/address.h>
#include <smtpd/control.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace {

using smtpd::ControlText;

void require(bool holds) {
    if (!holds) std::abort();
}

/// One file in memory for all runs.
const std::string& write_file(std::string_view content) {
    static const int descriptor = memfd_create("control", MFD_CLOEXEC);
    static const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
    require(ftruncate(descriptor, 0) == 0);
    require(pwrite(descriptor, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()));
    return path;
}

void check_lines(const ControlText& text, const std::string& path) {
    unsigned last = 0;
    for (const auto& line : text) {
        require(!line.text.empty() && line.text.front() != '#' && line.text.find('\n') == std::string::npos);
        require(smtpd::support::trim(line.text) == line.text);
        require(line.file == path && line.number > last);
        last = line.number;
        const auto [first, rest] = line.split();
        require(!first.empty() && line.text.starts_with(first) && line.text.ends_with(rest));
        require(line.words().front() == first);
    }
}

void check_lists(const ControlText& text) {
    if (const auto addresses = smtpd::AddressPatterns::parse(text)) {
        require(addresses->size() == text.size());
        for (const auto& line : text)
            if (const auto address = smtpd::Address::parse(line.split().first)) {
                const auto* found = addresses->find(*address);
                require(found == nullptr || !found->pattern.empty());
            }
    }
    if (const auto networks = smtpd::NetworkList::parse(text)) {
        require(networks->size() == text.size());
        for (const auto& line : text)
            require(networks->find(smtpd::NetworkList::parse_entry(line.split().first)->address()) != nullptr);
    }
    if (const auto domains = smtpd::DomainList::parse(text)) {
        for (const auto& line : text) {
            const bool is_suffix = line.text.front() == '.';
            require(domains->contains((is_suffix ? "x" : "") + line.text));
        }
    }
}

void check_cdb(const std::string& path, std::string_view content) {
    const auto cdb = smtpd::Cdb::open(path);
    if (!cdb) return;
    const std::string keys[] = {"", "a", "example.com", std::string(content.substr(content.size() / 2, 8))};
    for (const auto& key : keys)
        if (const auto value = cdb->find(key)) require(std::string(*value).size() <= content.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    for (auto at = content.find("$include"); at != std::string_view::npos; at = content.find("$include", at + 1))
        if (smtpd::support::trim(content.substr(at + 8)).starts_with('/')) return 0;
    const std::string& path = write_file(content);

    // "self" includes the file itself, which must be found out; nothing else exists.
    const auto file = smtpd::support::read_config_file(
        path, [&](std::string_view name) { return name == "self" ? std::optional(path) : std::nullopt; });
    require(!file.files.empty());
    if (file.text) {
        check_lines(*file.text, path);
        check_lists(*file.text);
    } else {
        require(!file.text.error().what.empty());
    }
    check_cdb(path, content);
    return 0;
}
