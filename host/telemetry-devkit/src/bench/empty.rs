//! A component that takes a plugin's columns and gives nothing: what is left is the host's and the boundary's.

use telemetry_plugins::{Manifest, PluginKind};
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use crate::build::componentize_for;
use crate::section::BuildNote;

/// Where the answer stands, where zeros do, and where arguments begin.
const ANSWER: i32 = 64;
const COLUMN: i32 = 128;
const ZEROS: i32 = 1024;
const ARGUMENTS: i32 = 65_536;
/// 2 MiB: room for the arguments of any batch.
const PAGES: u64 = 32;

/// An empty component of the kind of `manifest`, with its source, families and reads.
pub(super) fn of(manifest: &Manifest) -> Result<Vec<u8>, String> {
    let kind = manifest.kind.as_str();
    let mut text = format!("id = \"empty\"\nversion = \"1\"\nkind = \"{kind}\"\nsource = \"{}\"\n", manifest.source);
    if let Some(families) = &manifest.families {
        text += &format!("families = {:?}\n", families.iter().map(|family| family.as_str()).collect::<Vec<_>>());
    }
    for read in &manifest.reads {
        text += &format!("[[reads]]\nfield = {}\ntype = \"{}\"\n", toml::Value::from(read.field.to_string()), read.ty.as_str());
    }
    if !matches!(manifest.kind, PluginKind::Validator | PluginKind::Masker) {
        text += "[[writes]]\nkey = \"empty\"\ntype = \"boolean\"\n";
    }
    let note = BuildNote { toolchain: String::new(), source_sha256: String::new(), sdk: String::new() };
    componentize_for(kind, &module(manifest.kind), &text, &note)
}

/// A function: its type's place and parameters, its name, its body.
struct Export<'a> {
    ty: u32,
    name: String,
    body: &'a dyn Fn(&mut InstructionSink<'_>),
}

/// Types by place: arguments, all i32, of functions that give an i32; the last gives nothing.
const TYPES: [usize; 6] = [1, 2, 4, 5, 7, 1];

fn module(kind: PluginKind) -> Vec<u8> {
    let interface = format!("agent-telemetry:{}/{}@0.1.0-rc", kind.as_str(), kind.as_str());
    let mut imports = ImportSection::new();
    let is_metric = kind == PluginKind::Metric;
    if is_metric {
        imports.import(&format!("[export]{interface}"), "[resource-new]accumulator", EntityType::Function(0));
    }
    let nothing: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        code.i32_const(0);
    };
    let absent_of_rows: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        absent(code, &|code| {
            code.local_get(0);
        })
    };
    let no_span: &dyn Fn(&mut InstructionSink<'_>) = &|code| found_nothing(code);
    let absent_of_groups: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        absent(code, &|code| {
            code.global_get(1);
        })
    };
    let updated: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        code.local_get(6).global_set(1).i32_const(ARGUMENTS).global_set(0).i32_const(0);
    };
    let opened: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        code.i32_const(ANSWER + 4).i32_const(1).call(0).i32_store(word(0)).i32_const(ANSWER);
    };
    let dropped: &dyn Fn(&mut InstructionSink<'_>) = &|_| {};
    let export = |ty, name: String, body| Export { ty, name, body };
    let allocate: &dyn Fn(&mut InstructionSink<'_>) = &|code| {
        // The next free byte, a multiple of 8; the arguments of one call fit.
        code.global_get(0).global_get(0).local_get(3).i32_add().i32_const(7).i32_add().i32_const(-8).i32_and().global_set(0);
    };
    let mut exports = vec![export(2, "cabi_realloc".to_owned(), allocate)];
    match kind {
        PluginKind::Metric => {
            let method = |name: &str| format!("{interface}#[method]accumulator.{name}");
            exports.push(export(2, format!("{interface}#[static]accumulator.open"), opened));
            exports.push(export(4, method("update"), updated));
            exports.push(export(4, method("merge"), updated));
            exports.push(export(0, method("state"), absent_of_groups));
            exports.push(export(0, method("evaluate"), absent_of_groups));
            exports.push(export(5, format!("{interface}#[dtor]accumulator"), dropped));
        }
        kind => {
            let (name, body) = match kind {
                PluginKind::Validator => ("validate", nothing),
                PluginKind::Masker => ("mask", no_span),
                _ => ("enrich", absent_of_rows),
            };
            exports.push(export(1, format!("{interface}#configure"), nothing));
            exports.push(export(3, format!("{interface}#{name}"), body));
        }
    }
    assemble(&imports, &exports, u32::from(is_metric))
}

