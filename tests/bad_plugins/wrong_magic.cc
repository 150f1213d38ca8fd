/// wrong_magic.cc: a foreign symbol of the right name. Behind its first words there is nothing that could be called.
#include <cstdint>

struct Foreign {
    std::uint32_t magic;
    std::uint32_t version;
};
extern "C" __attribute__((visibility("default"))) const Foreign smtpd_plugin;
extern "C" const Foreign smtpd_plugin = {0x12345678, 1};
