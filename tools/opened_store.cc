/// opened_store.cc: opens the store for a command.
#include "tools/opened_store.h"

#include "store/address.h"
#include "store/spaces.h"
#include "support/strings.h"
#include "tools/command.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <filesystem>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::tools {

Result<void> become_owner(const std::string& path) {
    if (::geteuid() != 0) return {};
    struct stat about {};
    const std::string folder = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    if (::stat(path.c_str(), &about) != 0 && ::stat(folder.c_str(), &about) != 0)
        return os_error("cannot use " + folder, errno);
    if (about.st_uid == 0) return {};
    if (::setgroups(0, nullptr) != 0 || ::setgid(about.st_gid) != 0 || ::setuid(about.st_uid) != 0)
        return os_error(format_text("cannot become the owner of {}", path), errno);
    return {};
}

std::vector<std::string> default_store() { return {"file:" SMTPD_STATE_DIR "/store"}; }

bool take_store_option(std::vector<std::string>& words, std::vector<std::string>& store) {
    if (words.size() < 2 || words[0] != "-s") return false;
    store.clear();
    for (const auto word : support::split_words(words[1])) store.emplace_back(word);
    words.erase(words.begin(), words.begin() + 2);
    return true;
}

void OpenedStore::Events::damaged(const std::string& what) noexcept { complain(what); }

Result<std::unique_ptr<OpenedStore>> OpenedStore::open(const std::vector<std::string>& words) {
    const auto address = store::Address::parse(
        words, [](std::string_view path) { return std::filesystem::absolute(path).string(); });
    if (!address) return address.error();
    if (address->kind == store::Address::Kind::memory)
        return Error{ErrorCode::config, "only the server can see a store in memory", 0};
    if (address->kind == store::Address::Kind::file)
        if (const auto done = become_owner(address->path); !done) return done.error();
    return std::unique_ptr<OpenedStore>(new OpenedStore(*address));
}

OpenedStore::OpenedStore(const store::Address& address)
    : address_(address), backends_(clock_, events_), stores_(backends_, {{{}, address, {}}}) {}

Result<StoreSpace*> OpenedStore::space(std::string_view name) {
    auto found = stores_.space(name);
    if (!found) return found.error();
    backends_.start();
    return static_cast<StoreSpace*>(*found);
}

Result<std::vector<store::SpaceSize>> OpenedStore::list_spaces() const {
    return store::list_spaces(address_, clock_, std::chrono::steady_clock::now() + std::chrono::seconds(30));
}

}  // namespace smtpd::tools
