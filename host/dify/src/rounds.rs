//! How far the repeating nodes of a workflow have come.

use crate::step::Step;
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
        id: String,
        step: &Step<'_>,
        finished: bool,
    ) -> Round {
        let known = self.0.iter().position(|round| round.id == id);
        let mut round = known
            .map(|at| self.0.swap_remove(at))
            .unwrap_or_else(|| Round {
                kind,
                id,
                title: step.title().unwrap_or_default().into_owned(),
                // A loop does not announce its first round; an iteration announces each.
                begun: u64::from(kind == RoundKind::Loop),
                total: None,
                finished: false,
            });
        round.total = step.rounds().or(round.total);
        // `index` counts from 0 and names the round that begins.
        round.begun = step.index().map_or(round.begun, |index| {
            round.begun.max(index.saturating_add(1))
        });
        round.finished = finished;
        if !round.finished && self.0.len() < MOST {
            self.0.push(round.clone());
        }
        round
    }
}
