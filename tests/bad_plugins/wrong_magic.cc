/// wrong_magic.cc: a foreign symbol with the right name. Nothing callable follows its first words.
#include <cstdint>

struct Foreign {
    std::uint32_t magic;
    std::uint32_t version;
};
extern "C" __attribute__((visibility("default"))) const Foreign smtpd_plugin;
extern "C" const Foreign smtpd_plugin = {0x12345678, 1};
