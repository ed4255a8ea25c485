//! The stand-in for Dify.

use airlock_stand_in::{Behaviour, Options, SampleApp, StandIn};

use super::{Apps, Dify, Ready, Started};

impl Apps {
    pub(crate) fn samples(self) -> &'static [SampleApp] {
        match self {
            Self::Blurb => &[SampleApp::ProductBlurb],
            Self::Report => &[SampleApp::WeeklyReport],
            Self::EachMode => &SampleApp::ALL,
        }
    }
}

pub(super) async fn start(role: &Dify) -> Started {
    let samples = role.apps.samples();
    let dify = StandIn::start(Options {
        connections: role.connections,
        apps: samples.to_vec(),
        ..Options::instant()
    })
    .await?;
    if role.silent {
        for app in samples {
            dify.set(*app, Behaviour::SilentAfterPing);
        }
    }
    let keys = samples.iter().cycle().take(role.keys);
    let ready = Ready {
        urls: vec![dify.url()],
        keys: keys.map(|app| dify.another_key(*app)).collect(),
    };
    Ok((ready, Box::new(dify)))
}
