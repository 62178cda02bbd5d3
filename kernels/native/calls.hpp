// What the operations take. Mirrored field by field in `midfill/kernels/native/calls.py`.
#pragma once

#include <cstdint>

namespace midfill {

enum Before : std::int32_t { kNothing = 0, kNorm = 1, kGate = 2 };

// y (rows, outputs) = before(x) Wᵀ + bias, rows rounded to int8 one by one, and on the rows from
// `known` on also (before(x) down) up. `width` is a multiple of 16, `outputs` and `rank` too.
struct LinearCall {
    const float* x;                     // (rows, x_stride)
    const float* norm;                  // (width,) where `before` is kNorm
    const std::int8_t* weights;         // (outputs / 16, width / 4, 16, 4)
    const float* weight_scales;         // (outputs,)
    const std::int32_t* weight_sums;    // (outputs,), of each output's rounded weights
    const float* bias;                  // (outputs,) or null
    const std::uint16_t* down;          // bfloat16 (groups * rank / 16, width, 16)
    const std::uint16_t* up;            // bfloat16 (outputs / 16, rank, 16)
    const std::int32_t* group_ends;     // (groups,), outputs up to which each group's rank is used
    float* y;
    float epsilon;
    std::int32_t before, rows, known, width, x_stride, outputs, rank, groups;
    std::int32_t add;                   // whether to add to what `y` holds
};

// Attention of `slots` rows over [context | slots]; writes the slots' keys behind the context's.
struct AttentionCall {
    const float* projected;             // (slots, (query_heads + 2 key_heads) head_size)
    const float* cosine;                // (slots, head_size)
    const float* sine;
    const std::uint8_t* visible;        // (slots, slots)
    std::uint16_t* keys;                // bfloat16 (key_heads, capacity, head_size)
    std::uint16_t* values;
    float* attended;                    // (slots, query_heads * head_size)
    std::int32_t slots, context, capacity, query_heads, key_heads, head_size;
};

// Of each row of x (rows, width), rounded to int8, the best of its logits x Wᵀ; of equal ones the
// first. A row without a distribution has -1, and NaN for the rest.
struct UnmaskCall {
    const float* x;                     // (rows, width)
    const std::int8_t* weights;         // as in `LinearCall`
    const float* weight_scales;
    const std::int32_t* weight_sums;
    const std::uint8_t* permitted;      // (restricted, outputs), for the first `restricted` rows
    std::int64_t* tokens;               // (rows,)
    float* probabilities;               // (rows,), or null where only tokens are wanted
    float* entropies;                   // (rows,), nats
    std::int32_t rows, restricted, width, outputs;
};

struct Operations {
    void (*linear)(const LinearCall&);
    void (*canvas_attention)(const AttentionCall&);
    void (*unmask)(const UnmaskCall&);
};

}  // namespace midfill
