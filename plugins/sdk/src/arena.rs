//! The allocator: 256 KiB of static memory first, then the usual one.
//!
//! A fresh instance lives for one unit of work, and growing its memory costs more than the work itself. Freeing takes the newest block
//! back, and everything once nothing is live; what lives longer overflows into the usual allocator, which frees properly.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;

const SIZE: usize = 256 * 1024;

#[repr(align(16))]
struct Memory(UnsafeCell<[u8; SIZE]>);

struct Arena {
    top: UnsafeCell<usize>,
    live: UnsafeCell<usize>,
}

// SAFETY: a component has one thread; the host refuses modules with shared memory.
unsafe impl Sync for Memory {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

#[global_allocator]
static ARENA: Arena = Arena { top: UnsafeCell::new(0), live: UnsafeCell::new(0) };

impl Arena {
    fn offset(ptr: *mut u8) -> Option<usize> {
        let offset = (ptr as usize).wrapping_sub(MEMORY.0.get() as usize);
        (offset < SIZE).then_some(offset)
    }
}

// SAFETY: blocks of the arena do not overlap, since `top` only falls to the start of its newest block or, with nothing live, to 0;
// all others are the system allocator's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe {
            let start = (*self.top.get()).next_multiple_of(layout.align());
            match start.checked_add(layout.size()) {
                Some(end) if end <= SIZE && layout.align() <= 16 => {
                    *self.top.get() = end;
                    *self.live.get() += 1;
                    MEMORY.0.get().cast::<u8>().add(start)
                }
                _ => System.alloc(layout),
            }
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe {
            let Some(offset) = Self::offset(ptr) else {
                return System.dealloc(ptr, layout);
            };
            *self.live.get() -= 1;
            if *self.live.get() == 0 {
                *self.top.get() = 0;
            } else if offset + layout.size() == *self.top.get() {
                *self.top.get() = offset;
            }
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        unsafe {
            let Some(offset) = Self::offset(ptr) else {
                return System.realloc(ptr, layout, new_size);
            };
            if offset + layout.size() == *self.top.get() && offset + new_size <= SIZE {
                *self.top.get() = offset + new_size;
                return ptr;
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(ptr, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
            moved
        }
    }
}
