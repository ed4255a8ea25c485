//! The functions of WASI that a guest can call which was given nothing: one line each.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource};

use super::world::{Moment, Pollable, RESOLUTION};
use super::{Absent, Stream};
use crate::state::State;

/// Standard input: it has ended.
pub(super) enum InputStream {}

/// WASI's `stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "part of the type; nothing here fails in that way")]
    Failed(Resource<Absent>),
    #[component(name = "closed")]
    Closed,
}

/// The guest ended itself, as a program does.
#[derive(Debug, thiserror::Error)]
#[error("it called exit, and a call that exits has no answer")]
struct Exited;

type Store<'a> = StoreContextMut<'a, State>;
/// What a function on a stream returns.
type Streamed<T> = (Result<T, StreamError>,);
/// A call of a function that waits.
type Waiting<'a, T> = Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>;

/// What a stream takes at once. More than that is taken too: other bounds hold.
const ROOM: u64 = 64 << 10;

/// Standard input, and what it says to everything.
const STDIN: u32 = 0;

/// Links `function` of `interface`; false where there is no such function here.
#[expect(clippy::too_many_lines, reason = "a table, in the order of INTERFACES")]
pub(super) fn link(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    let f = function;
    match (interface, function) {
        ("wasi:cli/environment", "get-environment") => {
            instance.func_wrap(f, |_: Store, ()| Ok((Vec::<(String, String)>::new(),)))
        }
        ("wasi:cli/environment", "get-arguments") => {
            instance.func_wrap(f, |_: Store, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd") => {
            instance.func_wrap(f, |_: Store, ()| Ok((None::<String>,)))
        }
        ("wasi:cli/exit", "exit") => instance.func_wrap(
            f,
            |_: Store, _: (Result<(), ()>,)| -> wasmtime::Result<()> { Err(Exited.into()) },
        ),
        ("wasi:cli/stdin", "get-stdin") => instance.func_wrap(f, |_: Store, ()| {
            Ok((Resource::<InputStream>::new_own(STDIN),))
        }),
        ("wasi:cli/stdout", "get-stdout") => {
            instance.func_wrap(f, |_: Store, ()| Ok((Stream::Out.handle(),)))
        }
        ("wasi:cli/stderr", "get-stderr") => {
            instance.func_wrap(f, |_: Store, ()| Ok((Stream::Err.handle(),)))
        }
        (
            "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr",
            "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr",
        ) => instance.func_wrap(f, |_: Store, ()| Ok((None::<Resource<Absent>>,))),

        ("wasi:clocks/monotonic-clock", "now") => instance.func_wrap(f, |mut store: Store, ()| {
            Ok((store.data_mut().wasi.monotonic(),))
        }),
        ("wasi:clocks/monotonic-clock", "resolution") => {
            instance.func_wrap(f, |_: Store, ()| Ok((RESOLUTION,)))
        }
        ("wasi:clocks/monotonic-clock", "subscribe-instant") => instance
            .func_wrap(f, |mut store: Store, (when,): (u64,)| {
                Ok((store.data_mut().wasi.pollable(when)?,))
            }),
        ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
            instance.func_wrap(f, |mut store: Store, (nanos,): (u64,)| {
                let world = &mut store.data_mut().wasi;
                let when = world.monotonic().saturating_add(nanos);
                Ok((world.pollable(when)?,))
            })
        }
        ("wasi:clocks/wall-clock", "now") => {
            instance.func_wrap(f, |store: Store, ()| Ok((store.data().wasi.wall(),)))
        }
        ("wasi:clocks/wall-clock", "resolution") => {
            instance.func_wrap(f, |_: Store, ()| Ok((Moment::from_nanos(RESOLUTION),)))
        }

        ("wasi:filesystem/preopens", "get-directories") => instance.func_wrap(f, |_: Store, ()| {
            Ok((Vec::<(Resource<Absent>, String)>::new(),))
        }),

        ("wasi:io/poll", "poll") => instance.func_wrap_async(f, poll),
        ("wasi:io/poll", "[method]pollable.block") => instance.func_wrap_async(f, block),
        ("wasi:io/poll", "[method]pollable.ready") => {
            instance.func_wrap(f, |mut store: Store, (pollable,): (Resource<Pollable>,)| {
                Ok((store.data_mut().wasi.ready(&pollable)?,))
            })
        }

        ("wasi:io/streams", "[method]input-stream.read" | "[method]input-stream.blocking-read") => {
            instance.func_wrap(f, |_: Store, _: (Resource<InputStream>, u64)| {
                Ok::<Streamed<Vec<u8>>, _>((Err(StreamError::Closed),))
            })
        }
        ("wasi:io/streams", "[method]input-stream.skip" | "[method]input-stream.blocking-skip") => {
            instance.func_wrap(f, |_: Store, _: (Resource<InputStream>, u64)| {
                Ok::<Streamed<u64>, _>((Err(StreamError::Closed),))
            })
        }
        ("wasi:io/streams", "[method]input-stream.subscribe") => {
            instance.func_wrap(f, |mut store: Store, _: (Resource<InputStream>,)| {
                Ok((store.data_mut().wasi.pollable(0)?,))
            })
        }
        ("wasi:io/streams", "[method]output-stream.check-write") => instance
            .func_wrap(f, |_: Store, _: (Resource<Stream>,)| {
                Ok::<Streamed<u64>, _>((Ok(ROOM),))
            }),
        (
            "wasi:io/streams",
            "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
        ) => instance.func_wrap(
            f,
            |mut store: Store, (stream, bytes): (Resource<Stream>, Vec<u8>)| {
                store.data_mut().print(Stream::of(&stream), &bytes);
                Ok::<Streamed<()>, _>((Ok(()),))
            },
        ),
        (
            "wasi:io/streams",
            "[method]output-stream.flush" | "[method]output-stream.blocking-flush",
        ) => instance.func_wrap(f, |_: Store, _: (Resource<Stream>,)| {
            Ok::<Streamed<()>, _>((Ok(()),))
        }),
        ("wasi:io/streams", "[method]output-stream.subscribe") => instance
            .func_wrap(f, |mut store: Store, _: (Resource<Stream>,)| {
                Ok((store.data_mut().wasi.pollable(0)?,))
            }),

        ("wasi:random/random", "get-random-bytes")
        | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            instance.func_wrap(f, |mut store: Store, (length,): (u64,)| {
                Ok((store.data_mut().wasi.random_bytes(length)?,))
            })
        }
        ("wasi:random/random", "get-random-u64")
        | ("wasi:random/insecure", "get-insecure-random-u64") => instance
            .func_wrap(f, |mut store: Store, ()| {
                Ok((store.data_mut().wasi.random()?,))
            }),
        ("wasi:random/insecure-seed", "insecure-seed") => {
            instance.func_wrap(f, |mut store: Store, ()| {
                let world = &mut store.data_mut().wasi;
                Ok(((world.random()?, world.random()?),))
            })
        }
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Suspends the guest, and no thread with it, until one of the pollables is ready. Which are?
fn poll<'a>(
    mut store: Store<'a>,
    (pollables,): (Vec<Resource<Pollable>>,),
) -> Waiting<'a, (Vec<u32>,)> {
    Box::new(async move {
        let world = &mut store.data_mut().wasi;
        let times: Vec<u64> = pollables
            .iter()
            .map(|pollable| world.time_of(pollable))
            .collect::<wasmtime::Result<_>>()?;
        let Some(first) = times.iter().copied().min() else {
            wasmtime::bail!("it polled nothing, which would never end");
        };
        world.wait_until(first).await?;
        let now = world.monotonic().max(first);
        let ready = (0..).zip(times).filter(|(_, time)| *time <= now);
        Ok((ready.map(|(index, _)| index).collect(),))
    })
}

/// The same for one.
fn block<'a>(mut store: Store<'a>, (pollable,): (Resource<Pollable>,)) -> Waiting<'a, ()> {
    Box::new(async move {
        let world = &mut store.data_mut().wasi;
        let time = world.time_of(&pollable)?;
        world.wait_until(time).await
    })
}
