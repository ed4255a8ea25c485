//! Calls that outlive their request.

use super::*;
use crate::{Replaced, TaskRow, bounds};

const LATER: i64 = i64::MAX;

fn row(state: &[u8]) -> TaskRow {
    TaskRow {
        state: state.to_vec(),
        running: true,
        expires_at: LATER,
    }
}

#[tokio::test]
async fn a_task_outlives_its_server_and_is_readable_in_no_file() {
    let (stage, registry, id, _) = published().await;
    let secret = b"what a caller asked, in nobody's clear";
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(secret), &[])
            .await
            .expect("stored")
    );
    registry.close().await.expect("nothing runs");
    drop(registry);
    for (path, bytes) in stage.files() {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{}", path.display());
    }
    let registry = stage.open().await;
    let kept = registry.task(&id, &[1; 16]).await.expect("a sound file");
    assert_eq!(kept, Some((1, row(secret))));
}

#[tokio::test]
async fn of_two_writers_the_later_one_is_refused() {
    let (_stage, registry, id, _) = published().await;
    let key = [1; 16];
    assert!(
        registry
            .create_task(&id, &key, &row(b"a"), &[])
            .await
            .expect("stored")
    );
    assert!(
        !registry
            .create_task(&id, &key, &row(b"b"), &[])
            .await
            .expect("the key is taken")
    );
    let replaced = registry.replace_task(&id, &key, 1, &row(b"c")).await;
    assert_eq!(replaced.expect("stored"), Replaced::Kept);
    let replaced = registry.replace_task(&id, &key, 1, &row(b"d")).await;
    assert_eq!(replaced.expect("it is at 2"), Replaced::Changed);
    let kept = registry.task(&id, &key).await.expect("a sound file");
    assert_eq!(kept, Some((2, row(b"c"))));
}

#[tokio::test]
async fn what_ran_when_the_server_stopped_is_known_at_its_start() {
    let (_stage, registry, id, _) = published().await;
    let over = TaskRow {
        running: false,
        ..row(b"over")
    };
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(b"runs"), &[])
            .await
            .expect("stored")
    );
    assert!(
        registry
            .create_task(&id, &[2; 16], &over, &[])
            .await
            .expect("stored")
    );
    let running = registry.running_tasks().await.expect("a sound file");
    assert_eq!(running, [(id, [1; 16])]);
}

#[tokio::test]
async fn a_task_ends_with_its_time_and_with_its_app() {
    let (_stage, registry, id, _) = published().await;
    let past = TaskRow {
        expires_at: 1,
        ..row(b"a")
    };
    assert!(
        registry
            .create_task(&id, &[1; 16], &past, &[])
            .await
            .expect("stored")
    );
    assert_eq!(
        registry.task(&id, &[1; 16]).await.expect("a sound file"),
        None
    );
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(b"b"), &[])
            .await
            .expect("the old one is gone")
    );
    registry.remove(&id).await.expect("it is there");
    assert_eq!(
        registry.task(&id, &[1; 16]).await.expect("a sound file"),
        None
    );
}

