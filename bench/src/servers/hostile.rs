//! Airlock beside guests that misbehave, and an app that is called meanwhile. It attacks when it is told to.

use airlock_tests::hostile::{Attack, Misbehaviour, Neighbour, narrow_world};
use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};

use super::Ready;

/// The line that ends an attack.
pub(crate) const REST: &str = "rest";

/// Answers with the neighbour's address, and then each line with one: the name of an attack when it has begun, [`REST`]
/// when it is over.
pub(super) async fn serve(mut input: BufReader<Stdin>) -> anyhow::Result<()> {
    let world = narrow_world().await?;
    let neighbour = Neighbour::publish(&world).await?;
    let ready: Result<_, String> = Ok(Ready::at(neighbour.url().to_owned()));
    println!(
        "{}",
        serde_json::to_string::<Result<Ready, String>>(&ready)?
    );
    let mut line = String::new();
    while input.read_line(&mut line).await? > 0 {
        let name = line.trim();
        let mut ways = Misbehaviour::ALL.iter();
        let way = ways.find(|way| way.name() == name);
        let attack = Attack::prepare(&world, *way.context("no such attack")?).await?;
        println!("{name}");
        line.clear();
        {
            let mut rest = std::pin::pin!(input.read_line(&mut line));
            loop {
                tokio::select! {
                    biased;
                    said = &mut rest => {
                        said?;
                        break;
                    }
                    struck = attack.strike() => struck?,
                }
            }
        }
        attack.withdraw().await?;
        println!("{REST}");
        line.clear();
    }
    Ok(())
}
