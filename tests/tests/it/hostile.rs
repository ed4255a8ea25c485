//! Every guest that misbehaves is contained, and its neighbour answers.

use airlock_tests::for_each_misbehaviour;
use airlock_tests::guests::workspace;
use airlock_tests::hostile::{Attack, Misbehaviour, Neighbour, narrow_world};
use tokio_util::sync::CancellationToken;

/// Strikes of each attack. What one leaves behind meets the next.
const STRIKES: usize = 3;

async fn contained(way: Misbehaviour) {
    let world = narrow_world().await.expect("a world");
    let neighbour = Neighbour::publish(&world).await.expect("published");
    neighbour.call().await.expect("it answers before");
    let enough = CancellationToken::new();
    let attack = async {
        let attack = Attack::prepare(&world, way).await?;
        for _ in 0..STRIKES {
            attack.strike().await?;
        }
        let counted = attack.counted().await?;
        enough.cancel();
        anyhow::Ok(counted)
    };
    let (counted, answered) = tokio::join!(attack, neighbour.call_steadily(enough.clone()));
    let answered = answered.expect("every call of the neighbour is answered");
    println!("the neighbour was answered {answered} times meanwhile");
    if let Some(counted) = counted.expect("contained") {
        assert!(
            counted >= STRIKES as u64,
            "the bound was counted {counted} times"
        );
    }
    neighbour.call().await.expect("it answers afterwards");
}

macro_rules! test {
    ($($way:ident $name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                contained(Misbehaviour::$way).await;
            }
        )*
    };
}

for_each_misbehaviour!(test);

#[test]
fn every_text_of_a_hostile_guest_is_tried() {
    let directory = workspace().join("tests/hostile");
    let entries = std::fs::read_dir(directory).expect("the texts");
    let mut texts: Vec<String> = entries
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.is_file())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    texts.sort();
    let mut known: Vec<_> = Misbehaviour::ALL.iter().map(|way| way.name()).collect();
    known.sort_unstable();
    assert_eq!(texts, known);
}
