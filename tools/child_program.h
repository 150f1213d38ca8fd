/// child_program.h: runs a program to its end, gives it input and keeps its output. The program gets two descriptors
/// besides the usual three.
#pragma once

#include <smtpd/base/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

class ChildProgram {
public:
    // Descriptors in the program.
    static constexpr int input = 3;
    static constexpr int output = 4;

    struct Done {
        int status = 0;      ///< its exit status; 128 + the number of the signal that killed it
        std::string output;  ///< what it wrote to `output`
        std::string words;   ///< what it wrote to its standard output and error
    };
    /// Returns an Error if the program cannot be run. Writes nothing to disk.
    static Result<Done> run(const std::vector<std::string>& command, std::string_view text);
};

}  // namespace smtpd::tools
