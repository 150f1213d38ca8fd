#include "httpd/config_tree.h"

#include <smtpd/base/format.h>

#include <cstring>

namespace smtpd::httpd {
namespace {

const ap_directive_t* last_of(const ap_directive_t* line, const char* directive) {
    const ap_directive_t* found = nullptr;
    for (; line != nullptr; line = line->next)
        if (strcasecmp(line->directive, directive) == 0) found = line;
    return found;
}

}  // namespace

const ap_directive_t* section_of(const server_rec* server) {
    for (const ap_directive_t* line = ap_conftree; line != nullptr; line = line->next)
        if (strcasecmp(line->directive, "<VirtualHost") == 0 &&
            line->line_num == static_cast<int>(server->defn_line_number) && server->defn_name != nullptr &&
            std::strcmp(line->filename, server->defn_name) == 0)
            return line;
    return nullptr;
}

const ap_directive_t* own_line_of(const server_rec* server, const char* directive) {
    const ap_directive_t* const section = server->is_virtual != 0 ? section_of(server) : nullptr;
    return section != nullptr ? last_of(section->first_child, directive) : nullptr;
}

const ap_directive_t* line_of(const server_rec* server, const char* directive) {
    const ap_directive_t* const own = own_line_of(server, directive);
    return own != nullptr ? own : last_of(ap_conftree, directive);
}

std::vector<const ap_directive_t*> lines_at_top(const char* directive) {
    std::vector<const ap_directive_t*> out;
    for (const ap_directive_t* line = ap_conftree; line != nullptr; line = line->next)
        if (strcasecmp(line->directive, directive) == 0) out.push_back(line);
    return out;
}

std::string position_of(const ap_directive_t* line) {
    return line == nullptr ? std::string() : format_text("{} line {}", line->filename, line->line_num);
}

std::string position_of(const server_rec* server) {
    if (server->is_virtual == 0 || server->defn_name == nullptr) return {};
    return format_text("{} line {}", server->defn_name, server->defn_line_number);
}

}  // namespace smtpd::httpd
