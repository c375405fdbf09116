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

#[allow(unsafe_code)]
const _: () = {
    bindings::export!(Shapes with_types_in bindings);
};

impl wit::setup::Guest for Shapes {
    fn fill(groups: u32) {
        work::fill(groups);
    }
}
