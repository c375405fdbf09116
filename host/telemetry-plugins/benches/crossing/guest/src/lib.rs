//! One guest for every shape that the bench compares.

#[path = "../../../../../../plugins/sdk/src/arena.rs"]
mod arena;
mod convert;
pub mod layout;
mod shapes;
mod typed;
pub mod work;
pub mod write;

mod bindings {
    wit_bindgen::generate!({ path: "src/shapes.wit", world: "shapes" });
}

use bindings::exports::bench::shapes as wit;

struct Shapes;

/// Bytes of the arena.
const ARENA: usize = 256 * 1024;

#[allow(unsafe_code)]
const _: () = {
    bindings::export!(Shapes with_types_in bindings);
};

impl wit::setup::Guest for Shapes {
    fn fill(groups: u32) {
        work::fill(groups);
    }

    fn without_arena() {
        // One block that takes all of it: from now on the usual allocator gives everything.
        Box::leak(std::hint::black_box(Box::<[u8]>::new_uninit_slice(ARENA)));
    }
}