#[tokio::test]
async fn an_app_s_tasks_are_bounded_and_another_app_s_are_not_its_own() {
    let (_stage, registry, id, _) = published().await;
    let other = added(&registry, testing::app("app-two")).await;
    let large = row(&vec![0; bounds::MAX_TASK]);
    let mut kept = 0;
    while registry
        .create_task(&id, &[kept; 16], &large, &[])
        .await
        .expect("stored or refused")
    {
        kept += 1;
    }
    assert!((1..=16).contains(&kept), "{kept}");
    assert!(
        registry
            .create_task(&other, &[1; 16], &row(b"a"), &[])
            .await
            .expect("stored")
    );
    assert_eq!(
        registry.task(&other, &[0; 16]).await.expect("a sound file"),
        None
    );
    let over = row(&vec![0; bounds::MAX_TASK + 1]);
    let refused = registry.create_task(&other, &[2; 16], &over, &[]).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_full_app_has_room_for_how_a_task_ended_and_for_no_more() {
    let (_stage, registry, id, _) = published().await;
    let key = [255; 16];
    assert!(
        registry
            .create_task(&id, &key, &row(b"a"), &[])
            .await
            .expect("stored")
    );
    let large = row(&vec![0; bounds::MAX_TASK]);
    let mut kept = 0;
    while registry
        .create_task(&id, &[kept; 16], &large, &[])
        .await
        .expect("stored or refused")
    {
        kept += 1;
    }
    let replaced = registry.replace_task(&id, &key, 1, &large).await;
    assert_eq!(replaced.expect("no room"), Replaced::Full);
    let small = row(&[0; 4_000]);
    let replaced = registry.replace_task(&id, &key, 1, &small).await;
    assert_eq!(replaced.expect("stored"), Replaced::Kept);
    assert_eq!(
        registry.task(&id, &key).await.expect("a sound file"),
        Some((2, small))
    );
}

#[tokio::test]
async fn the_runs_of_a_task_come_with_it_and_are_readable_in_no_file() {
    let (stage, registry, id, _) = published().await;
    let (first, second) = (b"names of a run".to_vec(), b"names of another".to_vec());
    let runs = [first.clone()];
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(b"a"), &runs)
            .await
            .expect("stored")
    );
    for run in [b"no name yet".to_vec(), second.clone()] {
        let put = registry.put_task_run(&id, &[1; 16], 1, &run).await;
        assert!(put.expect("stored"), "the later word counts");
    }
    registry.close().await.expect("nothing runs");
    drop(registry);
    for (path, bytes) in stage.files() {
        for run in [&first, &second] {
            let found = bytes.windows(run.len()).any(|window| window == &run[..]);
            assert!(!found, "{}", path.display());
        }
    }
    let registry = stage.open().await;
    let kept = registry.task_runs(&id, &[1; 16]).await;
    assert_eq!(kept.expect("a sound file"), [first, second]);
}

#[tokio::test]
async fn the_runs_of_a_task_go_when_it_rests_and_none_come_after() {
    let (_stage, registry, id, _) = published().await;
    let runs = [b"a run".to_vec()];
    let kept = async |key: [u8; 16]| {
        let runs = registry.task_runs(&id, &key).await;
        runs.expect("a sound file").len()
    };
    for key in [[1; 16], [2; 16]] {
        assert!(
            registry
                .create_task(&id, &key, &row(b"a"), &runs)
                .await
                .expect("stored")
        );
    }
    assert_eq!(kept([1; 16]).await, 1);
    let rests = TaskRow {
        running: false,
        ..row(b"it asks")
    };
    let replaced = registry.replace_task(&id, &[1; 16], 1, &rests).await;
    assert_eq!(replaced.expect("stored"), Replaced::Kept);
    assert_eq!(kept([1; 16]).await, 0);
    for key in [[1; 16], [9; 16]] {
        let put = registry.put_task_run(&id, &key, 0, b"late").await;
        assert!(!put.expect("nothing runs there"));
    }
    assert_eq!(kept([2; 16]).await, 1, "another's are its own");
    registry.remove(&id).await.expect("it is there");
    assert_eq!(kept([2; 16]).await, 0);
}

#[tokio::test]
async fn a_task_keeps_a_bounded_number_of_small_runs() {
    let (_stage, registry, id, _) = published().await;
    let key = [1; 16];
    let many = vec![vec![0]; bounds::MAX_TASK_RUNS + 1];
    let refused = registry.create_task(&id, &key, &row(b"a"), &many).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })));
    assert!(
        registry
            .create_task(&id, &key, &row(b"a"), &[])
            .await
            .expect("stored")
    );
    let large = vec![0; bounds::MAX_TASK_RUN + 1];
    let refused = registry.put_task_run(&id, &key, 0, &large).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let refused = registry
        .put_task_run(&id, &key, bounds::MAX_TASK_RUNS, b"a")
        .await;
    assert!(matches!(refused, Err(Error::TooMany { .. })));
}

#[tokio::test]
async fn whoever_watches_hears_of_every_change() {
    let (_stage, registry, id, _) = published().await;
    let mut watch = registry.watch();
    let before = *watch.borrow_and_update();
    registry.disable(&id).await.expect("it is there");
    watch.changed().await.expect("the registry is open");
    assert_eq!(*watch.borrow_and_update(), before + 1);
    assert_eq!(registry.snapshot().generation, before + 1);
}
