//! Components made of the texts in `tests/hostile`.

use anyhow::Context;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::guests::workspace;

/// What a text does not say for itself: it is a good guest's.
const PARTS: [(&str, &str); 4] = [
    (
        "(export \"memory\")",
        include_str!("../../hostile/parts/memory.wat"),
    ),
    (
        "\"cabi_realloc\"",
        include_str!("../../hostile/parts/realloc.wat"),
    ),
    (
        "#describe\"",
        include_str!("../../hostile/parts/describe.wat"),
    ),
    ("#call\"", include_str!("../../hostile/parts/call.wat")),
];

/// Section ids of the component model's binary format.
const CUSTOM: u8 = 0;
const COMPONENT: u8 = 4;
const COMPONENT_INSTANCE: u8 = 5;

/// A guest with these fields in its core module, and a good guest's for the rest.
pub(super) fn guest(fields: &str) -> anyhow::Result<Vec<u8>> {
    let missing = PARTS.iter().filter(|(mark, _)| !fields.contains(mark));
    let parts: Vec<&str> = missing.map(|(_, part)| *part).collect();
    let mut module = wat::parse_str(format!("(module\n{fields}\n{})", parts.concat()))?;
    let mut contract = Resolve::default();
    let (package, _) = contract.push_dir(workspace().join("wit"))?;
    let world = contract.select_world(&[package], Some("guest"))?;
    wit_component::embed_component_metadata(
        &mut module,
        &contract,
        world,
        StringEncoding::UTF8,
        false,
    )?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .context("no component can be made of it")
}

/// A good guest that has this component inside, and an instance of it with every instance of its own.
pub(super) fn guest_around(inner: &str) -> anyhow::Result<Vec<u8>> {
    let (mut outer, inner) = (guest("")?, wat::parse_str(inner)?);
    let (mut depth, mut components) = (0_usize, 0_usize);
    for payload in Parser::new(0).parse_all(&outer) {
        match payload? {
            Payload::ComponentSection { .. } => {
                components += usize::from(depth == 0);
                depth += 1;
            }
            Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    section(&mut outer, COMPONENT, &inner);
    // One instance: instantiate, this component, no arguments.
    let mut instance = vec![1, 0];
    leb(&mut instance, components);
    instance.push(0);
    section(&mut outer, COMPONENT_INSTANCE, &instance);
    Ok(outer)
}

/// The same with so many bytes of nothing behind it, which make another component of it.
pub(super) fn padded(mut component: Vec<u8>, bytes: usize) -> Vec<u8> {
    let mut pad = vec![3, b'p', b'a', b'd'];
    pad.resize(pad.len() + bytes, 0);
    section(&mut component, CUSTOM, &pad);
    component
}

fn section(component: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    component.push(id);
    leb(component, bytes.len());
    component.extend_from_slice(bytes);
}

/// LEB128, as WebAssembly writes its numbers.
fn leb(to: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        to.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}
