#include "tools/child_program.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <cerrno>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace smtpd::tools {
namespace {

/// A file in memory. Its descriptor is above the descriptors that the program gets.
Result<FileDescriptor> make_memory(const char* name) {
    const FileDescriptor made(::memfd_create(name, MFD_CLOEXEC));
    FileDescriptor moved(made ? ::fcntl(made.get(), F_DUPFD_CLOEXEC, 10) : -1);
    if (!moved) return os_error("cannot make a file in memory for httpd's input and output", errno);
    return moved;
}

Result<std::string> contents(int descriptor) {
    std::string text;
    char buffer[64 * 1024];
    for (;;) {
        const auto octets = ::pread(descriptor, buffer, sizeof buffer, static_cast<off_t>(text.size()));
        if (octets == 0) return text;
        if (octets > 0) text.append(buffer, static_cast<std::size_t>(octets));
        else if (errno != EINTR) return os_error("cannot read httpd's output", errno);
    }
}

int status_of(pid_t process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<ChildProgram::Done> ChildProgram::run(const std::vector<std::string>& command, std::string_view text) {
    const auto request = make_memory("request");
    const auto report = make_memory("report");
    const auto words = make_memory("words");
    for (const auto* made : {&request, &report, &words})
        if (!*made) return made->error();
    if (const auto written = write_all(request->get(), text); !written) return written.error();
    if (::lseek(request->get(), 0, SEEK_SET) != 0) return os_error("cannot go back to the beginning of a file", errno);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, words->get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, words->get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, request->get(), input);
    posix_spawn_file_actions_adddup2(&actions, report->get(), output);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t process = 0;
    const int failed = ::posix_spawnp(&process, arguments.front(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return os_error(format_text("cannot run {}", command.front()), failed);

    Done done;
    done.status = status_of(process);
    for (const auto& [from, to] : {std::pair{report->get(), &done.output}, std::pair{words->get(), &done.words}}) {
        auto read = contents(from);
        if (!read) return read.error();
        *to = std::move(*read);
    }
    return done;
}

}  // namespace smtpd::tools
