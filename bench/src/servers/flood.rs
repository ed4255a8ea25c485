//! A stand-in whose only run says very much.

use airlock_stand_in::{Behaviour, Canned, Options, SampleApp, StandIn};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Ready, Started};

const APP: SampleApp = SampleApp::WeeklyReport;

/// How much it says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Flood {
    /// Bytes of one event.
    pub(crate) size: usize,
    /// Bytes of all.
    pub(crate) total: usize,
}

impl Flood {
    /// A node's end as Dify tells it, with an output that makes it as long as it is to be.
    pub(crate) fn event(self) -> Vec<u8> {
        let around = r#"data: {"event":"node_finished","workflow_run_id":"7c5e6765-82e0-4dde-8b38-bc493140c653","task_id":"82a9b0c8-4d43-40fa-b051-b19051e53b01","data":{"id":"6c1d64f7-7f3a-44fa-b7fe-2cd8fa306f55","node_id":"start1","node_type":"code","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"list":{"items":["50","150","100"]}},"inputs_truncated":false,"process_data":{},"process_data_truncated":false,"outputs":{"text":"…"},"outputs_truncated":false,"status":"succeeded","error":null,"elapsed_time":0.000123,"execution_metadata":null,"created_at":1795370889,"finished_at":1795370889,"files":[],"iteration_id":null,"loop_id":null}}"#;
        let (before, after) = around.split_once('…').unwrap_or((around, ""));
        let words = "line of text ";
        let room = self.size.saturating_sub(around.len());
        let text: String = words.chars().cycle().take(room).collect();
        format!("{before}{text}{after}\n\n").into_bytes()
    }

    pub(crate) fn count(self) -> usize {
        self.total / self.event().len()
    }
}

pub(super) async fn start(flood: Flood) -> Started {
    let dify = StandIn::start(Options {
        apps: vec![APP],
        ..Options::instant()
    })
    .await?;
    let event = Bytes::from(flood.event());
    let end = br#"data: {"event":"workflow_finished","task_id":"82a9b0c8-4d43-40fa-b051-b19051e53b01","workflow_run_id":"7c5e6765-82e0-4dde-8b38-bc493140c653","data":{"status":"succeeded","outputs":{"report":"All is well."}}}"#;
    let end = Bytes::from([end.as_slice(), b"\n\n"].concat());
    let events = std::iter::repeat_n(event, flood.count()).chain([end]);
    dify.set(APP, Behaviour::Canned(Canned::events(events)));
    let ready = Ready {
        urls: vec![dify.url()],
        keys: vec![dify.key(APP).to_owned()],
    };
    Ok((ready, Box::new(dify)))
}
