//! `make bench`: what Airlock costs, as ratios to a bare server in the same run.
//!
//! Absolute numbers say more about the machine and its neighbours than about the code. So everything is measured in
//! rounds that alternate between Airlock and what it is compared with, and shown as median and spread.
//!
//! * [`rows`]: what is measured, one file for each table. A new table is a file there and a line in `bench` below.
//! * [`contest`]: several servers under the same load, round by round.
//! * [`load`]: the client, a closed loop over keep-alive connections.
//! * [`schedule`]: the client again, an open loop.
//! * [`servers`]: each server is a process of its own, so that its CPU time can be read apart from the client's.
//! * [`stats`] and [`report`]: median and spread; the terminal and `bench/RESULTS.md`.

mod contest;
mod load;
mod report;
mod rows;
mod schedule;
mod servers;
mod stats;

use tokio::runtime::Builder;

fn main() -> anyhow::Result<()> {
    airlock::heap::give_back();
    if std::env::args().nth(1).as_deref() == Some(servers::AS_SERVER) {
        return Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(servers::serve());
    }
    // One thread for the client leaves the rest of a small machine to the server.
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(bench())
}

async fn bench() -> anyhow::Result<()> {
    // Names of tables leave out the others, and the file: for whoever works on one of them.
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |table: &str| only.is_empty() || only.iter().any(|name| name == table);
    let mut report = report::Report::begin()?;
    let world = rows::World::start().await?;
    if wanted("list") {
        rows::list::measure(&world, &mut report).await?;
    }
    if wanted("call") {
        rows::call::measure(&world, &mut report).await?;
    }
    if wanted("latency") {
        rows::latency::measure(&world, &mut report).await?;
    }
    if wanted("guest") {
        rows::guest::measure(&world, &mut report).await?;
    }
    if wanted("start") {
        rows::start::measure(&world, &mut report).await?;
    }
    drop(world);
    if wanted("apps") {
        rows::apps::measure(&mut report).await?;
    }
    if wanted("memory") {
        rows::memory::measure(&mut report).await?;
    }
    if wanted("progress") {
        rows::progress::measure(&mut report).await?;
    }
    if wanted("listeners") {
        rows::listeners::measure(&mut report).await?;
    }
    if wanted("stream") {
        rows::stream::measure(&mut report).await?;
    }
    if wanted("soak") {
        rows::soak::measure(&mut report).await?;
    }
    if wanted("hostile") {
        rows::hostile::measure(&mut report).await?;
    }
    if only.is_empty() {
        report.finish()?;
    }
    Ok(())
}
