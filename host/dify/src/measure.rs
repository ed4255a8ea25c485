//! Reading a stream by itself, without a network: for the benchmark, which shows how fast that is.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::fold::Fold;
use crate::sse::{Bounds, Parser};
use crate::{Config, Error, Mode};

/// Folds the stream of a workflow's run, which comes in pieces. How many events were told.
///
/// # Errors
/// How the run failed.
pub fn fold(config: &Config, pieces: impl IntoIterator<Item = Bytes>) -> Result<usize, Error> {
    let mut parser = Parser::new(Bounds::of(config));
    let mut fold = Fold::new(Mode::Workflow, None, config.answer_cap);
    let (mut told, mut events) = (0, VecDeque::new());
    for piece in pieces {
        parser.push(piece);
        while let Some(data) = parser.next()? {
            fold.apply(&data, &mut events)?;
            told += events.drain(..).count();
        }
    }
    Ok(told)
}
