//! WASI 0.2 for guests whose language insists on it: a world with nothing in it.
//!
//! A component that imports none of it is linked to none of it. One that does is linked to exactly the functions that it
//! names: those that a program can call which was given nothing are in `functions`; all others of these interfaces take a
//! handle that nobody can have, or open a socket, and end the call. That is what `componentize-py --stub-wasi` puts into a
//! component, done here for components that come without.
//!
//! Not `wasmtime-wasi`: it brings a file system and sockets into the process to refuse them there, and most of its
//! advisories of 2026 were about the former.

mod functions;
mod output;
mod world;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use crate::state::State;

pub(crate) use output::Stream;
pub(crate) use world::World;

/// The interfaces, at any version of 0.2. What is not here, `wasi:http` before all, is refused by name.
const INTERFACES: [&str; 27] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// What every program imports that has a libc.
const PROGRAM: &str = "wasi:cli/environment";

/// The interface of `import`, without its version, if it is one of these.
pub(crate) fn interface(import: &str) -> Option<&'static str> {
    let (name, version) = import.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    if patch.is_empty() || !patch.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    INTERFACES.into_iter().find(|known| *known == name)
}

/// Is `import`, one of `all` of a component's, served here?
///
/// A program's libc brings sockets along with everything else, as Python's does, whether it opens one or not. Who asks for
/// sockets without the rest asks for sockets, and hears at the door that there are none.
pub(crate) fn serves(import: &str, all: &[String]) -> bool {
    let is_program = || {
        let mut interfaces = all.iter().filter_map(|import| interface(import));
        interfaces.any(|name| name == PROGRAM)
    };
    interface(import).is_some_and(|name| !name.starts_with("wasi:sockets/") || is_program())
}

/// The guest called something that is only there in name.
#[derive(Debug, thiserror::Error)]
#[error("it called {0}, which no guest can use")]
struct Closed(String);

/// A handle that no guest can have: nothing here makes one.
enum Absent {}

/// Links what `component` imports of WASI, and nothing else.
///
/// # Errors
/// A function has other types than WASI's.
pub(crate) fn link(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(members)) =
            (interface(name), import.ty)
        else {
            continue;
        };
        let mut instance = linker.instance(name)?;
        for (member, item) in members.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => resource(&mut instance, member)?,
                ComponentItem::ComponentFunc(_) => function(&mut instance, interface, member)?,
                // Types, which have no code behind them; what else there may be does not fit anything here.
                _ => {}
            }
        }
    }
    Ok(())
}

fn function(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    if functions::link(instance, interface, name)? {
        return Ok(());
    }
    let closed = format!("{interface} {name}");
    instance.func_new(name, move |_, _, _, _| Err(Closed(closed.clone()).into()))
}

fn resource(instance: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    match name {
        "pollable" => instance.resource(
            name,
            ResourceType::host::<world::Pollable>(),
            |mut store, pollable| store.data_mut().wasi.drop_pollable(pollable),
        ),
        "input-stream" => instance.resource(
            name,
            ResourceType::host::<functions::InputStream>(),
            |_, _| Ok(()),
        ),
        "output-stream" => instance.resource(name, ResourceType::host::<Stream>(), |_, _| Ok(())),
        _ => instance.resource(name, ResourceType::host::<Absent>(), |_, _| Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_let_in_as_luggage_alone() {
        let imports = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let socket = "wasi:sockets/tcp@0.2.0";
        let alone: Vec<String> = imports(&[socket, "wasi:io/poll@0.2.0"]);
        assert!(!serves(socket, &alone));
        assert!(serves("wasi:io/poll@0.2.0", &alone));
        let luggage: Vec<String> = imports(&["wasi:cli/environment@0.2.0", socket]);
        assert!(serves(socket, &luggage));
    }

    #[test]
    fn an_interface_is_known_at_any_version_of_0_2_and_at_no_other() {
        for known in ["wasi:cli/exit@0.2.0", "wasi:cli/exit@0.2.12"] {
            assert_eq!(interface(known), Some("wasi:cli/exit"));
        }
        for unknown in [
            "wasi:cli/exit",
            "wasi:cli/exit@0.2",
            "wasi:cli/exit@0.2.",
            "wasi:cli/exit@0.2.0-rc-1",
            "wasi:cli/exit@0.3.0",
            "wasi:cli/exit@10.2.0",
            "wasi:cli/run@0.2.0",
            "wasi:http/types@0.2.0",
            "wasi:cli@0.2.0",
        ] {
            assert_eq!(interface(unknown), None, "{unknown}");
        }
    }
}
