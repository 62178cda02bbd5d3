"""Runs a static Linux program on an emulated x86-64 processor: ``run_emulated.py PROGRAM …``.

The program has the machine to itself, in 64-bit mode and with flat memory; the few system calls
that a computing program makes on one thread are answered here. It must be started with the
processor named in the environment (`processors.py`).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from pathlib import Path

import bochscpu
import bochscpu.cpu
from bochscpu.memory import PageMapLevel4Table, page_insert

PAGE = 4096
WRITABLE = 1
"""Of the emulator's page table; everything that can be read can be executed too."""

PAGE_TABLE_AT = 0x10_0000
FIRST_PHYSICAL = 0x100_0000
STUB_AT = 0x6000_0000
STACK_TOP, STACK_BYTES = 0x7000_0000, 2**20
MAPPED_AT, MAPPED_BYTES = 0x4000_0000, 96 * 2**20
HEAP_BYTES = 64 * 2**20

HALT = b"\xf4"
LOADABLE = 1
NOT_THERE = -38
SET_FS = 0x1002

CODE, DATA = (0x10, 0xA09B), (0x18, 0xC093)
"""Selector and attributes of 64-bit code and of data, for the most privileged level."""

CR0_PAGING_AND_SSE = 0x8001_0033
CR4_WIDE_REGISTERS = 0x4_0668
XCR0_AVX512 = 0xE7
EFER_LONG_MODE_AND_SYSCALL = 0xD01


class Memory:
    """Virtual memory of the program, backed by pages of this process."""

    def __init__(self) -> None:
        self.table = PageMapLevel4Table()
        self._pages: dict[int, int] = {}
        self._blocks: list[mmap.mmap] = []
        self._next_physical = FIRST_PHYSICAL

    def map(self, start: int, size: int) -> None:
        first, last = start & -PAGE, (start + size + PAGE - 1) & -PAGE
        new = [page for page in range(first, last, PAGE) if page not in self._pages]
        if not new:
            return
        block = mmap.mmap(-1, len(new) * PAGE)
        self._blocks.append(block)
        host = ctypes.addressof(ctypes.c_char.from_buffer(block))
        for page in new:
            page_insert(self._next_physical, host)
            self.table.insert(page, self._next_physical, WRITABLE)
            self._pages[page] = host
            self._next_physical += PAGE
            host += PAGE

    def write(self, at: int, content: bytes) -> None:
        for start, size, done in self._pieces(at, len(content)):
            ctypes.memmove(start, content[done : done + size], size)

    def read(self, at: int, size: int) -> bytes:
        return b"".join(ctypes.string_at(start, part) for start, part, _ in self._pieces(at, size))

    def _pieces(self, at: int, size: int) -> list[tuple[int, int, int]]:
        """Host address, size and offset of each part that lies in one page."""
        pieces, done = [], 0
        while done < size:
            page = (at + done) & -PAGE
            part = min(size - done, page + PAGE - at - done)
            pieces.append((self._pages[page] + at + done - page, part, done))
            done += part
        return pieces


class Kernel:
    """Answers a program's system calls.

    Attributes:
        exit_status: set when it has ended.
    """

    def __init__(self, memory: Memory, heap: int) -> None:
        self.exit_status: int | None = None
        self._memory = memory
        self._heap, self._break = heap, heap
        self._next_mapping = MAPPED_AT
        memory.map(heap, HEAP_BYTES)
        memory.map(MAPPED_AT, MAPPED_BYTES)

    def call(self, state: bochscpu.State) -> int:
        """The result of the call that the registers hold."""
        first, second, third = state.rdi, state.rsi, state.rdx
        match state.rax:
            case 1:  # write
                return self._print(second, third)
            case 20:  # writev
                vectors = struct.iter_unpack("<QQ", self._memory.read(second, 16 * third))
                return sum(self._print(at, size) for at, size in vectors)
            case 12:  # brk
                if self._heap <= first < self._heap + HEAP_BYTES:
                    self._break = first
                return self._break
            case 9:  # mmap
                start = self._next_mapping
                self._next_mapping += (second + PAGE - 1) & -PAGE
                assert self._next_mapping <= MAPPED_AT + MAPPED_BYTES, "out of emulated memory"
                return start
            case 158:  # arch_prctl
                segment = state.fs
                segment.base = second
                state.fs = segment
                return 0 if first == SET_FS else NOT_THERE
            case 60 | 231:  # exit, exit_group
                self.exit_status = first
                return 0
            case 10 | 11 | 13 | 14 | 202 | 218 | 273:  # mprotect, munmap, signals, futex, …
                return 0
            case 318:  # getrandom
                self._memory.write(first, bytes(second))
                return second
            case _:
                return NOT_THERE

    def _print(self, at: int, size: int) -> int:
        if size:
            sys.stdout.write(self._memory.read(at, size).decode())
            sys.stdout.flush()
        return size


