//! Client requests of valgrind on x86-64: marks memory as secret, or as public.

use std::{arch::asm, hint::black_box};

/// Marks memory as secret: valgrind reports every branch and every address that depends on it.
pub(crate) fn secret(bytes: &[u8]) {
    request(MAKE_MEM_UNDEFINED, bytes);
}

/// Marks memory as public.
pub(crate) fn public(bytes: &[u8]) {
    request(MAKE_MEM_DEFINED, bytes);
}

/// Returns a value that is public from now on, such as the verdict of a check.
pub(crate) fn revealed<T>(value: T) -> T {
    let value = black_box(value);
    let start = (&raw const value).cast::<u8>();
    // SAFETY: these are the bytes of `value`, and they are not read.
    public(unsafe { std::slice::from_raw_parts(start, size_of::<T>()) });
    black_box(value)
}

/// How many errors valgrind has reported; 0 without valgrind.
pub(crate) fn errors() -> usize {
    ask([COUNT_ERRORS, 0, 0, 0, 0, 0])
}

/// Whether valgrind runs this.
pub(crate) fn is_there() -> bool {
    ask([RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) > 0
}

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;
const MAKE_MEM_DEFINED: usize = MEMCHECK + 2;

fn request(what: usize, bytes: &[u8]) {
    ask([what, bytes.as_ptr().addr(), bytes.len(), 0, 0, 0]);
}

fn ask(arguments: [usize; 6]) -> usize {
    let mut answer = 0_usize;
    // SAFETY: the rotations come to a full turn, and the exchange changes nothing: on a processor
    // these do nothing. valgrind knows the sequence, and answers in rdx.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            inout("rdi") 0_usize => _,
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
        );
    }
    answer = black_box(answer);
    answer
}
