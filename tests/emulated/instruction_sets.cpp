// Prints what the native operations compute with every instruction set that this processor has:
// a line `OPERATION SHAPE: INSTRUCTION-SET BITS` for each, where BITS is a digest of the outcome.
// With the argument `choice`, only which instruction set was chosen.

#include "midfill_native.cpp"

#include <cstdio>
#include <random>

namespace {

using namespace midfill;

std::mt19937 generator(7);

float between(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(generator);
}

std::vector<float> floats(std::size_t count, float low, float high) {
    std::vector<float> made(count);
    for (auto& each : made) each = between(low, high);
    return made;
}

std::vector<std::uint16_t> bfloats(std::size_t count, float limit) {
    std::vector<std::uint16_t> made(count);
    for (auto& each : made) {
        const float value = between(-limit, limit);
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        each = static_cast<std::uint16_t>(bits >> 16);
    }
    return made;
}

struct Matrix {
    std::vector<std::int8_t> weights;
    std::vector<float> scales;
    std::vector<std::int32_t> sums;

    Matrix(int width, int outputs)
        : weights(static_cast<std::size_t>(width) * outputs),
          scales(floats(outputs, 0.001f, 0.01f)),
          sums(outputs) {
        for (auto& each : weights) each = static_cast<std::int8_t>(generator() % 255) ;
        for (auto& each : weights) each = each == -128 ? 127 : each;
        for (std::size_t i = 0; i < weights.size(); ++i)
            sums[i / (16u * width) * 16 + i / 4 % 16] += weights[i];
    }
};

// FNV-1a, 64 bits.
class Digest {
  public:
    template <typename T>
    void add(const std::vector<T>& values) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
        for (std::size_t i = 0; i < values.size() * sizeof(T); ++i)
            state_ = (state_ ^ bytes[i]) * 0x100000001b3ull;
    }
    unsigned long long value() const { return state_; }

  private:
    unsigned long long state_ = 0xcbf29ce484222325ull;
};

template <typename Compute>
void with_each_set(const char* what, Compute compute) {
    for (const auto& each : kInstructionSets)
        if (midfill_use_instruction_set(each.name)) {
            Digest digest;
            compute(digest);
            std::printf("%s: %s %016llx\n", what, each.name, digest.value());
            std::fflush(stdout);
        }
}

void linear_case(int rows, int width, int outputs, int rank, int groups, int known, Before before,
                 bool bias, bool add) {
    const int stride = before == kGate ? 2 * width : width;
    const auto x = floats(static_cast<std::size_t>(rows) * stride, -2, 2);
    const auto norm = floats(width, 0.5f, 1.5f), offsets = floats(outputs, -1, 1);
    const auto start = floats(static_cast<std::size_t>(rows) * outputs, -1, 1);
    const Matrix matrix(width, outputs);
    const auto down = bfloats(static_cast<std::size_t>(rank) * groups * width, 0.1f);
    const auto up = bfloats(static_cast<std::size_t>(outputs) * rank, 0.1f);
    std::vector<std::int32_t> ends;
    for (int group = 1; group <= groups; ++group) ends.push_back(outputs / 16 * group / groups * 16);
    char what[96];
    std::snprintf(what, sizeof what, "linear %dx%dx%d,rank=%d,known=%d,before=%d,bias=%d,add=%d", rows,
                  width, outputs, rank, known, before, bias, add);
    with_each_set(what, [&](Digest& digest) {
        auto y = start;
        LinearCall call{};
        call.x = x.data();
        call.norm = norm.data();
        call.weights = matrix.weights.data();
        call.weight_scales = matrix.scales.data();
        call.weight_sums = matrix.sums.data();
        call.bias = bias ? offsets.data() : nullptr;
        call.down = down.data();
        call.up = up.data();
        call.group_ends = ends.data();
        call.y = y.data();
        call.epsilon = 1e-6f;
        call.before = before;
        call.rows = rows, call.known = known, call.width = width, call.x_stride = stride;
        call.outputs = outputs, call.rank = rank, call.groups = groups, call.add = add;
        midfill_linear(&call);
        digest.add(y);
    });
}