/// The columns of a masker's answer without a row: three integers, a text with its one offset.
fn found_nothing(code: &mut InstructionSink<'_>) {
    let mut store = |place: i32, value: i32| {
        code.i32_const(place).i32_const(value).i32_store(word(0));
    };
    for (column, kind) in (0..).zip([2, 2, 2, 5]) {
        [kind, 0, 0].into_iter().zip([0, 4, 8]).for_each(|(value, at)| store(COLUMN + 12 * column + at, value));
    }
    [0, COLUMN, 4, ZEROS, 8].into_iter().zip([4, 8, 12, 16, 20]).for_each(|(value, at)| store(ANSWER + at, value));
    code.i32_const(ANSWER);
}

/// One boolean column without a value, in as many rows as `rows` gives.
fn absent(code: &mut InstructionSink<'_>, rows: &dyn Fn(&mut InstructionSink<'_>)) {
    let padded = |code: &mut InstructionSink<'_>, shift: i32| {
        rows(code);
        // Rows, or bits of rows, up to a multiple of 8 bytes.
        code.i32_const((8 << shift) - 1).i32_add().i32_const(3 + shift).i32_shr_u().i32_const(3).i32_shl();
    };
    let mut store = |place: i32, value: &dyn Fn(&mut InstructionSink<'_>)| {
        code.i32_const(place);
        value(code);
        code.i32_store(word(0));
    };
    // Kind 1, bitmap `present`: two halves of a word.
    store(COLUMN, &|code| {
        code.i32_const(0x1_0001);
    });
    store(COLUMN + 4, rows);
    store(ANSWER + 4, rows);
    store(ANSWER + 8, &|code| {
        code.i32_const(COLUMN);
    });
    store(ANSWER + 12, &|code| {
        code.i32_const(1);
    });
    store(ANSWER + 16, &|code| {
        code.i32_const(ZEROS);
    });
    store(ANSWER + 20, &|code| {
        padded(code, 3);
        padded(code, 0);
        code.i32_add();
    });
    code.i32_const(ANSWER);
}

fn word(offset: u64) -> MemArg {
    MemArg { offset, align: 2, memory_index: 0 }
}

fn assemble(imports: &ImportSection, exports: &[Export<'_>], imported: u32) -> Vec<u8> {
    let (mut types, mut functions, mut named, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    for (place, parameters) in TYPES.iter().enumerate() {
        let results: &[ValType] = if place + 1 == TYPES.len() { &[] } else { &[ValType::I32] };
        types.ty().function(vec![ValType::I32; *parameters], results.iter().copied());
    }
    for (place, export) in (imported..).zip(exports) {
        functions.function(export.ty);
        named.export(&export.name, ExportKind::Func, place);
        let mut function = Function::new([]);
        (export.body)(&mut function.instructions());
        function.instructions().end();
        code.function(&function);
    }
    named.export("memory", ExportKind::Memory, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: PAGES, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    let global = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(global, &ConstExpr::i32_const(ARGUMENTS));
    globals.global(global, &ConstExpr::i32_const(0));
    let mut module = Module::new();
    module.section(&types).section(imports).section(&functions).section(&memories).section(&globals).section(&named).section(&code);
    module.finish()
}
