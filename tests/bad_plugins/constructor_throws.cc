/// constructor_throws.cc: the constructor throws after it has registered a handler.
#include <smtpd/plugin.h>

#include <stdexcept>

namespace smtpd::plugins {

class ConstructorThrows final : public Plugin {
public:
    explicit ConstructorThrows(Setup& setup) {
        setup.hooks.connect.add([](const ConnectHook&) { return ok(); });
        throw std::runtime_error("thrown by the constructor");
    }
};

SMTPD_PLUGIN("constructor_throws", ConstructorThrows);
}  // namespace smtpd::plugins
