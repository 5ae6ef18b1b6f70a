//! What the system's allocator keeps of the memory that tensors have freed.
//!
//! Both functions free nothing that is in use and change no result; where the C library is not glibc, they do less. Not here:
//! the pools of buffers themselves (`tensor`). One of the five files that may use `unsafe`: glibc has no safe interface.
#![allow(unsafe_code)]

use crate::tensor::release_buffers;

/// Makes the allocator take every buffer of a large tensor from the system by itself, so that it can give it back by itself.
/// Left alone, glibc does so until the first such buffer is freed, and from then on keeps the holes between buffers in use:
/// on 8 threads as much again as the tensors (decision 0028). For a program to call when it starts; a library does not decide this.
pub fn settle() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const M_TRIM_THRESHOLD: c_int = -1;
        const M_MMAP_THRESHOLD: c_int = -3;
        const M_MMAP_MAX: c_int = -4;
        // SAFETY: mallopt(3) with parameters of <malloc.h>; any thread may call it at any time.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, 128 << 10);
            mallopt(M_MMAP_MAX, 1 << 14); // a process may have 65,530 mappings, and needs some for other things
            mallopt(M_TRIM_THRESHOLD, 8 << 20); // kept at the end of an arena: small tensors come and go every step
        }
    }
}

/// Gives back what the pools of buffers and the allocator keep for later. For the moment between training and a check,
/// whose buffers have other sizes and other threads: what one leaves behind is of no use to the other.
pub fn give_back() {
    release_buffers();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim(3), which any thread may call at any time.
    unsafe {
        malloc_trim(0)
    };
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::ffi::c_int;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
    fn malloc_trim(pad: usize) -> c_int;
}
