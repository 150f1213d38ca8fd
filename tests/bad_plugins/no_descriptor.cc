/// no_descriptor.cc: a DSO that is not a plugin: it exports a symbol, but not a plugin's.
extern "C" __attribute__((visibility("default"))) int some_other_symbol;
int some_other_symbol = 1;
