// The operations of a denoising step on a CPU, compiled for several instruction sets at once; the
// best that this processor has is chosen when the library is loaded.

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "calls.hpp"
#include "pool.hpp"

namespace midfill {
namespace portable {
#include "lanes.inc"
#include "rows.inc"
#include "low_rank.inc"
#include "attention.inc"
#include "dot_portable.inc"
#include "operations.inc"
#include "unmask.inc"
#include "exported.inc"
}  // namespace portable
}  // namespace midfill

#if defined(__x86_64__)
#define MIDFILL_X86 1
#include <cpuid.h>
// Older compilers do not know the instruction.
#if (defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11)
#define MIDFILL_AVXVNNI 1
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace midfill {
namespace avx2 {
#include "lanes.inc"
#include "rows.inc"
#include "low_rank.inc"
#include "attention.inc"
#include "dot_avx2.inc"
#include "operations.inc"
#include "unmask.inc"
#include "exported.inc"
}  // namespace avx2
}  // namespace midfill
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#if defined(MIDFILL_AVXVNNI)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avxvnni")
#endif
namespace midfill {
namespace avxvnni {
#include "lanes.inc"
#include "rows.inc"
#include "low_rank.inc"
#include "attention.inc"
#include "dot_avxvnni.inc"
#include "operations.inc"
#include "unmask.inc"
#include "exported.inc"
}  // namespace avxvnni
}  // namespace midfill
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")
#endif
namespace midfill {
namespace avx512vnni {
#include "lanes.inc"
#include "rows.inc"
#include "low_rank.inc"
#include "attention.inc"
#include "dot_avx512vnni.inc"
#include "operations.inc"
#include "unmask.inc"
#include "exported.inc"
}  // namespace avx512vnni
}  // namespace midfill
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif

namespace midfill {
namespace {

struct InstructionSet {
    const char* name;
    const Operations* operations;
    bool (*runs_here)();
};

// The best first.
const InstructionSet kInstructionSets[] = {
#if defined(MIDFILL_X86)
    {"avx512vnni", &avx512vnni::kOperations,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
     }},
#if defined(MIDFILL_AVXVNNI)
    {"avxvnni", &avxvnni::kOperations,
     [] {
         // Not every compiler has a name for it: leaf 7, subleaf 1, bit 4 of eax.
         unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
         return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
     }},
#endif
    {"avx2", &avx2::kOperations,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {"portable", &portable::kOperations, [] { return true; }},
};

const InstructionSet* chosen = nullptr;

const InstructionSet& instruction_set() {
    if (!chosen)
        for (const InstructionSet& each : kInstructionSets)
            if (each.runs_here()) {
                chosen = &each;
                break;
            }
    return *chosen;
}

}  // namespace
}  // namespace midfill

#if defined(_WIN32)
#define MIDFILL_EXPORT extern "C" __declspec(dllexport)
#else
#define MIDFILL_EXPORT extern "C" __attribute__((visibility("default")))
#endif

MIDFILL_EXPORT const char* midfill_instruction_set() { return midfill::instruction_set().name; }

// 1 if the processor has it.
MIDFILL_EXPORT int midfill_use_instruction_set(const char* name) {
    for (const auto& each : midfill::kInstructionSets)
        if (std::strcmp(each.name, name) == 0 && each.runs_here()) {
            midfill::chosen = &each;
            return 1;
        }
    return 0;
}

// How many threads there are now.
MIDFILL_EXPORT int midfill_use_threads(int threads) {
    return midfill::Pool::shared().resize(threads);
}

MIDFILL_EXPORT void midfill_linear(const midfill::LinearCall* call) {
    midfill::instruction_set().operations->linear(*call);
}

MIDFILL_EXPORT void midfill_canvas_attention(const midfill::AttentionCall* call) {
    midfill::instruction_set().operations->canvas_attention(*call);
}

MIDFILL_EXPORT void midfill_unmask(const midfill::UnmaskCall* call) {
    midfill::instruction_set().operations->unmask(*call);
}