def segment(selector_and_attributes: tuple[int, int]) -> bochscpu.Segment:
    made = bochscpu.Segment()
    made.present, made.base, made.limit = True, 0, 0xFFFF_FFFF
    made.selector, made.attr = selector_and_attributes
    return made


def load(program: bytes, memory: Memory) -> tuple[int, int, list[tuple[int, int]]]:
    """Entry point, end of the data and auxiliary vector of a statically linked ELF program."""
    entry, headers_at = struct.unpack_from("<QQ", program, 24)
    header_size, header_count = struct.unpack_from("<HH", program, 54)
    end = headers = 0
    for index in range(header_count):
        kind, _, offset, start, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", program, headers_at + index * header_size
        )
        if kind != LOADABLE:
            continue
        memory.map(start, in_memory)
        memory.write(start, program[offset : offset + in_file])
        end = max(end, start + in_memory)
        if offset == 0:
            headers = start + headers_at
    auxiliary = [(3, headers), (4, header_size), (5, header_count), (6, PAGE), (9, entry)]
    return entry, end, auxiliary


def lay_out_stack(memory: Memory, arguments: list[str], auxiliary: list[tuple[int, int]]) -> int:
    """Put arguments and auxiliary vector on the stack; where it then begins."""
    memory.map(STACK_TOP - STACK_BYTES, STACK_BYTES)
    at, pointers = STACK_TOP - PAGE, []
    for argument in arguments:
        memory.write(at, argument.encode() + b"\0")
        pointers.append(at)
        at += len(argument.encode()) + 1
    memory.write(at, bytes(range(16)))
    numbers = [word for pair in [*auxiliary, (25, at), (0, 0)] for word in pair]
    words = [len(arguments), *pointers, 0, 0, *numbers]
    stack = (STACK_TOP - PAGE - 8 * len(words) - 64) & -16
    memory.write(stack, struct.pack(f"<{len(words)}Q", *words))
    return stack


def first_state(entry: int, stack: int) -> bochscpu.State:
    """A processor about to begin the program, with all its registers enabled."""
    state = bochscpu.State()
    bochscpu.cpu.set_long_mode(state)
    state.cr0, state.cr3, state.cr4 = CR0_PAGING_AND_SSE, PAGE_TABLE_AT, CR4_WIDE_REGISTERS
    state.efer, state.xcr0 = EFER_LONG_MODE_AND_SYSCALL, XCR0_AVX512
    state.lstar, state.star, state.sfmask = STUB_AT, CODE[0] << 32, 0
    state.rflags, state.mxcsr, state.mxcsr_mask = 2, 0x1F80, 0xFFFF
    state.fpcw, state.fptw = 0x37F, 0xFFFF
    state.cs = segment(CODE)
    for name in ("ss", "ds", "es", "fs", "gs"):
        setattr(state, name, segment(DATA))
    state.rip, state.rsp = entry, stack
    return state


def run(arguments: list[str]) -> int:
    """Run a program to its end; its exit status."""
    memory = Memory()
    entry, end, auxiliary = load(Path(arguments[0]).read_bytes(), memory)
    stack = lay_out_stack(memory, arguments, auxiliary)
    kernel = Kernel(memory, (end + PAGE - 1) & -PAGE)
    memory.map(STUB_AT, PAGE)
    memory.write(STUB_AT, HALT)
    for host, physical in memory.table.commit(PAGE_TABLE_AT):
        page_insert(physical, host)

    session = bochscpu.Session()
    session.cpu.state = first_state(entry, stack)
    faults: list[str] = []

    def halted(session: bochscpu.Session, _: int) -> None:
        session.stop()

    def fault(session: bochscpu.Session, _: int, vector: int, code: int) -> None:
        faults.append(f"exception {vector} ({code}) at {session.cpu.rip:#x}")
        session.stop()

    hook = bochscpu.Hook()
    hook.hlt, hook.exception = halted, fault
    while kernel.exit_status is None:
        session.run([hook])
        if faults:
            sys.stderr.write(f"{faults[0]}\n")
            return 4
        state = session.cpu.state
        result = kernel.call(state)
        state.rax, state.rip, state.rflags = result % 2**64, state.rcx, state.r11 | 2
        state.cs, state.ss = segment(CODE), segment(DATA)
        session.cpu.state = state
    return kernel.exit_status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
