// Threads that share the tasks of one operation.
//
// A step runs some three hundred short operations one after the other, so workers look for the
// next one for a few microseconds before they sleep. The caller works along: without workers, or in
// a forked child that has lost them, it does everything itself.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace midfill {

inline void rest() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

class Pool {
  public:
    static Pool& shared() {
        static Pool* pool = new Pool;  // never destroyed: workers may outlive static objects
        return *pool;
    }

    // How many threads work, the caller's own included. Threads that cannot be had are done without.
    int resize(int threads) {
        std::lock_guard<std::mutex> sole(callers_);
        while (static_cast<int>(workers_) + 1 < threads) {
            try {
                std::thread([this, mine = workers_] { work(mine); }).detach();
            } catch (const std::system_error&) {
                break;
            }
            ++workers_;
        }
        allowed_.store(threads - 1, std::memory_order_relaxed);
        return active() + 1;
    }

    int threads() const { return active() + 1; }

    // Calls `task(i)` for every i below `tasks`, each once; returns when all are done.
    template <typename Task>
    void run(int tasks, const Task& task) {
        std::lock_guard<std::mutex> sole(callers_);
        if (tasks <= 1 || active() == 0) {
            for (int i = 0; i < tasks; ++i) task(i);
            return;
        }
        const std::uint64_t number = (number_ + 1) & 0xffffffffu;
        // Closed while it is laid out: whoever still looks at the last operation finds no task.
        next_.store(number << 32 | 0xffffffffu, std::memory_order_seq_cst);
        done_.store(0, std::memory_order_relaxed);
        tasks_.store(tasks, std::memory_order_relaxed);
        argument_.store(&task, std::memory_order_relaxed);
        call_.store([](const void* argument, int i) { (*static_cast<const Task*>(argument))(i); },
                    std::memory_order_relaxed);
        next_.store(number << 32, std::memory_order_release);
        number_ = number;
        published_.store(number, std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_seq_cst) > 0) {
            std::lock_guard<std::mutex> lock(sleep_);
            wake_.notify_all();
        }
        take_tasks(number);
        for (int looks = 0; done_.load(std::memory_order_acquire) != tasks; ++looks) {
            if (looks < 4096) rest();
            else std::this_thread::yield();
        }
    }

  private:
    static constexpr int kLooks = 3000;  // about 30 microseconds

    int active() const {
        const int allowed = allowed_.load(std::memory_order_relaxed);
        return allowed < workers_ ? allowed : workers_;
    }

    void take_tasks(std::uint64_t number) {
        const int tasks = tasks_.load(std::memory_order_relaxed);
        const auto call = call_.load(std::memory_order_relaxed);
        const void* argument = argument_.load(std::memory_order_relaxed);
        for (;;) {
            std::uint64_t next = next_.load(std::memory_order_acquire);
            do {
                if (next >> 32 != number || static_cast<int>(next & 0x7fffffffu) >= tasks ||
                    (next & 0x80000000u))
                    return;
            } while (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel));
            call(argument, static_cast<int>(next & 0x7fffffffu));
            done_.fetch_add(1, std::memory_order_release);
        }
    }

    void work(int mine) {
        std::uint64_t seen = 0;
        for (;;) {
            std::uint64_t number = published_.load(std::memory_order_acquire);
            for (int looks = 0; number == seen && looks < kLooks; ++looks) {
                rest();
                number = published_.load(std::memory_order_acquire);
            }
            if (number == seen) {
                std::unique_lock<std::mutex> lock(sleep_);
                asleep_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, [&] { return published_.load(std::memory_order_seq_cst) != seen; });
                asleep_.fetch_sub(1, std::memory_order_relaxed);
                number = published_.load(std::memory_order_acquire);
            }
            seen = number;
            if (mine < allowed_.load(std::memory_order_relaxed)) take_tasks(number);
        }
    }

    std::mutex callers_;
    int workers_ = 0;
    std::uint64_t number_ = 0;
    std::atomic<int> allowed_{0};

    // The operation being done. `next_` holds its number and its next task, so that a worker that
    // comes late can tell that what it has read belongs to an operation that is over.
    std::atomic<std::uint64_t> next_{0};
    std::atomic<std::uint64_t> published_{0};
    std::atomic<int> tasks_{0}, done_{0};
    std::atomic<const void*> argument_{nullptr};
    std::atomic<void (*)(const void*, int)> call_{nullptr};

    std::mutex sleep_;
    std::condition_variable wake_;
    std::atomic<int> asleep_{0};
};

}  // namespace midfill
