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
}  // namespace portable
}  // namespace midfill

#if defined(__x86_64__)
#define MIDFILL_X86 1

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
}  // namespace avx2
}  // namespace midfill
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC pop_options
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
