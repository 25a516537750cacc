//! Asking the processor to fetch memory that will be looked at soon.
//!
//! A look-up waits for memory two or three times, one wait after the other; when several keys are known at once their
//! waits can pass side by side.
#![allow(unsafe_code, reason = "the instruction takes a bare address")]

/// Starts fetching the cache line in which this element of a slice begins. A hint: it changes nothing, and past the end it does
/// nothing.
#[inline]
pub(crate) fn prefetch<T>(slice: &[T], index: usize) {
    if let Some(element) = slice.get(index) {
        line(element);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line<T>(element: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let address = std::ptr::from_ref(element).cast();
    // SAFETY: The instruction belongs to SSE, which every x86-64 has. It reads and writes nothing and cannot fault, whatever
    // the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) }
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn line<T>(element: &T) {
    let address = std::ptr::from_ref(element);
    // SAFETY: The instruction changes neither memory nor registers nor flags, and cannot fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn line<T>(_element: &T) {}