void attention_case(int slots, int context) {
    constexpr int kQueryHeads = 14, kKeyHeads = 2, kHeadSize = 64;
    const int capacity = context + slots + 5;
    const auto projected =
        floats(static_cast<std::size_t>(slots) * (kQueryHeads + 2 * kKeyHeads) * kHeadSize, -2, 2);
    const auto cosine = floats(slots * kHeadSize, -1, 1), sine = floats(slots * kHeadSize, -1, 1);
    std::vector<std::uint8_t> visible(slots * slots);
    for (int i = 0; i < slots; ++i)
        for (int j = 0; j <= i; ++j) visible[i * slots + j] = j == i || generator() % 4;
    const auto size = static_cast<std::size_t>(kKeyHeads) * capacity * kHeadSize;
    const auto known_keys = bfloats(size, 1), known_values = bfloats(size, 1);
    char what[48];
    std::snprintf(what, sizeof what, "attention %d+%d", context, slots);
    with_each_set(what, [&](Digest& digest) {
        auto keys = known_keys, values = known_values;
        std::vector<float> attended(static_cast<std::size_t>(slots) * kQueryHeads * kHeadSize);
        AttentionCall call{};
        call.projected = projected.data();
        call.cosine = cosine.data();
        call.sine = sine.data();
        call.visible = visible.data();
        call.keys = keys.data();
        call.values = values.data();
        call.attended = attended.data();
        call.slots = slots, call.context = context, call.capacity = capacity;
        call.query_heads = kQueryHeads, call.key_heads = kKeyHeads, call.head_size = kHeadSize;
        midfill_canvas_attention(&call);
        digest.add(attended);
        digest.add(keys);
        digest.add(values);
    });
}

void unmask_case(int rows, int restricted, int width, int outputs) {
    const auto x = floats(static_cast<std::size_t>(rows) * width, -2, 2);
    const Matrix matrix(width, outputs);
    std::vector<std::uint8_t> permitted(static_cast<std::size_t>(restricted) * outputs);
    for (auto& each : permitted) each = generator() % 3 == 0;
    char what[64];
    std::snprintf(what, sizeof what, "unmask %dx%dx%d,restricted=%d", rows, width, outputs, restricted);
    with_each_set(what, [&](Digest& digest) {
        std::vector<std::int64_t> tokens(rows);
        std::vector<float> probabilities(rows), entropies(rows);
        UnmaskCall call{};
        call.x = x.data();
        call.weights = matrix.weights.data();
        call.weight_scales = matrix.scales.data();
        call.weight_sums = matrix.sums.data();
        call.permitted = permitted.data();
        call.tokens = tokens.data();
        call.probabilities = probabilities.data();
        call.entropies = entropies.data();
        call.rows = rows, call.restricted = restricted, call.width = width, call.outputs = outputs;
        midfill_unmask(&call);
        digest.add(tokens);
        digest.add(probabilities);
        digest.add(entropies);
    });
}

}  // namespace

int main(int count, char** arguments) {
    midfill_use_threads(1);
    if (count > 1 && std::strcmp(arguments[1], "choice") == 0) {
        std::printf("%s\n", midfill_instruction_set());
        return 0;
    }
    // Whole tiles, parts of tiles, and both; the base's own width; both kinds of group.
    for (int rows : {1, 3, 4, 7, 16, 21}) linear_case(rows, 64, 32, 0, 0, rows, kNothing, rows % 2, rows % 3 == 0);
    for (Before before : {kNothing, kNorm, kGate}) linear_case(9, 896, 96, 32, 2, 4, before, true, before == kGate);
    linear_case(17, 4864, 32, 16, 1, 3, kGate, false, true);
    for (int context : {0, 1, 65, 130}) attention_case(context % 2 ? 5 : 16, context);
    unmask_case(1, 0, 64, 96);
    unmask_case(5, 2, 896, 160);
    unmask_case(17, 17, 64, 48);
    return 0;
}
