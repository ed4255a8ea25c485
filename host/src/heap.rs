//! What becomes of memory that was used once.

/// Bytes from which an allocation is a mapping of its own, and bytes that a heap keeps at its end.
#[cfg(target_env = "gnu")]
const LARGE: (libc::c_int, libc::c_int) = (256 << 10, 1 << 20);

/// Has glibc's allocator return large allocations to the system when they are freed. To be called first of all.
///
/// By itself it learns: once an allocation of some size (up to 32 MiB) is freed, the next of that size come from its heaps,
/// and stay with the process for whatever small thing was allocated behind them. Five rounds of all hostile guests left
/// 43 MB so, and leave 13 now, most of it pages of the program and places of the pool. Other allocators have nothing to be
/// told.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "nobody offers this as a safe function")]
    // SAFETY: these set numbers of the allocator, under its own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE.0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE.1);
    }
}
