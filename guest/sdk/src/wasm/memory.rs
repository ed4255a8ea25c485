//! The guest's memory.
//!
//! With Rust's own allocator each call of a guest asks for more memory, though it lives for one call only: the host then
//! changes what its process may touch, and changes it back when the call has ended, for which all of its threads are
//! interrupted. Here a guest begins with as much as most calls need; what it does not touch costs nothing.

#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::Layout;
use std::arch::wasm32::memory_grow;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Bytes to begin with.
const FIRST: usize = 1 << 20;
/// Bytes of a page.
const PAGE: usize = 64 << 10;
/// More than the allocator needs for itself of what it is given.
const OVERHEAD: usize = 4 << 10;

#[global_allocator]
static ALLOCATOR: TalcSyncCell<Memory, WasmBinning> = TalcSyncCell::new_wasm(Memory::Unused);

static mut FIRST_MEMORY: [MaybeUninit<u8>; FIRST] = [MaybeUninit::uninit(); FIRST];

#[derive(Debug)]
enum Memory {
    Unused,
    /// Where what is known of it ends.
    Until(NonNull<u8>),
}

// SAFETY: it allocates nothing by itself.
unsafe impl Source for Memory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let (base, size) = match talc.source {
            Self::Unused => ((&raw mut FIRST_MEMORY).cast::<u8>(), FIRST),
            Self::Until(_) => {
                // No more than is needed: near its bound a guest gets the last page, too.
                let wanted = layout.size().saturating_add(layout.align() + OVERHEAD);
                let pages = wanted.div_ceil(PAGE);
                match memory_grow::<0>(pages) {
                    usize::MAX => return Err(()),
                    before => ((before * PAGE) as *mut u8, pages * PAGE),
                }
            }
        };
        // SAFETY: nobody else has this memory. The first is named here only and given away once; the rest is new.
        let end = unsafe {
            match talc.source {
                Self::Until(end) if end.as_ptr() == base => talc.extend(end, base.add(size)),
                _ => talc.claim(base, size).ok_or(())?,
            }
        };
        talc.source = Self::Until(end);
        Ok(())
    }
}
