/// no_descriptor.cc: a DSO that is no plugin: it exports something, but not what a plugin exports.
extern "C" __attribute__((visibility("default"))) int some_other_symbol;
int some_other_symbol = 1;
