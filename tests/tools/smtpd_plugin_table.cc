/// smtpd_plugin_table.cc: prints the options of built plugins, for the manual and its checks.
///
/// - `smtpd-plugin-table markdown PLUGIN_DIR NAME` prints the option tables for the page of a plugin.
/// - `smtpd-plugin-table list PLUGIN_DIR` prints every option of every plugin, a line each, with tabs between plugin,
///   "own" or "common", name and help.
/// - `smtpd-plugin-table check PLUGIN_DIR` reads lines "POSITION<tab>NAME WORD…" with the arguments of SmtpPlugin from
///   standard input, and prints what is wrong with the name or the words.
///
/// Exit status: 0 no mistakes, 1 mistakes were printed, 2 wrong call.
#include "host/options.h"
#include "host/plugin_dso.h"
#include "host/plugin_file.h"

#include <smtpd/base/format.h>

#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;
using Directories = std::vector<std::string>;

/// The text, escaped for a cell of a table.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '<' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : format_text("`{}`", text); }

std::string how_it_is_written(const host::OptionDescription& option) {
    std::string out;
    if (option.takes_rest && option.position == 0) out += " Also all bare words.";
    else if (option.position >= 0)
        out += format_text(" Also bare word {}{}.", option.position + 1,
                           option.takes_rest ? " and all words after it" : "");
    if (option.is_flag) out += " The bare name switches it on.";
    if (option.is_required) out += " Required.";
    for (const auto& alias : option.aliases) out += format_text(" Also called `{}`.", alias);
    return out;
}

void print_table(const std::vector<host::OptionDescription>& options) {
    std::cout << "| option | value | default | meaning |\n|---|---|---|---|\n";
    for (const auto& option : options)
        std::cout << format_text("| `{}` | {} | {} | {}.{} |\n", option.name, cell(option.type),
                                 code(cell(option.initial)), cell(option.help), how_it_is_written(option));
}

int print_markdown(const Directories& directories, const std::string& name) {
    const auto dso = host::PluginDso::open(name, directories);
    if (!dso) {
        std::cerr << name << ": " << dso.error().what << "\n";
        return 1;
    }
    const PluginDescriptor& plugin = (*dso)->descriptor();
    const host::PluginOptions options = host::describe_plugin(plugin);
    std::cout << "## Table of options\n\n";
    if (options.own.empty()) {
        std::cout << "The plugin has no options of its own.\n";
    } else {
        print_table(options.own);
    }
    std::cout << (plugin.is_policy ? "\nLike every policy plugin, it also has these options, with its own defaults:\n\n"
                                   : "\nLike every plugin, it also has these options:\n\n");
    print_table(options.common);
    if (plugin.is_policy)
        std::cout << (plugin.defaults.exempts_immune ? "\nRelay clients are exempt, and so are whitelisted clients, "
                                                       "senders and recipients.\n"
                                                     : "\nNo client is exempt.\n");
    return 0;
}

int print_list(const Directories& directories) {
    int status = 0;
    for (const auto& name : host::plugin_names(directories)) {
        const auto dso = host::PluginDso::open(name, directories);
        if (!dso) {
            std::cerr << name << ": " << dso.error().what << "\n";
            status = 1;
            continue;
        }
        const PluginDescriptor& plugin = (*dso)->descriptor();
        if (name != plugin.name) {
            std::cerr << name << ": it calls itself " << plugin.name << "\n";
            status = 1;
        }
        const host::PluginOptions options = host::describe_plugin(plugin);
        for (const auto& option : options.own)
            std::cout << format_text("{}\town\t{}\t{}\n", name, option.name, option.help);
        for (const auto& option : options.common)
            std::cout << format_text("{}\tcommon\t{}\t{}\n", name, option.name, option.help);
    }
    return status;
}

/// The mistakes that configtest would report for these words. Does not create the plugin.
std::vector<std::string> problems_of(const Directories& directories, std::string_view line) {
    auto words = host::split_option_words(line);
    if (!words) return {words.error().what};
    if (words->empty()) return {"no plugin is named"};
    std::string name;
    std::string label;
    host::split_instance(words->front(), name, label);
    words->erase(words->begin());
    const auto dso = host::PluginDso::open(name, directories);
    if (!dso) return {format_text("{}: {}", name, dso.error().what)};
    const PluginDescriptor& plugin = (*dso)->descriptor();
    const OptionTable own = plugin.options();
    const OptionTable common = host::common_options(plugin.is_policy, plugin.may_wait);
    const std::unique_ptr<void, void (*)(void*)> values(plugin.make_options(), plugin.free_options);
    host::CommonOptions common_values;
    host::OptionReader reader;
    reader.add(own, values.get());
    reader.add(common, &common_values);
    auto findings = reader.read(*words);
    auto& all = findings.errors;
    all.insert(all.end(), findings.warnings.begin(), findings.warnings.end());
    for (auto& text : all) text = format_text("{}: {}", name, text);
    return all;
}

int check(const Directories& directories) {
    int status = 0;
    for (std::string line; std::getline(std::cin, line);) {
        const auto tab = line.find('\t');
        if (tab == std::string::npos) continue;
        for (const auto& problem : problems_of(directories, std::string_view(line).substr(tab + 1))) {
            std::cout << line.substr(0, tab) << ": " << problem << "\n";
            status = 1;
        }
    }
    return status;
}

int run(const std::vector<std::string>& arguments) {
    if (arguments.size() == 3 && arguments[0] == "markdown") return print_markdown({arguments[1]}, arguments[2]);
    if (arguments.size() == 2 && arguments[0] == "list") return print_list({arguments[1]});
    if (arguments.size() == 2 && arguments[0] == "check") return check({arguments[1]});
    std::cerr << "usage: smtpd-plugin-table markdown PLUGIN_DIR NAME | list PLUGIN_DIR | check PLUGIN_DIR\n";
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& failure) {
        std::cerr << "smtpd-plugin-table: " << failure.what() << "\n";
        return 1;
    }
}
