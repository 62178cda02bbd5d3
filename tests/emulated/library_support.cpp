// What the emulator's library lacks on an older C library, and which processor it emulates.
//
// The library was built for a C library that has names of its own for reading numbers by the rules
// of C23, and always asks for one and the same processor. Preloaded, this answers both.

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

extern "C" {

unsigned long long __isoc23_strtoull(const char* text, char** end, int base) {
    return strtoull(text, end, base);
}

unsigned long __isoc23_strtoul(const char* text, char** end, int base) {
    return strtoul(text, end, base);
}

long __isoc23_strtol(const char* text, char** end, int base) { return strtol(text, end, base); }

int __isoc23_sscanf(const char* text, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int read = vsscanf(text, format, arguments);
    va_end(arguments);
    return read;
}

// The library's own choice, in whose place another one is made.
void* chosen_processor(void* cpu) asm("_Z23create_corei3_cnl_cpuidP8BX_CPU_C");

void* chosen_processor(void* cpu) {
    void* library = dlopen(getenv("EMULATOR_LIBRARY"), RTLD_NOLOAD | RTLD_LAZY);
    const char* name = getenv("EMULATED_PROCESSOR");
    void* found = library && name ? dlsym(library, name) : nullptr;
    if (!found) {
        std::fprintf(stderr, "there is no such processor: %s\n", name ? name : "(none named)");
        std::exit(3);
    }
    return reinterpret_cast<void* (*)(void*)>(found)(cpu);
}
}
