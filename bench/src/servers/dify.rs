//! The stand-in for Dify, with room for more connections than Dify's container has.

use airlock_stand_in::{Options, SampleApp, StandIn};

use super::{Ready, Started};

/// The benchmark's app. A completion app has the shortest run: what is measured is Airlock, not the reading of events.
pub(crate) const APP: SampleApp = SampleApp::ProductBlurb;

const CONNECTIONS: usize = 256;

pub(super) async fn start() -> Started {
    let dify = StandIn::start(Options {
        connections: CONNECTIONS,
        apps: vec![APP],
        ..Options::instant()
    })
    .await?;
    let ready = Ready {
        url: dify.url(),
        key: dify.key(APP).to_owned(),
    };
    Ok((ready, Box::new(dify)))
}
