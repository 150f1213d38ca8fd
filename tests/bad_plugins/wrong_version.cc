/// wrong_version.cc: a plugin of another API version; its descriptor is shorter than this server's.
#include <smtpd/base/api.h>

struct OtherDescriptor {
    std::uint32_t magic;
    std::uint32_t version;
};
extern "C" __attribute__((visibility("default"))) const OtherDescriptor smtpd_plugin;
extern "C" const OtherDescriptor smtpd_plugin = {smtpd::api_magic, smtpd::api_version + 41};
