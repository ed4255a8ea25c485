//! What a run came to whose reading began in its middle.

use serde_json::Value;

use crate::wire::RunState;
use crate::{Mode, Status};

/// What must be known of an app to answer for a run whose beginning was not read.
#[derive(Debug)]
pub(crate) struct Joined {
    /// May its moderation replace what it says? None while that is not known.
    pub(crate) moderated: Option<bool>,
}

impl Joined {
    /// All that the run said. A workflow's text is nowhere to be had, and its outputs are what counts; neither is that of a
    /// chatflow which waits for a person. A chatflow's outputs hold its answer as it was before moderation, and whether
    /// moderation has replaced it may have been in the part that was not read.
    pub(crate) fn whole(
        &self,
        mode: &Mode,
        status: &Status,
        state: &RunState,
    ) -> Result<String, &'static str> {
        if *mode == Mode::Workflow || *status == Status::Paused {
            return Ok(String::new());
        }
        if self.moderated != Some(false) {
            return Err("the app is moderated, and what it said before was not read");
        }
        let outputs = state.outputs.as_ref();
        let answer = outputs.and_then(|outputs| outputs.get("answer")?.as_str());
        answer
            .map(str::to_owned)
            .ok_or("the run's outputs hold no answer")
    }
}

/// The outputs of a chatflow, as Dify stores them, list the files that its last event lists.
pub(crate) fn files(mode: &Mode, state: &RunState) -> Option<Vec<Value>> {
    if *mode == Mode::Workflow {
        return None;
    }
    state.outputs.as_ref()?.get("files")?.as_array().cloned()
}
