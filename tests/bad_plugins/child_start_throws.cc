/// child_start_throws.cc: fails to start in the serving process.
#include <smtpd/plugin.h>

#include <stdexcept>

namespace smtpd::plugins {

class ChildStartThrows final : public Plugin {
public:
    explicit ChildStartThrows(Setup&) {}
    void child_start() override { throw std::runtime_error("thrown by child_start"); }
};

SMTPD_PLUGIN("child_start_throws", ChildStartThrows);
}  // namespace smtpd::plugins
