/// smtpd_store.cc: the command smtpd-store, which shows and removes entries of the store, and imports the state of
/// qpsmtpd. See its man page, docs/smtpd-store.1.
#include "store/qpsmtpd_state.h"
#include "tools/command.h"
#include "tools/dbm_file.h"
#include "tools/opened_store.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

const char program[] = "smtpd-store";

namespace {

constexpr const char* usage =
    "usage: smtpd-store [-s \"ADDRESS [OPTION=VALUE]...\"] COMMAND\n"
    "       smtpd-store --version | --help\n"
    "\n"
    "  namespaces                                  lists the namespaces, with the number of their entries\n"
    "  list NAMESPACE [PREFIX]                     lists keys, values, and the seconds until they expire\n"
    "  get NAMESPACE KEY                           prints a value\n"
    "  remove NAMESPACE KEY...                     removes entries\n"
    "  import-karma FILE                           imports qpsmtpd's karma.dbm\n"
    "  import-greylist [--second=recipient] FILE   imports qpsmtpd's greylist.dbm\n"
    "\n"
    "ADDRESS is written as in SmtpStore: file:PATH, redis:HOST:PORT/DATABASE or redis:PATH. Default: "
    "file:" SMTPD_STATE_DIR "/store\n";

/// Keys and values as text: unprintable bytes and "%" become %XX, which get and remove accept.
std::string shown(std::string_view octets) {
    const auto is_plain = [](char c) { return c >= ' ' && c < 0x7f && c != '%'; };
    std::string out;
    for (const char c : octets)
        out += is_plain(c) ? std::string(1, c)
                           : format_text("%{}{}", "0123456789ABCDEF"[(c >> 4) & 15], "0123456789ABCDEF"[c & 15]);
    return out;
}

int list(StoreSpace& space, std::string_view prefix) {
    const Store<> store(space);
    std::string from;
    do {
        const auto page = store.list(prefix, 500, from);
        if (!page) return complain(page.error().what);
        for (const auto& entry : page->entries)
            say(format_text("{}\t{}\t{}", shown(entry.key), shown(entry.value),
                            std::chrono::ceil<std::chrono::seconds>(entry.left).count()));
        from = page->next;
    } while (!from.empty());
    return good;
}

int get(StoreSpace& space, const std::string& key) {
    const auto value = Store<>(space).get(key);
    if (!value) return complain(value.error().what);
    if (!*value) return complain(format_text("there is no entry \"{}\"", shown(key)), not_all);
    say(shown(**value));
    return good;
}

int remove(StoreSpace& space, const std::vector<std::string>& keys) {
    int status = good;
    for (const auto& key : keys) {
        const auto removed = Store<>(space).remove(key);
        if (!removed) return complain(removed.error().what);
        if (!*removed) status = complain(format_text("there is no entry \"{}\"", shown(key)), not_all);
    }
    return status;
}

/// Adds only missing entries, so an import can be repeated, and never overwrites what the server has learnt since.
template <class Record, class Read>
int import_entries(StoreSpace& space, const DbmEntries& entries, Read read) {
    const Store<Record> store(space);
    std::size_t imported = 0, known = 0, expired = 0, wrong = 0;
    for (const auto& [key, value] : entries) {
        const auto entry = read(key, value);
        if (!entry) {
            complain(entry.error().what);
            ++wrong;
        } else if (entry->lifetime.count() <= 0) {
            ++expired;
        } else {
            const auto kept = store.put_if_absent(entry->key, entry->record, entry->lifetime);
            if (!kept) return complain(kept.error().what);
            ++(kept->is_new ? imported : known);
        }
    }
    say(format_text("{} imported, {} already there, {} expired, {} not understood", imported, known, expired, wrong));
    return wrong == 0 ? good : not_all;
}

struct Call {
    std::vector<std::string> store = default_store();
    std::string command;
    std::vector<std::string> words;
    store::SecondPart second = store::SecondPart::sender;
};

constexpr Form forms[] = {
    {"namespaces", "", 0, 0},       {"list", "NAMESPACE [PREFIX]", 1, 2},
    {"get", "NAMESPACE KEY", 2, 2}, {"remove", "NAMESPACE KEY...", 2, any_number},
    {"import-karma", "FILE", 1, 1}, {"import-greylist", "[--second=sender|recipient] FILE", 1, 1}};

/// The mistake in the call; "" if the call is right.
std::string read_call(std::vector<std::string> words, Call& call) {
    (void)take_store_option(words, call.store);
    if (words.empty()) return "a command is missing; --help lists the commands";
    call.command = words.front();
    words.erase(words.begin());
    if (call.command == "import-greylist" && !words.empty() && words.front().starts_with("--second=")) {
        if (words.front() != "--second=sender" && words.front() != "--second=recipient")
            return format_text("\"{}\" must be --second=sender or --second=recipient", quoted(words.front()));
        if (words.front() == "--second=recipient") call.second = store::SecondPart::recipient;
        words.erase(words.begin());
    }
    call.words = words;
    return mistake_in(forms, call.command, call.words);
}

int list_namespaces(const OpenedStore& opened) {
    const auto spaces = opened.list_spaces();
    if (!spaces) return complain(spaces.error().what);
    for (const auto& space : *spaces) say(format_text("{}\t{}", shown(space.name), space.entries));
    return good;
}

/// Keys as `list` prints them.
Result<std::vector<std::string>> keys_of(const Call& call) {
    std::vector<std::string> keys;
    for (std::size_t i = 1; i < call.words.size(); ++i)
        if (!detail::unescape_field(call.words[i], keys.emplace_back()))
            return Error{
                ErrorCode::config,
                format_text("\"{}\" is not a key: a \"%\" needs two hexadecimal digits after it", call.words[i]), 0};
    return keys;
}

int run(const Call& call) {
    const auto keys = keys_of(call);
    const bool is_import = call.command.starts_with("import-");
    const auto entries = is_import ? read_dbm(call.words.front()) : DbmEntries();  // as root, if need be
    if (!entries) return complain(entries.error().what);
    if (!keys) return complain(keys.error().what);
    const auto opened = OpenedStore::open(call.store);
    if (!opened) return complain(opened.error().what);
    if (call.command == "namespaces") return list_namespaces(**opened);
    const std::string name = call.command == "import-karma" ? karma_space
                             : is_import                    ? greylist_space
                                                            : call.words.front();
    const auto space = (*opened)->space(name);
    if (!space) return complain(space.error().what);
    if (call.command == "list") return list(**space, keys->empty() ? std::string() : keys->front());
    if (call.command == "get") return get(**space, keys->front());
    if (call.command == "remove") return remove(**space, *keys);
    if (call.command == "import-karma") return import_entries<KarmaRecord>(**space, *entries, store::read_karma);
    return import_entries<GreylistRecord>(**space, *entries, [&](std::string_view key, std::string_view value) {
        return store::read_greylist(key, value, call.second, (*opened)->clock().wall());
    });
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    using namespace smtpd::tools;
    return run_command(argc, argv, usage + ("Formats of import: " + dbm_formats() + "\n"),
                       [](std::vector<std::string> words) {
                           Call call;
                           const std::string wrong = read_call(std::move(words), call);
                           return wrong.empty() ? run(call) : complain(wrong);
                       });
}
