/// makes_nothing.cc: a hand-written descriptor whose factory returns no object.
#include <smtpd/plugin.h>

namespace {

smtpd::PluginDescriptor descriptor() {
    smtpd::PluginDescriptor made{};
    made.magic = smtpd::api_magic;
    made.version = smtpd::api_version;
    made.name = "makes_nothing";
    made.options = [] { return smtpd::OptionTable(); };
    made.make_options = []() -> void* { return nullptr; };
    made.free_options = [](void*) {};
    made.create = [](smtpd::Setup&, const void*) -> smtpd::Plugin* { return nullptr; };
    made.destroy = [](smtpd::Plugin* plugin) { delete plugin; };
    return made;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const smtpd::PluginDescriptor smtpd_plugin;
extern "C" const smtpd::PluginDescriptor smtpd_plugin = descriptor();
