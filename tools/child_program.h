/// child_program.h: runs a program to its end with something to read, and keeps what it writes. It gets two descriptors
/// beside the usual three.
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
        int status = 0;      ///< of its exit; 128 and the number of the signal that ended it
        std::string output;  ///< what it wrote to `output`
        std::string words;   ///< what it wrote to its standard output and error
    };
    /// An Error where it cannot be run. Nothing is kept in files.
    static Result<Done> run(const std::vector<std::string>& command, std::string_view text);
};

}  // namespace smtpd::tools
