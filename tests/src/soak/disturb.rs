//! What an operator does meanwhile, one operation after the other, and callers who do not wait for their answers.

use std::sync::Arc;

use airlock::ops::Operation;
use tokio::task::JoinSet;

use super::app::{App, ask};
use super::{Soak, Subject, leave};
use crate::guests::variant;
use crate::world::address;

/// One disturbance for so many calls, until so many have been answered.
pub(super) async fn disturb(
    subject: &Subject,
    soak: Arc<Soak>,
    until: usize,
) -> anyhow::Result<()> {
    let mut answered = soak.answered.subscribe();
    let mut due = *answered.borrow() + soak.plan.operation_every;
    let mut leaving = JoinSet::new();
    let mut number = due / soak.plan.operation_every;
    while due < until {
        answered.wait_for(|answered| *answered >= due).await?;
        let kind = operate(subject, &soak, number).await?;
        soak.note(|soaked| *soaked.operations.entry(kind).or_default() += 1);
        let soak_then = Arc::clone(&soak);
        leaving.spawn(async move {
            let hostile = soak_then.apps.iter().filter(|app| app.is_hostile());
            let hostile: Vec<&App> = hostile.collect();
            match leave(hostile[number % hostile.len()]).await {
                Ok(()) => soak_then.note(|soaked| *soaked.answers.entry("left").or_default() += 1),
                Err(error) => soak_then.fault(format!("a caller who leaves: {error:#}")),
            }
        });
        while leaving.try_join_next().is_some() {}
        number += 1;
        due += soak.plan.operation_every;
    }
    leaving.join_all().await;
    Ok(())
}

/// The operation whose turn it is, on the app whose turn it is.
async fn operate(subject: &Subject, soak: &Soak, number: usize) -> anyhow::Result<&'static str> {
    let socket = &subject.socket;
    let apps = soak.apps.iter().filter(|app| !app.is_hostile());
    let apps: Vec<&App> = apps.collect();
    let kinds = 4;
    // Seven has no factor in common with the 45 apps of a soak of 50: each operation comes to each app in time.
    let app = apps[(number / kinds * 7 + number % kinds * 11) % apps.len()];
    let slug = || app.slug.clone();
    Ok(match number % kinds {
        0 => {
            // No two in a row are the same, and no more than a handful are kept.
            let component = Some(variant(number % 5)).filter(|_| !number.is_multiple_of(3));
            let swap = Operation::SetGuest {
                app: slug(),
                component,
            };
            ask(socket, swap).await?;
            "guest swapped"
        }
        1 => {
            app.dies();
            let replaced = ask(socket, Operation::Regenerate { app: slug() }).await?;
            app.lives(address(replaced)?);
            "address replaced"
        }
        2 => {
            app.dies();
            ask(socket, Operation::Disable { app: slug() }).await?;
            let enabled = ask(socket, Operation::Enable { app: slug() }).await?;
            app.lives(address(enabled)?);
            "off and on"
        }
        _ => {
            ask(socket, Operation::Refresh { app: slug() }).await?;
            "described again"
        }
    })
}
