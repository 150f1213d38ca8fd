/// options.h: parses the words after a plugin's name by the option tables, and describes the tables for the manual.
///
/// Every plugin has the options of CommonOptions automatically, and a policy plugin has some more. A plugin's own
/// option with the same name replaces them.
///
/// A word is interpreted as follows:
///   NAME=VALUE   an option, if NAME looks like one (a letter, then letters, digits, `_` and `-`)
///   NAME VALUE   an option, if NAME is one; the next word is its value whatever it looks like
///   NAME         an option declared as a flag; a following on/off word is its value
///   any other    the next positional value; all remaining words, if the last positional option takes the rest
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/options.h>
#include <smtpd/plugin.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// `loglevel=6`, `loglevel=debug`: logs all lines of the plugin at that level. `loglevel=+1`: makes each line one level
/// less important.
struct LevelChange {
    int shift = 0;
    int fixed = -1;
};

/// The options that every instance has.
struct CommonOptions {
    LevelChange loglevel;
    Duration deadline = std::chrono::seconds(60);
    unsigned concurrency = 0;  ///< for a plugin that waits for a back end; 0: half the threads for that
    PolicyDefaults policy;
};

/// The rows of the options above, including those for policy plugins if `is_policy` and those for plugins that wait for
/// a back end if `may_wait`.
OptionTable common_options(bool is_policy, bool may_wait);

/// Splits text into words at white space, like the shell: `"…"` keeps white space (also in `name="a b"`); inside, `\"`
/// and `\\` stand for the character. An Error if a quote is not closed.
Result<std::vector<std::string>> split_option_words(std::string_view text);

/// Parses words into option structs.
class OptionReader {
public:
    /// Adds a table and the struct that it fills, both of which must outlive the reader. If two tables contain the same
    /// name, the one added first takes precedence.
    void add(const OptionTable& table, void* options);

    struct Findings {
        std::vector<std::string> errors;  ///< all errors, each a sentence
        std::vector<std::string> warnings;
    };
    /// Parses all words. Errors are skipped, so that all of them are found at once.
    Findings read(const std::vector<std::string>& words);

private:
    struct Row {
        const OptionSpec* spec;
        void* options;
        unsigned uses = 0;
    };

    Row* find(std::string_view name);
    Row* positional(int index);
    void set(Row& row, std::string_view text, std::string_view name);
    std::size_t take_named(Row& row, const std::vector<std::string>& words, std::size_t at);
    std::size_t take_positional(const std::vector<std::string>& words, std::size_t at);
    void unknown(std::string_view name);
    std::vector<std::string> names() const;

    std::vector<Row> rows_;
    int positionals_ = 0;
    Findings findings_;
};

/// One option, as the manual shows it.
struct OptionDescription {
    std::string name;
    std::string type;     ///< "a duration from 0s to 5min"
    std::string initial;  ///< as it would be written; "" if there is none
    std::string help;
    std::vector<std::string> aliases;
    int position = -1;
    bool takes_rest = false;
    bool is_flag = false;
    bool is_required = false;
};

std::vector<OptionDescription> describe_options(const OptionTable& table, const void* options);

/// All options of a plugin, its own first. Calls the plugin's code, which may throw.
struct PluginOptions {
    std::vector<OptionDescription> own;
    std::vector<OptionDescription> common;
};
PluginOptions describe_plugin(const PluginDescriptor& plugin);

}  // namespace smtpd::host

namespace smtpd {

template <>
struct OptionType<host::LevelChange> {
    static std::string read(std::string_view text, host::LevelChange& value);
    static std::string show(const host::LevelChange& value);
    static std::string name();
};

}  // namespace smtpd
