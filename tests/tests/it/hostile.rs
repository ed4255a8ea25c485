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
        attack.counted().await
    };
    let attack = async {
        let ended = attack.await;
        enough.cancel();
        ended
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

const ROUNDS: usize = 5;
/// kB that the pool keeps resident on purpose, in the places of guests that were called: all 128 of them at most, 128 KiB
/// and 32 KiB of stack each.
const KEPT: u64 = 20 << 10;

#[test]
fn after_all_attacks_the_hosts_memory_is_what_it_was() {
    // A process of its own, where the other tests take no memory.
    let program = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(program)
        .args(["--exact", "hostile::all_attacks_in_rounds", "--ignored"])
        .arg("--nocapture")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in a process of its own, by the test above"]
async fn all_attacks_in_rounds() {
    airlock::heap::give_back();
    let world = narrow_world().await.expect("a world");
    let neighbour = Neighbour::publish(&world).await.expect("published");
    neighbour.call().await.expect("it answers");
    let before = resident();
    println!("before: {before} kB");
    let mut after = Vec::new();
    for _ in 0..ROUNDS {
        for &way in Misbehaviour::ALL {
            let attack = Attack::prepare(&world, way).await.expect("prepared");
            attack.strike().await.expect("contained");
            attack.withdraw().await.expect("withdrawn");
        }
        neighbour.call().await.expect("it answers");
        after.push(resident());
        println!("after a round: {} kB", resident());
    }
    let most = (before + KEPT) * 11 / 10;
    assert!(after[ROUNDS - 1] <= most, "{before}: {after:?}");
}

/// Memory of this process, in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
