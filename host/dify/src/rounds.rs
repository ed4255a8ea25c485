//! How far the repeating nodes of a workflow have come.

use crate::wire::NodeData;
use crate::{Round, RoundKind};

/// Repeating nodes that are remembered at once; more than Dify lets nest.
const MOST: usize = 32;

/// The repeating nodes that have started and not ended. Only the start of one tells its total.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<Round>);

impl Rounds {
    /// Takes `iteration_*` or `loop_*` of the node `id`; gives where that node now stands.
    pub(crate) fn take(
        &mut self,
        kind: RoundKind,
        event: &str,
        id: String,
        data: NodeData,
    ) -> Round {
        let known = self.0.iter().position(|round| round.id == id);
        let mut round = known
            .map(|at| self.0.swap_remove(at))
            .unwrap_or_else(|| Round {
                kind,
                id,
                title: data.title.unwrap_or_default(),
                // A loop does not announce its first round; an iteration announces each.
                begun: u64::from(kind == RoundKind::Loop),
                total: None,
                finished: false,
            });
        round.total = data
            .metadata
            .and_then(|lengths| lengths.iteration_length.or(lengths.loop_length))
            .or(round.total);
        // `index` counts from 0 and names the round that begins.
        round.begun = data.index.map_or(round.begun, |index| {
            round.begun.max(index.saturating_add(1))
        });
        round.finished = event.ends_with("_completed");
        if !round.finished && self.0.len() < MOST {
            self.0.push(round.clone());
        }
        round
    }
}
