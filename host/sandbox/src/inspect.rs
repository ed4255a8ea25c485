//! What a component asks for and offers, read before anything is compiled.

use std::borrow::Cow;

use wasmparser::{CanonicalOption, Encoding, Parser, Payload};

use crate::error::Refusal;
use crate::wasi;

/// The imports that a guest is given. `types` is here because components name the types they use; it is no ability.
pub(crate) const GIVEN: [&str; 3] = [
    "airlock:guest/types@0.1.0",
    "airlock:guest/dify@0.1.0",
    "airlock:guest/client@0.1.0",
];

/// The exports that a guest must have.
const WANTED: [&str; 1] = ["airlock:guest/tools@0.1.0"];

/// The exports that a guest may have.
pub(crate) const RESOURCES: &str = "airlock:guest/resources@0.1.0";
pub(crate) const PROMPTS: &str = "airlock:guest/prompts@0.1.0";
pub(crate) const COMPLETIONS: &str = "airlock:guest/completions@0.1.0";

/// A component's imports and exports, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What it asks for.
    pub imports: Vec<String>,
    /// What it offers. Names that the contract does not have are passed over: a later Airlock may know them.
    pub exports: Vec<String>,
}

impl Inspection {
    /// The same of a component that was compiled, and so inspected, before.
    pub(crate) fn of(engine: &wasmtime::Engine, compiled: &wasmtime::component::Component) -> Self {
        let names = compiled.component_type();
        Self {
            imports: names
                .imports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
            exports: names
                .exports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
        }
    }

    pub(crate) fn offers(&self, export: &str) -> bool {
        self.exports.iter().any(|name| name == export)
    }
}

/// The component in `bytes`: as it is, or made of a core module that carries its component type.
///
/// # Errors
/// [`Refusal::NotWasm`] and [`Refusal::NotAComponent`].
pub fn as_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version {
            encoding: Encoding::Component,
            ..
        })) => Ok(Cow::Borrowed(bytes)),
        Some(Ok(Payload::Version {
            encoding: Encoding::Module,
            ..
        })) => encode(bytes).map(Cow::Owned),
        Some(Ok(_)) => Err(Refusal::NotWasm("it does not begin with a version".into())),
        Some(Err(_)) => Err(Refusal::NotWasm("it does not begin with \\0asm".into())),
        None => Err(Refusal::NotWasm("it is empty".into())),
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let typed = wit_component::metadata::decode(module)
        .map_err(|error| Refusal::NotWasm(format!("{error:#}")))?
        .0;
    // The encoder makes an empty component of a module without a type, and says nothing.
    if typed.is_none() {
        return Err(Refusal::NotAComponent(
            "it was not built against the contract".into(),
        ));
    }
    wit_component::ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| Refusal::NotAComponent(format!("{error:#}")))
}

/// Reads a component's imports and exports, and refuses what no guest is given.
///
/// # Errors
/// [`Refusal::UnknownImports`], [`Refusal::MissingExports`], [`Refusal::StringEncoding`], [`Refusal::Invalid`].
pub fn inspect(component: &[u8]) -> Result<Inspection, Refusal> {
    let invalid = |error: wasmparser::BinaryReaderError| Refusal::Invalid(error.to_string());
    let mut found = Inspection {
        imports: Vec::new(),
        exports: Vec::new(),
    };
    // `parse_all` walks into nested modules and components; only the outermost one's names count.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found
                        .imports
                        .push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    found
                        .exports
                        .push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    refuse_transcoding(&function.map_err(invalid)?)?;
                }
            }
            _ => {}
        }
    }
    let unknown: Vec<String> = found
        .imports
        .iter()
        .filter(|name| !GIVEN.contains(&name.as_str()) && !wasi::serves(name, &found.imports))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(Refusal::UnknownImports(unknown));
    }
    let missing: Vec<String> = WANTED
        .iter()
        .filter(|name| !found.offers(name))
        .map(|n| (*n).to_owned())
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::MissingExports(missing));
    }
    Ok(found)
}

/// wasmtime's transcoders had memory-safety advisories in April 2026 (GHSA-394w-hwhg-8vgm and its siblings). Every
/// toolchain writes UTF-8, so nobody loses when the rest is refused at the door.
fn refuse_transcoding(function: &wasmparser::CanonicalFunction) -> Result<(), Refusal> {
    let options = match function {
        wasmparser::CanonicalFunction::Lift { options, .. }
        | wasmparser::CanonicalFunction::Lower { options, .. } => options,
        // The rest either takes no strings or belongs to proposals that the engine has switched off.
        _ => return Ok(()),
    };
    for option in options.iter() {
        match option {
            CanonicalOption::UTF16 => return Err(Refusal::StringEncoding("UTF-16")),
            CanonicalOption::CompactUTF16 => return Err(Refusal::StringEncoding("Latin-1/UTF-16")),
            _ => {}
        }
    }
    Ok(())
}
