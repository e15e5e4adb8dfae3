//! Looks at a component before it is compiled: is it one, is it whole, which world is it for, does it need
//! something we don't have?
//!
//! The engine would refuse the same files, in words made for its own developers.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::capability::{OFFERED, Offered};

/// What a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum World {
    /// `wasi:http/proxy` 0.2: it answers requests.
    Http,
    /// `wasi:cli/command` 0.2: it runs and ends.
    Command,
}

/// Why a component can't run here. `Display` is for the person who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not WebAssembly at all, or damaged; names the byte offset.
    #[error("not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// A core module.
    #[error(
        "this is a core WebAssembly module, not a component: build it for wasm32-wasip2, or wrap it with an adapter \
         (`wasm-tools component new`)"
    )]
    CoreModule,
    /// It needs an interface that is not offered.
    #[error("{0}")]
    Import(String),
    /// It exports neither of the worlds that are run.
    #[error("{0}")]
    World(String),
}

impl Refusal {
    /// The file is not whole where `error` says.
    pub(super) fn damaged(error: &wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(located(error))
    }

    /// As the compiler child says it: a kind and the text.
    pub(super) fn to_words(&self) -> String {
        match self {
            Self::Invalid(why) => format!("invalid {why}"),
            Self::CoreModule => "core".to_owned(),
            Self::Import(why) => format!("import {why}"),
            Self::World(why) => format!("world {why}"),
        }
    }

    /// Reads what [`to_words`](Self::to_words) wrote.
    pub(super) fn from_words(words: &str) -> Self {
        match words.split_once(' ') {
            Some(("import", why)) => Self::Import(why.to_owned()),
            Some(("world", why)) => Self::World(why.to_owned()),
            Some(("invalid", why)) => Self::Invalid(why.to_owned()),
            _ if words == "core" => Self::CoreModule,
            _ => Self::Invalid(words.to_owned()),
        }
    }
}

const MAGIC: &[u8] = b"\0asm";

/// Checks a component's bytes: form, validity, imports, world.
pub fn check(bytes: &[u8]) -> Result<World, Refusal> {
    if !bytes.starts_with(MAGIC) {
        return Err(Refusal::Invalid(
            "it does not begin with the bytes of a WebAssembly file (offset 0)".into(),
        ));
    }
    let surface = surface(bytes)?;
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    validator
        .validate_all(bytes)
        .map_err(|error| Refusal::damaged(&error))?;
    check_imports(&surface.imports)?;
    world(surface.exports.iter().map(String::as_str))
}

/// The names at a component's outside.
#[derive(Debug, Default)]
struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Reads the outermost component's imports and exports, stepping over what is nested in it.
fn surface(bytes: &[u8]) -> Result<Surface, Refusal> {
    let invalid = |error: wasmparser::BinaryReaderError| Refusal::damaged(&error);
    let mut surface = Surface::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => return Err(Refusal::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface
                        .imports
                        .push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    surface
                        .exports
                        .push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

fn located(error: &wasmparser::BinaryReaderError) -> String {
    let message = error.message();
    let message = message
        .strip_suffix(&format!(" (at offset {:#x})", error.offset()))
        .unwrap_or(message);
    format!("{message} (at byte offset {:#x})", error.offset())
}

fn check_imports(imports: &[String]) -> Result<(), Refusal> {
    for import in imports {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        let offered = OFFERED
            .iter()
            .find(|offered| offered.interfaces.contains(&interface));
        if offered.is_some_and(|offered| version.is_empty() || offered.has(version)) {
            continue;
        }
        return Err(Refusal::Import(match offered {
            Some(_) if version.starts_with("0.3.") => wasi_p3("imports", import),
            Some(Offered { versions, .. }) => {
                format!("the component imports `{import}`; of `{interface}` only {versions} is offered")
            }
            None => format!(
                "the component imports `{import}`, which is not offered; what is: the interfaces of wasi:cli, wasi:clocks, \
                 wasi:filesystem, wasi:http (types and outgoing-handler), wasi:io, wasi:random and wasi:sockets, each 0.2, \
                 wasi:keyvalue 0.2.0-draft (without watcher) and wharf:keyvalue 0.1"
            ),
        }));
    }
    Ok(())
}

fn wasi_p3(verb: &str, name: &str) -> String {
    format!(
        "the component {verb} `{name}` of WASI 0.3; this version runs WASI 0.2: build it for wasm32-wasip2"
    )
}

fn world<'a>(exports: impl Iterator<Item = &'a str> + Clone) -> Result<World, Refusal> {
    for export in exports.clone() {
        match export.split_once('@') {
            Some(("wasi:http/incoming-handler", version)) if version.starts_with("0.2.") => {
                return Ok(World::Http);
            }
            Some(("wasi:cli/run", version)) if version.starts_with("0.2.") => return Ok(World::Command),
            _ => {}
        }
    }
    if let Some(export) = exports
        .clone()
        .find(|name| name.starts_with("wasi:") && name.contains("@0.3."))
    {
        return Err(Refusal::World(wasi_p3("exports", export)));
    }
    let listed: Vec<String> = exports.map(|name| format!("`{name}`")).take(8).collect();
    let listed = if listed.is_empty() {
        "nothing".to_owned()
    } else {
        listed.join(", ")
    };
    Err(Refusal::World(format!(
        "the component exports {listed}; it must export `wasi:http/incoming-handler` (to answer requests) or \
         `wasi:cli/run` (a job or a worker), version 0.2"
    )))
}

/// The world of a compiled component.
pub(super) fn world_of(component: &Component, engine: &Engine) -> Result<World, Refusal> {
    let kind = component.component_type();
    let names: Vec<String> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
    world(names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests;
