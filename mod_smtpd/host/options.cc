/// options.cc: parses the words after a plugin's name by the option tables.
#include "host/options.h"

#include "support/edit_distance.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <memory>

namespace smtpd {

std::string OptionType<host::LevelChange>::read(std::string_view text, host::LevelChange& value) {
    const bool is_change = text.size() > 1 && (text[0] == '+' || text[0] == '-') &&
                           std::all_of(text.begin() + 1, text.end(), support::is_digit);
    const auto level = parse_log_level(is_change ? text.substr(1) : text);
    if (!level) return name();
    const int number = static_cast<int>(*level);
    value = is_change ? host::LevelChange{text[0] == '-' ? -number : number, -1} : host::LevelChange{0, number};
    return {};
}
std::string OptionType<host::LevelChange>::show(const host::LevelChange& value) {
    if (value.fixed >= 0) return std::string(log_level_name(static_cast<LogLevel>(value.fixed)));
    return format_text("{}{}", value.shift < 0 ? "" : "+", value.shift);
}
std::string OptionType<host::LevelChange>::name() {
    return "a log level, by name or number, or a change of it such as -1 or +2";
}

namespace host {
namespace {

/// A row for a member of CommonOptions::policy: option() only reaches direct members of a struct, and these are nested.
template <class T>
OptionBuilder<T> policy_option(std::string name, T PolicyDefaults::*member, std::string help) {
    OptionBuilder<T> row = option(std::move(name), member, std::move(help));
    row.member = [member](void* options) -> T& { return static_cast<CommonOptions*>(options)->policy.*member; };
    if constexpr (std::is_same_v<T, int>) {
        row.read = [at = row.member](void* options, std::string_view text) {
            return OptionType<int>::read(text, at(options));
        };
        row.show = [at = row.member](const void* options) {
            return OptionType<int>::show(at(const_cast<void*>(options)));
        };
    }
    return row;
}

/// If it is not specified, it is perm (unless `naughty` decides).
OptionSpec reject_type_row() {
    OptionSpec row = policy_option(
                         "reject_type", &PolicyDefaults::reject_type,
                         "how the client is refused: permanently (perm) or temporarily (temp), and whether the "
                         "connection is closed then (disconnect, "
                         "temp_disconnect)")
                         .choices(refusal_words());
    row.show = [shown = std::move(row.show)](const void* options) {
        const std::string word = shown(options);
        return word.empty() ? std::string("perm") : word;
    };
    return row;
}

std::vector<OptionSpec> policy_options() {
    using Reject = PolicyDefaults::Reject;
    using OnError = PolicyDefaults::OnError;
    return {policy_option("reject", &PolicyDefaults::reject,
                          "what a failed test does: refuse the client (yes), only log the failure (no), or leave the "
                          "refusal to the plugin naughty (naughty)")
                .choices({{"yes", Reject::yes},
                          {"no", Reject::no},
                          {"naughty", Reject::naughty},
                          {"on", Reject::yes},
                          {"off", Reject::no},
                          {"1", Reject::yes},
                          {"0", Reject::no},
                          {"true", Reject::yes},
                          {"false", Reject::no}}),
            reject_type_row(),
            policy_option("onerror", &PolicyDefaults::onerror,
                          "what to do if the test could not be made: continue (accept), or defer the client (tempfail)")
                .choices({{"accept", OnError::accept}, {"tempfail", OnError::tempfail}}),
            policy_option("karma_fail", &PolicyDefaults::karma_fail,
                          "points added to the client's karma for a failed test; usually negative"),
            policy_option("karma_pass", &PolicyDefaults::karma_pass,
                          "points added to the client's karma for a passed test")};
}

bool is_name_character(char c) { return support::is_alpha(c) || support::is_digit(c) || c == '_' || c == '-'; }

/// Whether the text could be the name of an option, known or not.
bool looks_like_name(std::string_view text) {
    return !text.empty() && support::is_alpha(text.front()) && std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_alias(const OptionSpec& spec, std::string_view name) {
    return std::find(spec.aliases.begin(), spec.aliases.end(), name) != spec.aliases.end();
}

bool is_switch_word(std::string_view text) {
    bool ignored = false;
    return OptionType<bool>::read(text, ignored).empty();
}

}  // namespace

OptionTable common_options(bool is_policy, bool may_wait) {
    OptionTable table(
        option("loglevel", &CommonOptions::loglevel,
               "the level of all log lines of this plugin, or a change of it (+1 means one level less important)"),
        option("deadline", &CommonOptions::deadline, "how long one call of this plugin may take, waiting included")
            .range("1ms", "1h"));
    if (may_wait)
        table.append(
            {option(
                 "concurrency", &CommonOptions::concurrency,
                 "how many calls of this plugin may wait for its back end at a time; 0 is half of SmtpBackendThreads")
                 .range("0", "1000")});
    if (is_policy) table.append(policy_options());
    return table;
}

Result<std::vector<std::string>> split_option_words(std::string_view text) {
    std::vector<std::string> words;
    bool in_word = false;
    bool in_quotes = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (!in_quotes && support::is_space(c)) {
            in_word = false;
            continue;
        }
        if (!in_word) words.emplace_back();
        in_word = true;
        if (c == '"') in_quotes = !in_quotes;
        else if (in_quotes && c == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\'))
            words.back() += text[++i];
        else words.back() += c;
    }
    if (in_quotes) return Error{ErrorCode::config, "a quotation mark is not closed", 0};
    return words;
}

void OptionReader::add(const OptionTable& table, void* options) {
    const std::size_t earlier = rows_.size();
    for (const auto& spec : table.rows()) {
        const auto has_name = [&spec](const Row& row) {
            return row.spec->name == spec.name || is_alias(*row.spec, spec.name);
        };
        if (std::none_of(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(earlier), has_name))
            rows_.push_back({&spec, options});
    }
}

OptionReader::Row* OptionReader::find(std::string_view name) {
    for (auto& row : rows_)
        if (row.spec->name == name) return &row;
    for (auto& row : rows_)
        if (is_alias(*row.spec, name)) return &row;
    return nullptr;
}

/// The row that takes the n-th bare word.
OptionReader::Row* OptionReader::positional(int index) {
    for (auto& row : rows_)
        if (row.spec->position == index) return &row;
    for (auto& row : rows_)
        if (row.spec->takes_rest && index >= row.spec->position) return &row;
    return nullptr;
}

std::vector<std::string> OptionReader::names() const {
    std::vector<std::string> out;
    for (const auto& row : rows_) out.push_back(row.spec->name);
    return out;
}

void OptionReader::unknown(std::string_view name) {
    findings_.errors.push_back(format_text("unknown option \"{}\"{}", name, support::did_you_mean(name, names())));
}

/// Sets the option from `text`; `name` is the name that the user wrote, "" for a positional.
void OptionReader::set(Row& row, std::string_view text, std::string_view name) {
    const OptionSpec& spec = *row.spec;
    ++row.uses;
    if (row.uses == 1 && spec.clear) spec.clear(row.options);
    if (row.uses == 2 && !spec.is_list)
        findings_.warnings.push_back(
            format_text("option \"{}\" is given more than once; the last one counts", spec.name));
    const std::string allowed = spec.read(row.options, text);
    if (allowed.empty()) return;
    std::string problem = format_text("option \"{}\": \"{}\" is not allowed; it must be {}", spec.name, text, allowed);
    if (name.empty()) problem += support::did_you_mean(text, names());
    findings_.errors.push_back(std::move(problem));
}

/// An option without `=`. Returns how many words it consumed.
std::size_t OptionReader::take_named(Row& row, const std::vector<std::string>& words, std::size_t at) {
    const bool has_next = at + 1 < words.size();
    if (row.spec->is_flag && !(has_next && is_switch_word(words[at + 1]))) {
        set(row, "on", words[at]);
        return 1;
    }
    if (!has_next) {
        findings_.errors.push_back(format_text("option \"{}\" has no value; it must be {}", words[at], row.spec->type));
        ++row.uses;
        return 1;
    }
    set(row, words[at + 1], words[at]);
    return 2;
}

/// A word that is not an option. Returns how many words it consumed: the word after an unknown name is probably its
/// value.
std::size_t OptionReader::take_positional(const std::vector<std::string>& words, std::size_t at) {
    if (Row* row = positional(positionals_)) {
        ++positionals_;
        set(*row, words[at], {});
        return 1;
    }
    if (!looks_like_name(words[at])) {
        findings_.errors.push_back(format_text(
            "unexpected argument \"{}\": there is no such option, and no further value is expected", words[at]));
        return 1;
    }
    unknown(words[at]);
    const bool has_value = at + 1 < words.size() && !find(words[at + 1]) &&
                           words[at + 1].find('=') == std::string::npos;
    return has_value ? 2 : 1;
}

OptionReader::Findings OptionReader::read(const std::vector<std::string>& words) {
    for (std::size_t at = 0; at < words.size();) {
        const std::string& word = words[at];
        const std::size_t equals = word.find('=');
        const std::string_view name = std::string_view(word).substr(0, equals);
        if (equals != std::string::npos && looks_like_name(name)) {
            Row* row = find(name);
            row ? set(*row, std::string_view(word).substr(equals + 1), name) : unknown(name);
            ++at;
        } else if (Row* row = find(word)) {
            at += take_named(*row, words, at);
        } else {
            at += take_positional(words, at);
        }
    }
    for (const auto& row : rows_)
        if (row.spec->is_required && row.uses == 0)
            findings_.errors.push_back(
                format_text("option \"{}\" is missing; it must be {}", row.spec->name, row.spec->type));
    return std::move(findings_);
}

std::vector<OptionDescription> describe_options(const OptionTable& table, const void* options) {
    std::vector<OptionDescription> out;
    for (const auto& spec : table.rows())
        out.push_back({spec.name, spec.type, spec.show ? spec.show(options) : std::string(), spec.help, spec.aliases,
                       spec.position, spec.takes_rest, spec.is_flag, spec.is_required});
    return out;
}

PluginOptions describe_plugin(const PluginDescriptor& plugin) {
    const OptionTable own = plugin.options();
    const std::unique_ptr<void, void (*)(void*)> values(plugin.make_options(), plugin.free_options);
    CommonOptions common;
    common.policy = plugin.defaults;
    PluginOptions out{describe_options(own, values.get()), {}};
    for (auto& row : describe_options(common_options(plugin.is_policy, plugin.may_wait), &common)) {
        const bool taken = std::any_of(out.own.begin(), out.own.end(),
                                       [&row](const OptionDescription& other) { return other.name == row.name; });
        if (!taken) out.common.push_back(std::move(row));
    }
    return out;
}

}  // namespace host
}  // namespace smtpd

namespace smtpd {

Result<void> OptionTable::read(void* options, std::string_view text,
                               std::initializer_list<std::string_view> only) const {
    const auto words = host::split_option_words(text);
    if (!words) return words.error();
    for (std::size_t i = 0; i < words->size(); i += 2) {
        const std::string& name = (*words)[i];
        const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const OptionSpec& spec) {
            return spec.name == name || host::is_alias(spec, name);
        });
        if (row == rows_.end() || (only.size() > 0 && std::find(only.begin(), only.end(), name) == only.end()))
            return Error{ErrorCode::config, format_text("there is no option {}", support::escape_for_log(name, 200))};
        const auto allowed = row->read(options,
                                       i + 1 < words->size() ? std::string_view((*words)[i + 1]) : std::string_view());
        if (!allowed.empty()) return Error{ErrorCode::config, format_text("{} must be {}", name, allowed)};
    }
    return {};
}

}  // namespace smtpd
