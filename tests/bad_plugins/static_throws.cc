/// static_throws.cc: an object at namespace scope throws while the DSO is loaded.
#include <smtpd/plugin.h>

#include <stdexcept>

namespace smtpd::plugins {
namespace {

struct Thrower {
    Thrower() { throw std::runtime_error("thrown while loading"); }
};
const Thrower thrower;

}  // namespace

class StaticThrows final : public Plugin {
public:
    explicit StaticThrows(Setup&) {}
};

SMTPD_PLUGIN("static_throws", StaticThrows);
}  // namespace smtpd::plugins
