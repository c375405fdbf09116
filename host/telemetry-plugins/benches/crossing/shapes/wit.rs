//! What crosses, as Rust lowers and lifts it: `guest/src/shapes.wit`.

use wasmtime::component::{ComponentType, Lift, Lower};

pub mod typed {
    use super::*;

    /// A on its way in: text is borrowed.
    #[derive(ComponentType, Lower)]
    #[component(record)]
    pub struct Coded {
        pub codes: Vec<u32>,
        pub texts: Vec<&'static str>,
    }

    #[derive(ComponentType, Lower)]
    #[component(variant)]
    pub enum Cells {
        #[component(name = "integers")]
        Integers(Vec<i64>),
        #[component(name = "reals")]
        Reals(Vec<f64>),
        #[component(name = "texts")]
        Texts(Vec<&'static str>),
        #[component(name = "coded")]
        Coded(Coded),
        #[component(name = "bytes")]
        Bytes(Vec<Box<[u8]>>),
        #[component(name = "groups")]
        Groups(Vec<u32>),
    }

    #[derive(ComponentType, Lower)]
    #[component(record)]
    pub struct Column {
        pub present: Vec<u8>,
        pub cells: Cells,
    }

    #[derive(ComponentType, Lower)]
    #[component(record)]
    pub struct Batch {
        pub rows: u32,
        pub columns: Vec<Column>,
    }

    /// A on its way out.
    #[derive(ComponentType, Lift)]
    #[component(record)]
    pub struct CodedAnswer {
        pub codes: Vec<u32>,
        pub texts: Vec<String>,
    }

    #[derive(ComponentType, Lift)]
    #[component(variant)]
    #[allow(dead_code, reason = "no shape answers with all")]
    pub enum CellsAnswer {
        #[component(name = "integers")]
        Integers(Vec<i64>),
        #[component(name = "reals")]
        Reals(Vec<f64>),
        #[component(name = "texts")]
        Texts(Vec<String>),
        #[component(name = "coded")]
        Coded(CodedAnswer),
        #[component(name = "bytes")]
        Bytes(Vec<Vec<u8>>),
        #[component(name = "groups")]
        Groups(Vec<u32>),
    }

    #[derive(ComponentType, Lift)]
    #[component(record)]
    pub struct ColumnAnswer {
        pub present: Vec<u8>,
        pub cells: CellsAnswer,
    }

    #[derive(ComponentType, Lift)]
    #[component(record)]
    pub struct Answer {
        pub rows: u32,
        pub columns: Vec<ColumnAnswer>,
    }
}

/// A shape with the same types both ways.
macro_rules! shape {
    ($name:ident, { $($column:ident: $column_ty:ty),* }, { $($list:ident: $list_ty:ty),* }) => {
        pub mod $name {
            use super::*;

            #[derive(ComponentType, Lift, Lower)]
            #[component(record)]
            pub struct Column {
                $(pub $column: $column_ty,)*
            }

            #[derive(ComponentType, Lift, Lower)]
            #[component(record)]
            pub struct Batch {
                pub rows: u32,
                pub columns: Vec<Column>,
                $(pub $list: $list_ty,)*
            }
        }
    };
}

shape!(flat, { kind: u16, present: Vec<u8>, numbers: Vec<u64>, codes: Vec<u32>, offsets: Vec<u32>, bytes: Vec<u8> }, {});
shape!(flat_bytes, { kind: u16, present: Vec<u8>, numbers: Vec<u8>, codes: Vec<u8>, offsets: Vec<u8>, bytes: Vec<u8> }, {});
shape!(shared, { kind: u16, count: u32, present: u32, cells: u32, offsets: u32, bytes: u32 }, { wide: Vec<u64>, words: Vec<u32>, bytes: Vec<u8> });
shape!(short, { kind: u16, bitmaps: u16, count: u32, at: u32 }, { data: Vec<u8> });

pub mod long {
    use super::*;

    #[derive(ComponentType, Lift, Lower)]
    #[component(record)]
    pub struct Batch {
        pub rows: u32,
        pub columns: Vec<shared::Column>,
        pub data: Vec<u8>,
    }
}
