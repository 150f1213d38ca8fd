#include "httpd/serving_user.h"

#include "httpd/apache.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <cerrno>

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <unixd.h>

namespace smtpd::httpd {
namespace {

bool is_other_user() { return ::geteuid() == 0 && ap_unixd_config.user_id != 0; }

std::string group_name() {
    const group* const entry = ::getgrgid(ap_unixd_config.group_id);
    return entry != nullptr ? entry->gr_name : std::to_string(ap_unixd_config.group_id);
}

std::string user_name() {
    const passwd* const entry = ::getpwuid(ap_unixd_config.user_id);
    return entry != nullptr ? entry->pw_name : std::to_string(ap_unixd_config.user_id);
}

std::vector<int> ask(const std::vector<Access>& questions) {
    std::vector<int> answers;
    for (const auto& question : questions)
        answers.push_back(::access(question.path.c_str(), question.mode) == 0 ? 0 : errno);
    return answers;
}

/// Runs in a separate process: changes to the user as httpd's children do. (httpd's hook drop_privileges needs a
/// server, and there is none yet while the configuration is read.)
[[noreturn]] void answer_as_user(const std::vector<Access>& questions, const std::string& name, int to) {
    if (::initgroups(name.c_str(), ap_unixd_config.group_id) == 0 && ::setgid(ap_unixd_config.group_id) == 0 &&
        ::setuid(ap_unixd_config.user_id) == 0) {
        const auto answers = ask(questions);
        const std::string_view octets(reinterpret_cast<const char*>(answers.data()), answers.size() * sizeof(int));
        if (write_all(to, octets)) ::_exit(0);
    }
    ::_exit(1);
}

}  // namespace

std::vector<int> access_of_serving_user(const std::vector<Access>& questions) {
    if (!is_other_user() || questions.empty()) return ask(questions);
    const std::vector<int> unknown(questions.size(), 0);  // do not report what is unknown
    const std::string name = user_name();
    int ends[2];
    if (::pipe(ends) != 0) return unknown;
    const FileDescriptor from(ends[0]);
    FileDescriptor to(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) answer_as_user(questions, name, to.get());
    to.close();
    if (child < 0) return unknown;
    std::vector<int> answers(questions.size(), 0);
    std::size_t got = 0;
    const std::size_t wanted = answers.size() * sizeof(int);
    while (got < wanted) {
        const ssize_t more = ::read(from.get(), reinterpret_cast<char*>(answers.data()) + got, wanted - got);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) break;
        got += static_cast<std::size_t>(more);
    }
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    return got == wanted ? answers : unknown;
}

std::string name_of_serving_user() { return is_other_user() ? user_name() : "this user"; }

std::string command_for_directory(const std::string& path, const char* mode) {
    if (!is_other_user()) return format_text("install -d -m {} {}", mode, path);
    return format_text("install -d -o {} -g {} -m {} {}", user_name(), group_name(), mode, path);
}

std::string command_for_reading(const std::string& path, bool is_directory) {
    if (is_directory) return format_text("install -d -o root -g {} -m 0750 {}", group_name(), path);
    return format_text("chgrp {} {} && chmod 0640 {}", group_name(), path, path);
}

}  // namespace smtpd::httpd
